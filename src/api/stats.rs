//! What executions come to over time: of the node or a function, of every function, and the failures by where they happened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    clock::rfc3339,
    deployment::DeploymentId,
    execution::{ExecutionId, Outcome, STATUS_CLASSES},
    function::{FunctionName, Version},
    stats::{FunctionState, Highest, RunCounts, Steps},
};

/// Microseconds of a minute.
const MINUTE_US: i64 = 60_000_000;

/// What executions came to, step by step. Every list has a value for each step.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct TimeSeries {
    /// When the first step begins.
    pub since: String,
    /// When the last step ends.
    pub until: String,
    /// How long each step is.
    pub step_seconds: u64,
    /// Executions that were asked for.
    pub requests: Vec<u64>,
    /// The same by class of status: `2xx`, `3xx`, `4xx`, `5xx`.
    pub by_class: BTreeMap<String, Vec<u64>>,
    /// Those that were answered with 5xx.
    pub failed: Vec<u64>,
    /// The time that half of the runs did not exceed, in microseconds.
    pub p50_us: Vec<Option<u64>>,
    /// The same for nine of ten.
    pub p90_us: Vec<Option<u64>>,
    /// The same for 99 of 100.
    pub p99_us: Vec<Option<u64>>,
    /// The most memory that one run held at once, in bytes. As of every figure of runs: null where nothing ran, and with `status`.
    pub peak_memory_bytes: Vec<Option<u64>>,
    /// What all runs waited for other services, for the key-value store and for databases, in microseconds.
    pub waited_us: Vec<Option<u64>>,
    /// All steps together.
    pub total: Figures,
}

/// What some executions came to.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    /// How many were asked for.
    pub requests: u64,
    /// The same by class of status: `2xx`, `3xx`, `4xx`, `5xx`.
    pub by_class: BTreeMap<String, u64>,
    /// How many ended so; outcomes that did not occur are left out. Empty with `status`.
    pub by_outcome: BTreeMap<String, u64>,
    /// Those that were answered with 5xx.
    pub failed: u64,
    /// The time that half of the runs did not exceed, in microseconds, within a tenth.
    pub p50_us: Option<u64>,
    /// The same for nine of ten.
    pub p90_us: Option<u64>,
    /// The same for 99 of 100.
    pub p99_us: Option<u64>,
    /// What they waited for outside of themselves, in microseconds. None: nothing ran.
    pub waited_us: Option<u64>,
    /// The most that one of them took of what is limited. None: nothing ran.
    pub highest: Option<HighestUse>,
}

/// The most that one run took of what is limited.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct HighestUse {
    /// Microseconds.
    pub duration_us: u64,
    /// Operations.
    pub operations: u64,
    /// Bytes that it held at once.
    pub memory_bytes: u64,
}

impl TimeSeries {
    /// Tells counts of these steps.
    pub fn of(steps: &Steps, counts: &[RunCounts]) -> Self {
        let of = |number: fn(&RunCounts) -> u64| counts.iter().map(number).collect::<Vec<u64>>();
        let of_runs = |number: fn(&RunCounts) -> u64| counts.iter().map(|counts| counts.of_runs(number)).collect();
        let quantiles = |share: f64| counts.iter().map(|counts| counts.durations.quantile_us(share)).collect();
        let classes = STATUS_CLASSES.iter().enumerate();
        let mut total = RunCounts::default();
        counts.iter().for_each(|counts| total.merge(counts));
        Self {
            since: rfc3339(steps.begin * MINUTE_US),
            until: rfc3339(steps.end() * MINUTE_US),
            step_seconds: steps.length.unsigned_abs() * 60,
            requests: of(RunCounts::requests),
            by_class: classes.map(|(at, class)| ((*class).into(), counts.iter().map(|counts| counts.by_class[at]).collect())).collect(),
            failed: of(RunCounts::failed),
            p50_us: quantiles(0.5),
            p90_us: quantiles(0.9),
            p99_us: quantiles(0.99),
            peak_memory_bytes: of_runs(|counts| counts.highest.memory_bytes),
            waited_us: of_runs(|counts| counts.waited_us),
            total: Figures::from(&total),
        }
    }
}

