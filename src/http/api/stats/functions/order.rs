//! In which order functions are told of.

use std::cmp::{Ordering, Reverse};

use serde::Deserialize;

use super::figures::{FunctionEntry, StepFigures};
use crate::{
    api::stats::FunctionStats,
    clock::rfc3339,
    stats::{Steps, failed_share},
};

/// What comes first.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// What needs somebody.
    #[default]
    Trouble,
    /// What is asked for most.
    Requests,
    /// What fails most often.
    Failed,
    /// What is slowest.
    P99,
    /// By name.
    Name,
}

impl Order {
    /// Compares two of them. Names decide between equals, so that pages follow each other.
    pub(super) fn compare(self, one: &FunctionEntry, other: &FunctionEntry) -> Ordering {
        let by = |number: fn(&FunctionEntry) -> u64| Reverse(number(one)).cmp(&Reverse(number(other)));
        let requests = |entry: &FunctionEntry| entry.total.requests();
        let first = match self {
            Self::Trouble => one.state.cmp(&other.state).then_with(|| share(other).total_cmp(&share(one))).then_with(|| by(requests)),
            Self::Requests => by(requests),
            Self::Failed => by(|entry| entry.total.failed()),
            Self::P99 => by(|entry| entry.total.durations.quantile_us(0.99).unwrap_or(0)),
            Self::Name => Ordering::Equal,
        };
        first.then_with(|| one.function.cmp(&other.function)).then_with(|| one.version.cmp(&other.version))
    }
}

fn share(entry: &FunctionEntry) -> f64 {
    failed_share(&entry.figures.last_hour)
}

impl FunctionEntry {
    /// Tells it.
    pub(super) fn told(self, steps: &Steps, version_since: Option<String>) -> FunctionStats {
        let Self { function, version, state, because, total, figures } = self;
        let steps = (0..steps.count).map(|step| figures.by_step.get(&step));
        let of = |number: fn(&StepFigures) -> u64| steps.clone().map(|step| step.map_or(0, number)).collect();
        FunctionStats {
            function,
            version,
            version_since,
            state,
            because,
            total: (&total).into(),
            failed_share: failed_share(&figures.last_hour),
            requests: of(|step| step.requests),
            failed: of(|step| step.failed),
            p99_us: steps.clone().map(|step| step.and_then(|step| step.durations.quantile_us(0.99))).collect(),
            last_failure: figures.last_failure.map(|minute| rfc3339(minute * 60_000_000)),
        }
    }
}
