//! The control plane's part about executions: lists, one with all that is known of it, and those that come.

use std::time::Duration;

use axum::{Json, extract::RawQuery, response::Response};
use http::{HeaderMap, HeaderValue};
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    api::{WithTime, executions::ExecutionPage},
    clock::rfc3339,
    execution::{Execution, ExecutionId},
    function::FunctionName,
    http::{
        api::{
            asked::PathParams,
            openapi::Routes,
            tail::{self, Hold},
        },
        app::App,
        auth::Denial,
        caller::{About, Caller, Grant, Level, Read},
        problem::{Problem, away},
    },
    store::{ExecutionFilter, FilterError, Store},
};

/// Time for looking through executions on behalf of one request; then it is answered with what was found, and where to go on. The look
/// that is under way at its end may take as long again.
const BUDGET: Duration = Duration::from_millis(12);
/// Carries the id of the last event that a client saw.
const LAST_EVENT_ID: &str = "last-event-id";

/// The routes of executions.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(list)).routes(routes!(follow)).routes(routes!(one))
}

/// Which executions are meant; [`ExecutionFilter::parse`] reads them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is there for the description")]
struct ExecutionQuery {
    /// Of this function: its name, or its file.
    function: Option<String>,
    /// Of functions whose name begins so.
    prefix: Option<String>,
    /// Of versions that begin so.
    version: Option<String>,
    /// That ran on the deployment with this id.
    deployment: Option<String>,
    /// Of the node with this number.
    node: Option<String>,
    /// With this status (`404`), class (`5xx`), or outcome.
    status: Option<String>,
    /// That ended so.
    outcome: Option<String>,
    /// Asked for by this.
    trigger: Option<String>,
    /// Of the request with this `x-request-id`.
    request_id: Option<String>,
    /// With this text in a log line or in the message of the failure.
    text: Option<String>,
    /// Asked for since then: a span (`10m`) or a time.
    since: Option<String>,
    /// That logged something or failed: `true`.
    has_output: Option<bool>,
}

/// Which page of them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is there for the description")]
struct PageQuery {
    /// Asked for before then.
    until: Option<String>,
    /// Older than this execution.
    before: Option<String>,
    /// Newer than this execution, those next to it. The `next` of such a page is the `after` of the one beyond.
    after: Option<String>,
    /// So many at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// What follows the last page.
    cursor: Option<String>,
}

/// Lists what ran, the newest first.
#[utoipa::path(
    get, path = "/api/admin/executions", tag = "executions", params(ExecutionQuery, PageQuery),
    responses((status = 200, description = "A page, and where the next one begins.", body = ExecutionPage))
)]
async fn list(caller: Caller<Read>, RawQuery(query): RawQuery) -> Result<Json<ExecutionPage>, Problem> {
    let (Grant { app, .. }, filter) = asked(caller, query.as_deref())?;
    let mut page = app.history()?.search(&filter, BUDGET).await.map_err(away)?;
    page.executions.iter_mut().for_each(Execution::leave_out_effects);
    Ok(Json(ExecutionPage {
        executions: page.executions.into_iter().map(WithTime::from).collect(),
        next: page.next,
        looked_back_to: page.next.map(|next| rfc3339(next.time_us())),
    }))
}

/// Tells all that is known of one execution.
#[utoipa::path(
    get, path = "/api/admin/executions/{id}", tag = "executions", params(("id" = String, Path, description = "As in `x-picloud-execution`.")),
    responses((status = 200, description = "The execution with its log and its effects.", body = WithTime<Execution>))
)]
async fn one(caller: Caller<Read>, PathParams(id): PathParams<String>) -> Result<Json<WithTime<Execution>>, Problem> {
    let (_, execution) = caller.for_found(|app| async move { app.execution(&id).await }).await?;
    Ok(Json(execution.into()))
}

