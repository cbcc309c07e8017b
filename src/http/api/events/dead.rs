//! Dead letters: lists, one with its attempts, trying again, throwing away.

use std::sync::Arc;

use axum::{Json, body::Body};
use http::{Request, Uri};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::{
    page::AskedPage,
    selection::{allowed, functions},
};
use crate::{
    api::events::{DeadLetter, DeadLetterChanges, DeadLetterDetail, DeadLetterOrder, DeadLetterPage},
    function::{FunctionName, Version, topic::NotATopic, trigger_id::function_of},
    http::{
        api::{
            asked::{PathParams, asked},
            openapi::Routes,
        },
        app::App,
        auth::Denial,
        caller::{About, Caller, Deploy, Grant, Read},
        problem::{Problem, away},
    },
    queue::DeliveryId,
    store::{
        parse_time,
        queue::{DeadLetterFilter, DeadLetterOutcome, DeadLetterRecord},
    },
};

/// Longest order.
const MAX_ORDER_BYTES: usize = 64 * 1024;

/// The routes of dead letters.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(list)).routes(routes!(one)).routes(routes!(retry)).routes(routes!(discard))
}

/// Which dead letters are asked for. A token for some functions must name one, or a prefix.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct DeadLetterQuery {
    /// Only those of this function.
    function: Option<String>,
    /// Only those of functions whose names begin so.
    prefix: Option<String>,
    /// Only those of events about this.
    topic: Option<String>,
    /// Only those that were given up since then: a span (`2h`) or a time.
    since: Option<String>,
    /// So many at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// What follows the last page.
    cursor: Option<String>,
}

/// Lists dead letters, the newest first.
#[utoipa::path(
    get, path = "/api/admin/dead-letters", operation_id = "list_dead_letters", tag = "events", params(DeadLetterQuery),
    responses((status = 200, description = "A page, and where the next one begins.", body = DeadLetterPage))
)]
async fn list(caller: Caller<Read>, uri: Uri) -> Result<Json<DeadLetterPage>, Problem> {
    let DeadLetterQuery { function, prefix, topic, since, limit, cursor } = asked(&uri)?;
    let order = DeadLetterOrder { function, prefix, topic, since, ..DeadLetterOrder::default() };
    let filter = filter(&order, caller.now_us())?;
    let Grant { app, .. } = allowed(caller, &filter.functions)?;
    let page = AskedPage::read(limit, cursor.as_deref())?;
    let filter = DeadLetterFilter { before: page.before, limit: page.rows(), ..filter };
    let mut letters = app.history()?.dead_letters(&filter).await.map_err(away)?;
    let next = page.cut(&mut letters, |letter| letter.id);
    let dead_letters = letters.into_iter().map(|letter| DeadLetter::of(letter, |function| app.live_version(function))).collect();
    Ok(Json(DeadLetterPage { dead_letters, next }))
}

impl App {
    /// Adds its attempts to a dead letter.
    pub(super) async fn letter(&self, letter: DeadLetterRecord) -> Result<DeadLetterDetail, Problem> {
        let failed = self.history()?.failed_attempts(letter.id).await.map_err(away)?;
        let letter = DeadLetter::of(letter, |function| self.live_version(function));
        Ok(DeadLetterDetail { letter, failed: failed.into_iter().map(Into::into).collect() })
    }

    /// Returns the version of a function that is live.
    fn live_version(&self, function: &FunctionName) -> Option<Version> {
        let table = self.live.table();
        let live = table.functions().find(|live| live.function.name == *function)?;
        Some(live.function.version)
    }
}

/// A dead letter that a request names.
struct NamedLetter(DeadLetterRecord);

impl NamedLetter {
    async fn find(app: Arc<App>, id: String) -> Result<Self, Problem> {
        let id: DeliveryId = id.parse().map_err(|_| Problem::UnknownDeadLetter)?;
        let filter = DeadLetterFilter { id: Some(id), limit: 1, ..DeadLetterFilter::default() };
        app.history()?.dead_letters(&filter).await.map_err(away)?.pop().map(Self).ok_or(Problem::UnknownDeadLetter)
    }
}

impl About for NamedLetter {
    fn functions(&self) -> Vec<FunctionName> {
        vec![function_of(&self.0.receiver)]
    }

    /// Those of other functions are not there.
    fn refusal(_: Denial) -> Problem {
        Problem::UnknownDeadLetter
    }
}

