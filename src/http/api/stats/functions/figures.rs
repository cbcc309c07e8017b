//! Reads the figures of the functions on a page.

use std::collections::{BTreeSet, HashMap};

use crate::{
    execution::Trigger,
    function::{FunctionName, Version},
    stats::{Histogram, RunCounts, Steps},
    store::{StatsKey, StatsQuery, StatsScope, Store, StoreError},
};

/// What the executions of a function came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    /// The whole time.
    pub total: RunCounts,
    /// Step by step, those that ran.
    pub by_step: HashMap<usize, StepFigures>,
}

/// What they came to in one step.
#[derive(Debug, Clone, Default)]
pub(super) struct StepFigures {
    pub requests: u64,
    pub failed: u64,
    pub durations: Histogram,
}

/// The figures of some functions, by version.
pub(super) struct FigureTable(HashMap<(FunctionName, Version), Figures>);

impl FigureTable {
    /// Reads them.
    pub(super) async fn read(
        store: &Store,
        functions: BTreeSet<&FunctionName>,
        trigger: Option<Trigger>,
        steps: &Steps,
    ) -> Result<Self, StoreError> {
        let mut all: HashMap<StatsKey, Figures> = HashMap::new();
        let query = StatsQuery {
            scope: StatsScope::Among(functions.into_iter().cloned().collect()),
            version: None,
            trigger,
            minutes: steps.begin..steps.end(),
        };
        let read = store.read_stats(&query, |key, minute, counts| all.entry(key).or_default().add(steps, minute, counts));
        read.await?;
        let names = store.stats_names(all.keys().copied()).await?;
        Ok(Self(all.into_iter().filter_map(|(key, figures)| Some((names.get(&key)?.clone(), figures))).collect()))
    }

    /// Returns those of a version of a function.
    pub(super) fn of_version(&self, function: &FunctionName, version: Version) -> Figures {
        self.0.get(&(function.clone(), version)).cloned().unwrap_or_default()
    }

    /// Returns those of a function, with all its versions.
    pub(super) fn of_function(&self, function: &FunctionName) -> Figures {
        let mut sum = Figures::default();
        self.0.iter().filter(|((name, _), _)| name == function).for_each(|(_, figures)| sum.merge(figures));
        sum
    }
}

impl Figures {
    fn add(&mut self, steps: &Steps, minute: i64, counts: &RunCounts) {
        self.total.merge(counts);
        if let Some(step) = steps.step_of(minute) {
            let step = self.by_step.entry(step).or_default();
            step.requests += counts.requests();
            step.failed += counts.failed();
            step.durations.merge(&counts.durations);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.total.merge(&other.total);
        for (at, more) in &other.by_step {
            let step = self.by_step.entry(*at).or_default();
            step.requests += more.requests;
            step.failed += more.failed;
            step.durations.merge(&more.durations);
        }
    }
}
