//! Reads the counts of functions, and adds them up.

use std::collections::{BTreeSet, HashMap};

use crate::{
    function::{FunctionName, Version},
    stats::{FunctionState, Histogram, RunCounts, Steps, minute_of},
    store::{StatsKey, StatsQuery, Store, StoreError},
};

/// The minutes by which the state of a function is judged.
const LAST_HOUR: i64 = 60;

/// What the executions of a function came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    /// In the last hour.
    pub last_hour: RunCounts,
    /// Before that.
    pub before: RunCounts,
    /// Step by step, those that ran.
    pub by_step: HashMap<usize, StepFigures>,
    /// The minute of the last failure.
    pub last_failure: Option<i64>,
}

/// What they came to in one step.
#[derive(Debug, Clone, Default)]
pub(super) struct StepFigures {
    pub requests: u64,
    pub failed: u64,
    pub durations: Histogram,
}

/// A function, or a version of it, with how it does.
pub(super) struct FunctionEntry {
    pub function: FunctionName,
    pub version: Version,
    pub state: FunctionState,
    pub because: Option<String>,
    /// The whole time.
    pub total: RunCounts,
    pub figures: Figures,
}

/// The counts of all functions whose name begins so, by version.
pub(super) struct FigureTable(HashMap<(FunctionName, Version), Figures>);

impl FigureTable {
    /// Reads them. The last hour is that of these steps, which may end before now.
    pub(super) async fn read(store: &Store, query: &StatsQuery, steps: Steps, now_us: i64) -> Result<Self, StoreError> {
        let mut all: HashMap<StatsKey, Figures> = HashMap::new();
        let last_hour = minute_of(now_us).min(steps.end()) - LAST_HOUR;
        let read = store.read_stats(query, |key, minute, counts| {
            let figures = all.entry(key).or_default();
            let half = if minute >= last_hour { &mut figures.last_hour } else { &mut figures.before };
            half.merge(counts);
            if let Some(step) = steps.step_of(minute) {
                let step = figures.by_step.entry(step).or_default();
                step.requests += counts.requests();
                step.failed += counts.failed();
                step.durations.merge(&counts.durations);
            }
            if counts.failed() > 0 {
                figures.last_failure = figures.last_failure.max(Some(minute));
            }
        });
        read.await?;
        let names = store.stats_names(all.keys().copied()).await?;
        Ok(Self(all.into_iter().filter_map(|(key, figures)| Some((names.get(&key)?.clone(), figures))).collect()))
    }

    /// Returns those of these functions, each with all its versions.
    pub(super) fn of_functions(self, functions: impl Iterator<Item = (FunctionName, Version)>) -> Vec<FunctionEntry> {
        let mut by_function: HashMap<FunctionName, Figures> = HashMap::new();
        for ((function, _), figures) in self.0 {
            by_function.entry(function).or_default().merge(figures);
        }
        functions.map(|(function, version)| entry(by_function.remove(&function).unwrap_or_default(), function, version)).collect()
    }

    /// Returns those of the versions of these functions.
    pub(super) fn of_versions(self, functions: &BTreeSet<FunctionName>) -> Vec<FunctionEntry> {
        let ran = self.0.into_iter().filter(|((function, _), _)| functions.contains(function));
        ran.map(|((function, version), figures)| entry(figures, function, version)).collect()
    }
}

impl Figures {
    fn merge(&mut self, other: Self) {
        self.last_hour.merge(&other.last_hour);
        self.before.merge(&other.before);
        self.last_failure = self.last_failure.max(other.last_failure);
        for (at, more) in other.by_step {
            let step = self.by_step.entry(at).or_default();
            step.requests += more.requests;
            step.failed += more.failed;
            step.durations.merge(&more.durations);
        }
    }
}

fn entry(figures: Figures, function: FunctionName, version: Version) -> FunctionEntry {
    let (state, because) = FunctionState::of(&figures.last_hour, &figures.before);
    let mut total = figures.last_hour.clone();
    total.merge(&figures.before);
    FunctionEntry { function, version, state, because, total, figures }
}
