//! In which order functions are told of.

use std::cmp::{Ordering, Reverse};

use serde::Deserialize;

use super::figures::{Figures, StepFigures};
use crate::{
    api::stats::FunctionStats,
    clock::rfc3339,
    function::{FunctionName, Version},
    http::ranking::Rank,
    stats::Steps,
};

/// A function, or a version of it, with how it does.
#[derive(Debug, Clone)]
pub(super) struct FunctionEntry<'a> {
    pub function: &'a FunctionName,
    pub version: Version,
    pub rank: &'a Rank,
}

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
        let by = |number: fn(&Rank) -> u64| Reverse(number(one.rank)).cmp(&Reverse(number(other.rank)));
        let requests = |rank: &Rank| rank.requests;
        let first = match self {
            Self::Trouble => {
                let share = other.rank.failed_share.total_cmp(&one.rank.failed_share);
                one.rank.state.cmp(&other.rank.state).then(share).then_with(|| by(requests))
            }
            Self::Requests => by(requests),
            Self::Failed => by(|rank| rank.failed),
            Self::P99 => by(|rank| rank.p99_us),
            Self::Name => Ordering::Equal,
        };
        first.then_with(|| one.function.cmp(other.function)).then_with(|| one.version.cmp(&other.version))
    }
}

impl FunctionEntry<'_> {
    /// Tells it.
    pub(super) fn told(&self, figures: &Figures, steps: &Steps, version_since: Option<String>) -> FunctionStats {
        let steps = (0..steps.count).map(|step| figures.by_step.get(&step));
        let of = |number: fn(&StepFigures) -> u64| steps.clone().map(|step| step.map_or(0, number)).collect();
        FunctionStats {
            function: self.function.clone(),
            version: self.version,
            version_since,
            state: self.rank.state,
            because: self.rank.because.clone(),
            total: (&figures.total).into(),
            failed_share: self.rank.failed_share,
            requests: of(|step| step.requests),
            failed: of(|step| step.failed),
            p99_us: steps.clone().map(|step| step.and_then(|step| step.durations.quantile_us(0.99))).collect(),
            last_failure: (figures.total.last_failed_ms > 0).then(|| rfc3339(figures.total.last_failed_ms as i64 * 1_000)),
        }
    }
}
