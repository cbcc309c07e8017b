//! Every function, or every version, with what its executions came to.

mod figures;
mod order;

use std::collections::{BTreeSet, HashSet};

use axum::Json;
use http::Uri;
use serde::Deserialize;
use utoipa::IntoParams;

use self::{
    figures::FigureTable,
    order::{FunctionEntry, Order},
};
use super::times::{AskedTime, bad};
use crate::{
    api::stats::{FunctionStatsPage, StateCounts},
    clock::rfc3339,
    execution::Trigger,
    function::{FunctionName, Version},
    http::{
        api::asked::asked,
        app::App,
        caller::{About, Caller, Grant, Read},
        problem::{Problem, away},
        ranking::{RankedBy, Ranking, RankingQuery},
    },
    live::scripts::ScriptFilter,
    stats::FunctionState,
};

/// Functions of one page unless the request says otherwise, and the most.
const PAGE: (u32, u32) = (20, 200);
/// Where the last page begins at the latest: more functions than a node has.
const MAX_CURSOR: u32 = 1_000_000;
/// The most steps of a function: a day has 25 hours, a month 31 days.
const MOST: usize = 32;

/// Which functions are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct FunctionsQuery {
    /// From then on: a span (`1h`) or a time; at most 30 days. None: `24h`, or all of the time that `deployment` was live.
    since: Option<String>,
    /// Until then. None: now.
    until: Option<String>,
    /// While this deployment was live, in whole steps: its id, its revision, the first characters of that, or `live`.
    deployment: Option<String>,
    /// Asked for by `http`, `execute`, `invoke`, `cli`, `replay`, `schedule`, `event` or `manual`.
    trigger: Option<Trigger>,
    /// `trouble` (what needs somebody first), `requests`, `failed`, `p99` or `name`.
    #[param(value_type = Option<String>)]
    sort: Order,
    /// Only those in this state: `failing`, `slow`, `ok` or `idle`.
    state: Option<FunctionState>,
    /// Only those whose name begins so.
    prefix: Option<String>,
    /// Only those whose name has this text in it.
    text: Option<String>,
    /// `version`: each version that ran is told of for itself.
    #[param(value_type = Option<String>)]
    by: RankedBy,
    /// So many at most.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    #[param(maximum = 1_000_000)]
    cursor: Option<u32>,
}

/// A function that is live.
struct LiveName {
    name: FunctionName,
    version: Version,
}

impl About for LiveName {
    fn functions(&self) -> Vec<FunctionName> {
        vec![self.name.clone()]
    }
}

/// Lists functions with what their executions came to. Of a token for some functions these are the ones.
#[utoipa::path(
    get, path = "/api/admin/stats/functions", operation_id = "list_function_stats", tag = "stats", params(FunctionsQuery),
    responses((status = 200, description = "A page, how many are in each state, and where the next page begins.", body = FunctionStatsPage))
)]
pub(in crate::http::api::stats) async fn list(caller: Caller<Read>, uri: Uri) -> Result<Json<FunctionStatsPage>, Problem> {
    let FunctionsQuery { since, until, deployment, trigger, sort, state, prefix, text, by, limit, cursor } = asked(&uri)?;
    let limit = limit.unwrap_or(PAGE.0);
    if !(1..=PAGE.1).contains(&limit) {
        return Err(bad("limit", format!("a page has 1 to {} functions", PAGE.1), "leave it out for the usual number"));
    }
    let now_us = caller.now_us();
    if deployment.is_some() {
        caller.check_node()?;
    }
    let (prefix, text) = (prefix.unwrap_or_default(), text.unwrap_or_default().to_lowercase());
    let (Grant { app, .. }, mut listed) = caller.for_list(|app| app.listed(&prefix));
    listed.retain(|function| function.name.as_str().to_lowercase().contains(&text));
    let begin = cursor.unwrap_or(0);
    if begin > MAX_CURSOR {
        return Err(bad("cursor", "no page begins there", "take the `next` of the page before"));
    }
    let live = app.live_span(deployment.as_deref()).await?;
    let steps = AskedTime { since: since.as_deref(), until: until.as_deref(), step: None, live }.steps(now_us, MOST)?;
    let store = app.history()?;
    let query = RankingQuery { prefix, trigger, steps, by };
    let ranking = app.rankings.of(&store, query, now_us).await.map_err(away)?;
    let mut entries = entries(&ranking, by, &listed);
    let mut counts = StateCounts::default();
    entries.iter().for_each(|one| count(&mut counts, one.rank.state));
    entries.retain(|one| state.is_none_or(|state| one.rank.state == state));
    entries.sort_unstable_by(|a, b| sort.compare(a, b));
    let end = begin.saturating_add(limit);
    let next = (entries.len() > end as usize).then_some(end);
    let page: Vec<FunctionEntry> = entries.into_iter().skip(begin as usize).take(limit as usize).collect();
    let names: BTreeSet<&FunctionName> = page.iter().map(|one| one.function).collect();
    let live_since = store.live_since(&names).await.map_err(away)?;
    let figures = FigureTable::read(&store, names, trigger, &steps).await.map_err(away)?;
    let told = page.iter().map(|one| {
        let since = live_since.get(&(one.function.clone(), one.version)).map(|deployment| rfc3339(deployment.time_us()));
        let figures = match by {
            RankedBy::Function => figures.of_function(one.function),
            RankedBy::Version => figures.of_version(one.function, one.version),
        };
        one.told(&figures, &steps, since)
    });
    Ok(Json(FunctionStatsPage {
        since: rfc3339(steps.begin * 60_000_000),
        until: rfc3339(steps.end() * 60_000_000),
        step_seconds: steps.length.unsigned_abs() * 60,
        as_of: rfc3339(ranking.as_of_us),
        counts,
        functions: told.collect(),
        next,
    }))
}

/// Returns the functions that are listed, or their versions, each with how it does.
fn entries<'a>(ranking: &'a Ranking, by: RankedBy, listed: &'a [LiveName]) -> Vec<FunctionEntry<'a>> {
    match by {
        RankedBy::Function => {
            let entry =
                |LiveName { name, version }: &'a LiveName| FunctionEntry { function: name, version: *version, rank: ranking.of(name) };
            listed.iter().map(entry).collect()
        }
        RankedBy::Version => {
            let names: HashSet<&FunctionName> = listed.iter().map(|function| &function.name).collect();
            let versions = ranking.versions().filter(|(function, ..)| names.contains(function));
            versions.map(|(function, version, rank)| FunctionEntry { function, version, rank }).collect()
        }
    }
}

fn count(counts: &mut StateCounts, state: FunctionState) {
    *match state {
        FunctionState::Failing => &mut counts.failing,
        FunctionState::Slow => &mut counts.slow,
        FunctionState::Ok => &mut counts.ok,
        FunctionState::Idle => &mut counts.idle,
    } += 1;
}

impl App {
    fn listed(&self, prefix: &str) -> Vec<LiveName> {
        let filter = ScriptFilter { prefix: prefix.into(), ..ScriptFilter::default() };
        let scripts = self.live.scripts(&filter, usize::MAX).into_iter();
        scripts.filter_map(|script| Some(LiveName { version: script.function?.function.version, name: script.name })).collect()
    }
}