/// Tells executions as they come, for ever.
#[utoipa::path(
    get, path = "/api/admin/executions/tail", tag = "executions", params(ExecutionQuery, ("last-event-id" = Option<String>, Header, description = "The last event that was seen.")),
    responses((status = 200, description = "Server-sent events.", body = String, content_type = "text/event-stream"))
)]
async fn follow(caller: Caller<Read>, headers: HeaderMap, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    for key in ["limit", "cursor", "before", "after", "until"] {
        if pairs(query.as_deref()).any(|(name, _)| name == key) {
            return Err(Problem::BadOrder(format!("`{key}`: what comes has no pages and no end\n  hint: leave it out")));
        }
    }
    let (grant, filter) = asked(caller, query.as_deref())?;
    let after = headers.get(LAST_EVENT_ID).map(last_event_id).transpose()?;
    let hold = Hold::take(&grant)?;
    Ok(tail::answer(tail::executions::texts(&grant.app, filter, after, hold).await?))
}

fn last_event_id(value: &HeaderValue) -> Result<ExecutionId, Problem> {
    let id = value.to_str().ok().and_then(|text| text.parse().ok());
    id.ok_or_else(|| Problem::BadOrder(format!("`{LAST_EVENT_ID}`: that is no id of an event\n  hint: send one as it came, or none")))
}

/// Reads what the query of a URL asks for.
fn asked(caller: Caller<Read>, query: Option<&str>) -> Result<(Grant, ExecutionFilter), Problem> {
    let pairs: Vec<_> = pairs(query).collect();
    filter(caller, pairs.iter().map(|(key, value)| (&**key, &**value)))
}

/// Reads what is asked for. A token for some functions is good only for asking about those.
pub(super) fn filter<'a, S: Level>(
    caller: Caller<S>,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(Grant, ExecutionFilter), Problem> {
    let filter = ExecutionFilter::parse(pairs, caller.now_us())
        .map_err(|FilterError { key, message, hint }| Problem::BadOrder(format!("`{key}`: {message}\n  hint: {hint}")))?;
    let grant = match (&filter.function, &filter.prefix) {
        (Some(function), _) => caller.for_function(function),
        (None, prefix) => caller.for_all_below(prefix.as_deref().unwrap_or_default()),
    };
    Ok((grant?, filter))
}

fn pairs(query: Option<&str>) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
}

impl About for Execution {
    fn functions(&self) -> Vec<FunctionName> {
        vec![self.function.clone()]
    }

    /// Those of other functions are not there.
    fn refusal(_: Denial) -> Problem {
        Problem::UnknownExecution
    }
}

impl App {
    /// Returns the execution with this id.
    pub(super) async fn execution(&self, id: &str) -> Result<Execution, Problem> {
        let id: ExecutionId = id.parse().map_err(|_| Problem::UnknownExecution)?;
        self.history()?.execution(id).await.map_err(away)?.ok_or(Problem::UnknownExecution)
    }

    /// Returns the store, if it has been reached.
    pub(super) fn history(&self) -> Result<Store, Problem> {
        self.store.borrow().clone().ok_or(Problem::HistoryAway)
    }

    /// Returns the newest executions from this id on, oldest first, for somebody who was away.
    pub(super) async fn missed(&self, filter: &ExecutionFilter, from: ExecutionId) -> Result<Backlog, Problem> {
        let filter = ExecutionFilter { from: Some(from), limit: MISSED, ..filter.clone() };
        let page = self.history()?.search(&filter, MISSED_BUDGET).await.map_err(away)?;
        let mut executions = page.executions;
        executions.reverse();
        Ok(Backlog { executions, is_cut: page.next.is_some() })
    }
}

/// The executions that somebody who was away has missed.
pub struct Backlog {
    /// Oldest first.
    pub executions: Vec<Execution>,
    /// There may be older ones.
    pub is_cut: bool,
}

/// Executions that are told to somebody who was away, and the time for finding them; it is nobody's request that waits.
const MISSED: u32 = 1_000;
const MISSED_BUDGET: Duration = Duration::from_secs(1);