/// Tells of a dead letter, with every attempt.
#[utoipa::path(
    get, path = "/api/admin/dead-letters/{id}", operation_id = "get_dead_letter", tag = "events",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The dead letter, with its attempts.", body = DeadLetterDetail))
)]
async fn one(caller: Caller<Read>, PathParams(id): PathParams<String>) -> Result<Json<DeadLetterDetail>, Problem> {
    let (Grant { app, .. }, NamedLetter(letter)) = caller.for_found(|app| NamedLetter::find(app, id)).await?;
    app.letter(letter).await.map(Json)
}

/// Puts dead letters back into the queue. They may have as many attempts as if they were new; the numbers of those go on.
#[utoipa::path(
    post, path = "/api/admin/dead-letters/retry", operation_id = "retry_dead_letters", tag = "events", request_body = DeadLetterOrder,
    responses((status = 200, description = "How many.", body = DeadLetterChanges))
)]
async fn retry(caller: Caller<Deploy>, request: Request<Body>) -> Result<Json<DeadLetterChanges>, Problem> {
    let ChangeOrder { grant, filter, expected } = ordered(caller, request).await?;
    let app = &grant.app;
    let outcome = app.history()?.retry_dead_letters(&filter, expected, &grant.actor(), app.ids.now_us()).await.map_err(away)?;
    app.runner.publisher().wake();
    told(outcome, expected)
}

/// Throws dead letters away.
#[utoipa::path(
    post, path = "/api/admin/dead-letters/discard", operation_id = "discard_dead_letters", tag = "events", request_body = DeadLetterOrder,
    responses((status = 200, description = "How many.", body = DeadLetterChanges))
)]
async fn discard(caller: Caller<Deploy>, request: Request<Body>) -> Result<Json<DeadLetterChanges>, Problem> {
    let ChangeOrder { grant, filter, expected } = ordered(caller, request).await?;
    let app = &grant.app;
    let outcome = app.history()?.discard_dead_letters(&filter, expected, &grant.actor(), app.ids.now_us()).await.map_err(away)?;
    told(outcome, expected)
}

fn told(outcome: DeadLetterOutcome, expected: Option<u64>) -> Result<Json<DeadLetterChanges>, Problem> {
    match outcome {
        DeadLetterOutcome::Changed(changed) => Ok(Json(DeadLetterChanges { changed })),
        DeadLetterOutcome::OtherCount(there) => Err(Problem::OtherDeadLetters { there, expected: expected.unwrap_or_default() }),
    }
}

/// An order to change dead letters, of somebody who may.
struct ChangeOrder {
    grant: Grant,
    filter: DeadLetterFilter,
    /// How many there are, as far as whoever orders knows.
    expected: Option<u64>,
}

/// Reads which dead letters are to be changed. One that is named is found first, as it is the function's whose it is.
async fn ordered(caller: Caller<Deploy>, request: Request<Body>) -> Result<ChangeOrder, Problem> {
    let order: DeadLetterOrder = caller.order(request, |_| MAX_ORDER_BYTES).await?;
    let names_some = [&order.id, &order.function, &order.prefix, &order.topic, &order.since].iter().any(|key| key.is_some());
    if names_some == order.all {
        let why = "it does not say which, or says `all` and which\n  hint: send `id`, `function`, `prefix`, `topic` or `since`, or `\"all\": true`";
        return Err(Problem::BadOrder(why.into()));
    }
    let filter = filter(&order, caller.now_us())?;
    let grant = match order.id {
        Some(id) => caller.for_found(|app| NamedLetter::find(app, id)).await?.0,
        None => allowed(caller, &filter.functions)?,
    };
    Ok(ChangeOrder { grant, filter, expected: order.expected })
}

fn filter(order: &DeadLetterOrder, now_us: i64) -> Result<DeadLetterFilter, Problem> {
    let DeadLetterOrder { id, function, prefix, topic, since, .. } = order;
    let bad = |error: NotATopic| Problem::BadOrder(format!("`topic`: {error}\n  hint: {}", error.hint));
    let since = since.as_deref().map(|since| parse_time(since, now_us)).transpose();
    Ok(DeadLetterFilter {
        id: id.as_deref().map(|id| id.parse().map_err(|_| Problem::UnknownDeadLetter)).transpose()?,
        functions: functions(function.as_deref(), prefix.as_deref())?,
        topic: topic.as_deref().map(|topic| topic.parse().map_err(bad)).transpose()?,
        since_us: since.map_err(|(message, hint)| Problem::BadOrder(format!("`since`: {message}\n  hint: {hint}")))?,
        ..DeadLetterFilter::default()
    })
}