impl From<&RunCounts> for Figures {
    fn from(counts: &RunCounts) -> Self {
        let outcomes = Outcome::ALL.into_iter().zip(counts.by_outcome).filter(|(_, count)| *count > 0);
        Self {
            requests: counts.requests(),
            by_class: STATUS_CLASSES.into_iter().map(String::from).zip(counts.by_class).collect(),
            by_outcome: outcomes.map(|(outcome, count)| (outcome.as_str().into(), count)).collect(),
            failed: counts.failed(),
            p50_us: counts.durations.quantile_us(0.5),
            p90_us: counts.durations.quantile_us(0.9),
            p99_us: counts.durations.quantile_us(0.99),
            waited_us: counts.of_runs(|counts| counts.waited_us),
            highest: counts.of_runs(|counts| counts.highest.into()),
        }
    }
}

impl From<Highest> for HighestUse {
    fn from(Highest { duration_us, operations, memory_bytes }: Highest) -> Self {
        Self { duration_us, operations, memory_bytes }
    }
}

/// A page of functions, or of their versions, with what their executions came to.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FunctionStatsPage {
    /// When the first step begins.
    pub since: String,
    /// When the last step ends.
    pub until: String,
    /// How long each step of the lists is.
    pub step_seconds: u64,
    /// When states and the order were found: some seconds ago at most. Figures are those of now.
    pub as_of: String,
    /// How many there are in each state, on all pages together.
    pub counts: StateCounts,
    /// This page, in the order that was asked for.
    pub functions: Vec<FunctionStats>,
    /// The cursor of the next page; none: this is the last one.
    pub next: Option<u32>,
}

/// How many functions are in each state.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct StateCounts {
    /// Requests fail.
    pub failing: u64,
    /// They take much longer than before.
    pub slow: u64,
    /// Neither.
    pub ok: u64,
    /// There were none.
    pub idle: u64,
}

/// What the executions of a function, or of a version of it, came to.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FunctionStats {
    /// Which.
    pub function: FunctionName,
    /// The version that is live, or that is told of.
    pub version: Version,
    /// When that became live, if it is known.
    pub version_since: Option<String>,
    /// How it does.
    pub state: FunctionState,
    /// Why it is in trouble, in a sentence.
    pub because: Option<String>,
    /// The whole time.
    pub total: Figures,
    /// Which share of the requests of the last hour failed, from 0 to 1.
    pub failed_share: f64,
    /// Executions that were asked for, step by step.
    pub requests: Vec<u64>,
    /// Those that were answered with 5xx.
    pub failed: Vec<u64>,
    /// The time that 99 of 100 runs did not exceed, in microseconds.
    pub p99_us: Vec<Option<u64>>,
    /// When the last of them was asked for that was answered with 5xx.
    pub last_failure: Option<String>,
}

/// Failures, grouped by where they happened.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FailureList {
    /// When the first step begins.
    pub since: String,
    /// How long each step of the lists is.
    pub step_seconds: u64,
    /// The place that failed most comes first.
    pub failures: Vec<FailureGroup>,
    /// What is older than this was not looked at: there were too many. None: all of the time was.
    pub looked_back_to: Option<String>,
}

/// Failures in one place.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FailureGroup {
    /// The function that failed.
    pub function: FunctionName,
    /// The file where it did: its own, or a module's.
    pub file: String,
    /// The line there.
    pub line: Option<u32>,
    /// The column there.
    pub column: Option<u32>,
    /// How often.
    pub count: u64,
    /// When for the first time, as far as was looked.
    pub first: String,
    /// When for the last time.
    pub last: String,
    /// What the last one said.
    pub message: String,
    /// The last one.
    pub execution: ExecutionId,
    /// The version that failed first, as far as was looked.
    pub version: Version,
    /// The deployment that was live then.
    pub deployment: DeploymentId,
    /// How often, step by step.
    pub counts: Vec<u64>,
}
