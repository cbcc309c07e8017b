//! Replays: orders to run requests again that were kept, and what became of many.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    execution::{ExecutionId, Outcome},
    function::FunctionName,
};

/// What to run the request on.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayOrder {
    /// A version of the function, or its first characters; none: what is live.
    pub version: Option<String>,
    /// Whether effects happen again: requests, and changes to stores and databases. Else their recorded results are given back.
    pub live: bool,
}

/// Which requests to run again, and on what. They are named by `ids` or found by `filter`: one of the two is there.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ManyReplaysOrder {
    /// Those of these executions, 1,000 at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<ExecutionId>>,
    /// Those that a list with these keys and values has, the newest first: `function`, `since`, `limit` and the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<BTreeMap<String, String>>,
    /// A version of the function, or its first characters; none: what is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// No request begins later than this span after the order: `10s`; none: `30s`, which is the longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
}

/// What became of requests that ran again. Their recorded results were given back, so nothing outside was asked.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ManyReplays {
    /// So many ended with the same outcome and status as before.
    pub same: u32,
    /// So many ended otherwise.
    pub otherwise: u32,
    /// So many did not run.
    pub not_run: u32,
    /// Each, in the order of the order.
    pub replays: Vec<ReplayReport>,
    /// These did not run: the time for one order was over, or a token was revoked meanwhile. They can be ordered by their ids.
    pub left: Vec<ExecutionId>,
    /// The `cursor` for a filter that goes on where this one ended; none: it selects no others.
    pub next: Option<ExecutionId>,
}

/// What became of one request.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReplayReport {
    /// The execution whose request it is.
    pub replay_of: ExecutionId,
    /// Its function.
    pub function: FunctionName,
    /// The status that it had.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// What became of it now.
    pub now: ReplayResult,
}

/// How a request ended that ran again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplayResult {
    /// As before.
    Same {
        /// The new execution.
        execution: ExecutionId,
    },
    /// With another outcome or status.
    Otherwise {
        /// The new execution.
        execution: ExecutionId,
        /// Its status.
        status: u16,
        /// How it ended.
        outcome: Outcome,
        /// Why it failed.
        failure: Option<String>,
    },
    /// It did not run.
    NotRun {
        /// Why.
        why: String,
    },
}

impl ManyReplays {
    /// Adds one, and counts it.
    pub fn push(&mut self, report: ReplayReport) {
        *match report.now {
            ReplayResult::Same { .. } => &mut self.same,
            ReplayResult::Otherwise { .. } => &mut self.otherwise,
            ReplayResult::NotRun { .. } => &mut self.not_run,
        } += 1;
        self.replays.push(report);
    }
}
