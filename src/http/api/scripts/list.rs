//! Lists of scripts.

use axum::{Json, extract::RawQuery};
use serde_json::json;
use utoipa::IntoParams;

use crate::{
    api::scripts::{ScriptPage, ScriptSummary},
    blocking,
    function::FunctionName,
    http::{
        caller::{Caller, Grant, Read},
        problem::Problem,
    },
    live::scripts::ScriptFilter,
};

/// Scripts of one page unless the request says otherwise, and the most.
const PAGE: (usize, usize) = (100, 1_000);

/// Longest text that is looked for, in bytes.
const MAX_TEXT: usize = 1_024;

/// Which scripts are asked for, and which page of them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is there for the description")]
struct ScriptQuery {
    /// Those whose name begins so.
    prefix: Option<String>,
    /// Those with this text in their name, their path or their description, in capitals or not.
    text: Option<String>,
    /// `live`, `broken` or `waiting`.
    state: Option<String>,
    /// So many at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Lists scripts in order of their files.
#[utoipa::path(
    get, path = "/api/admin/scripts", operation_id = "list_scripts", tag = "scripts", params(ScriptQuery),
    responses((status = 200, description = "A page, and where the next one begins.", body = ScriptPage))
)]
pub async fn list(caller: Caller<Read>, RawQuery(query): RawQuery) -> Result<Json<ScriptPage>, Problem> {
    let (filter, limit) = filter(query.as_deref().unwrap_or_default())?;
    let Grant { app, .. } = caller.for_all_below(&filter.prefix)?;
    let live = app.live.clone();
    // Apart from the requests: ten thousand take some milliseconds.
    let mut scripts = blocking::run(move || live.scripts(&filter, limit + 1)).await.ok_or(Problem::NotReady)?;
    let next = (scripts.len() > limit).then(|| scripts[limit - 1].name.clone());
    scripts.truncate(limit);
    Ok(Json(ScriptPage { scripts: scripts.iter().map(ScriptSummary::from).collect(), next }))
}

/// Reads which scripts are asked for, and how many.
fn filter(query: &str) -> Result<(ScriptFilter, usize), Problem> {
    let (mut filter, mut limit) = (ScriptFilter::default(), PAGE.0);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let bad = |what: &str| Problem::BadOrder(format!("`{key}`: {what}"));
        match &*key {
            "prefix" => filter.prefix = value.into_owned(),
            "text" if value.is_empty() || value.len() > MAX_TEXT => return Err(bad(&format!("write 1 to {MAX_TEXT} bytes"))),
            "text" => filter.text = Some(value.into_owned()),
            "state" => {
                let state = serde_json::from_value(json!(value));
                filter.state = Some(state.map_err(|_| bad("a script is `live`, `broken` or `waiting`"))?);
            }
            "cursor" => filter.after = Some(FunctionName::new(&*value)),
            "limit" => {
                let number = value.parse().ok().filter(|number| (1..=PAGE.1).contains(number));
                limit = number.ok_or_else(|| bad(&format!("a page has 1 to {} scripts", PAGE.1)))?;
            }
            _ => return Err(bad("there are `prefix`, `text`, `state`, `limit` and `cursor`")),
        }
    }
    Ok((filter, limit))
}
