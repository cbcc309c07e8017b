//! Runs many requests again, one after the other. A client that leaves ends the order: its run is stopped, and no other begins.

use std::time::Duration;

use axum::{Json, body::Body};
use http::Request;

use super::{Original, again};
use crate::{
    api::{
        executions::RunAnswer,
        replay::{ManyReplays, ManyReplaysOrder, ReplayReport, ReplayResult},
    },
    clock::monotonic,
    execution::{ExecutionId, Trigger},
    function::{FunctionName, quantity::Span},
    http::{
        api::executions,
        app::App,
        auth::Denial,
        caller::{About, Caller, Deploy, Grant},
        problem::{Problem, away},
    },
    runner::ReplayMode,
    store::ExecutionFilter,
};

/// Longest order: that of the most ids.
const MAX_ORDER_BYTES: usize = 64 * 1024;
/// Most requests of one order.
const MAX_REPLAYS: usize = 1_000;
/// No request begins later than this after the order, whatever it says: before proxies and clients give up waiting.
const LONGEST: Duration = Duration::from_secs(30);
/// Time for finding what a filter selects.
const FINDING: Duration = Duration::from_secs(1);

/// Runs many requests again, and says how many ended otherwise. Recorded results are given back: nothing outside is asked.
#[utoipa::path(
    post, path = "/api/admin/executions/replay", tag = "executions", request_body = ManyReplaysOrder,
    responses((status = 200, description = "What became of each.", body = ManyReplays))
)]
pub(super) async fn replay_many(caller: Caller<Deploy>, request: Request<Body>) -> Result<Json<ManyReplays>, Problem> {
    let began = monotonic();
    let order: ManyReplaysOrder = caller.order(request, |_| MAX_ORDER_BYTES).await?;
    let within = within(order.within.as_deref())?;
    let (grant, originals, next) = match (order.ids, order.filter) {
        (Some(ids), None) => {
            let (grant, Originals(originals)) = caller.for_found(|app| async move { named(&app, ids).await }).await?;
            (grant, originals, None)
        }
        (None, Some(keys)) => {
            let (grant, filter) = executions::filter(caller, keys.iter().map(|(key, value)| (&**key, &**value)))?;
            let (originals, next) = selected(&grant.app, filter).await?;
            (grant, originals, next)
        }
        _ => {
            let why = "it does not say which, or says it twice\n  hint: send `ids` or `filter`";
            return Err(Problem::BadOrder(why.into()));
        }
    };
    let mut told = ManyReplays { next, ..ManyReplays::default() };
    // Also if another token was revoked, as for those who follow: the rest is ordered again, and that token is looked at then.
    let revocations = grant.app.auth.revocations();
    for original in originals {
        match began.elapsed() < within && !revocations.has_changed().unwrap_or(true) {
            true => told.push(report(&grant, original, order.version.as_deref()).await),
            false => told.left.push(original.id),
        }
    }
    Ok(Json(told))
}

/// Reads how long requests begin.
fn within(text: Option<&str>) -> Result<Duration, Problem> {
    let Some(text) = text else { return Ok(LONGEST) };
    let bad = || Problem::BadOrder("`within`: it is a time up to 30 seconds\n  hint: write `10s`, or leave it out for the longest".into());
    Span::parse(text).map(|span| span.0).filter(|within| *within <= LONGEST).ok_or_else(bad)
}

/// Executions that an order names.
struct Originals(Vec<Original>);

impl About for Originals {
    fn functions(&self) -> Vec<FunctionName> {
        self.0.iter().map(|original| original.function.clone()).collect()
    }

    /// Those of other functions are not there.
    fn refusal(_: Denial) -> Problem {
        Problem::UnknownExecution
    }
}

async fn named(app: &App, ids: Vec<ExecutionId>) -> Result<Originals, Problem> {
    if !(1..=MAX_REPLAYS).contains(&ids.len()) {
        let why = format!("`ids`: there are {}\n  hint: send 1 to {MAX_REPLAYS} at once", ids.len());
        return Err(Problem::BadOrder(why));
    }
    let (history, mut found) = (app.history()?, Vec::with_capacity(ids.len()));
    for id in ids {
        let execution = history.execution(id).await.map_err(away)?.ok_or(Problem::UnknownExecution)?;
        found.push(Original::from(&execution));
    }
    Ok(Originals(found))
}

/// Finds what a filter selects, and where it goes on. Replays are left out unless they are asked for: else each order would repeat those
/// of the order before.
async fn selected(app: &App, mut filter: ExecutionFilter) -> Result<(Vec<Original>, Option<ExecutionId>), Problem> {
    if filter.after.is_some() {
        return Err(Problem::BadOrder("`after`: many replays begin with the newest\n  hint: leave it out, or send `since`".into()));
    }
    let (history, began, limit) = (app.history()?, monotonic(), filter.limit as usize);
    let has_trigger = filter.trigger.is_some();
    let mut found = Vec::new();
    loop {
        filter.limit = (limit - found.len()) as u32;
        let page = history.search(&filter, FINDING.saturating_sub(began.elapsed())).await.map_err(away)?;
        found.extend(page.executions.iter().filter(|one| has_trigger || one.trigger != Trigger::Replay).map(Original::from));
        filter.before = page.next;
        if page.next.is_none() || found.len() >= limit || began.elapsed() >= FINDING {
            return Ok((found, page.next));
        }
    }
}

async fn report(grant: &Grant, original: Original, version: Option<&str>) -> ReplayReport {
    let now = match again(grant, &original, version, ReplayMode::Recorded).await {
        Ok(answer) => result(&original, answer),
        Err(problem) => ReplayResult::NotRun { why: problem.reason() },
    };
    let Original { id: replay_of, function, status, outcome } = original;
    ReplayReport { replay_of, function, status, outcome, now }
}

fn result(original: &Original, answer: RunAnswer) -> ReplayResult {
    let Some(run) = answer.execution.map(|execution| execution.record) else {
        return ReplayResult::NotRun { why: "the node answered by itself".into() };
    };
    let execution = run.id;
    if (run.outcome, run.status) == (original.outcome, original.status) {
        return ReplayResult::Same { execution };
    }
    let failure = run.failure.map(|failure| failure.message);
    ReplayResult::Otherwise { execution, status: run.status, outcome: run.outcome, failure }
}
