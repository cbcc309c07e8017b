//! How every function does, as far as it takes to say which come first. To add that up for thousands of functions takes a while, so it is told again
//! for some seconds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::{
    clock::monotonic,
    execution::Trigger,
    function::{FunctionName, Version},
    stats::{FunctionState, RunCounts, Steps, failed_share, minute_of},
    store::{StatsKey, StatsQuery, StatsScope, Store, StoreError},
};

/// The minutes by which the state of a function is judged.
const LAST_HOUR: i64 = 60;
/// How long a ranking is told again.
const TOLD_FOR: Duration = Duration::from_secs(5);
/// Rankings that are kept. The oldest goes: whoever asks for more waits for each.
const MOST: usize = 8;

/// What is ranked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankingQuery {
    /// Functions whose name begins so.
    pub prefix: String,
    /// Only runs that this asked for.
    pub trigger: Option<Trigger>,
    /// The time.
    pub steps: Steps,
    /// What has a rank.
    pub by: RankedBy,
}

/// What has a rank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RankedBy {
    /// Each function, with all its versions.
    #[default]
    Function,
    /// Each version that ran.
    Version,
}

/// How a function, or a version of it, does.
#[derive(Debug, Clone)]
pub struct Rank {
    /// In a word.
    pub state: FunctionState,
    /// Why it is in trouble, in a sentence.
    pub because: Option<String>,
    /// Which share of the last hour failed.
    pub failed_share: f64,
    /// Executions of the whole time.
    pub requests: u64,
    /// Those that were answered with 5xx.
    pub failed: u64,
    /// The time that 99 of 100 runs did not exceed, in microseconds; 0: nothing ran.
    pub p99_us: u64,
}

impl Rank {
    /// Of what nobody asked for.
    pub const IDLE: Self = Self { state: FunctionState::Idle, because: None, failed_share: 0.0, requests: 0, failed: 0, p99_us: 0 };
}

/// How each did that ran.
#[derive(Debug)]
pub struct Ranking {
    /// When it was made, in microseconds since 1970.
    pub as_of_us: i64,
    made: Instant,
    /// By name and version; no version: all of them.
    ranks: HashMap<(FunctionName, Option<Version>), Rank>,
}

impl Ranking {
    /// Returns how a function does.
    pub fn of(&self, function: &FunctionName) -> &Rank {
        self.ranks.get(&(function.clone(), None)).unwrap_or(&Rank::IDLE)
    }

    /// Returns the versions of functions, each with how it does.
    pub fn versions(&self) -> impl Iterator<Item = (&FunctionName, Version, &Rank)> {
        self.ranks.iter().filter_map(|((function, version), rank)| Some((function, (*version)?, rank)))
    }

    async fn read(store: &Store, query: &RankingQuery, now_us: i64) -> Result<Self, StoreError> {
        let RankingQuery { prefix, trigger, steps, by } = query;
        let last_hour = minute_of(now_us).min(steps.end()) - LAST_HOUR;
        let mut sums: HashMap<StatsKey, Sums> = HashMap::new();
        let minutes = steps.begin..steps.end();
        let query = StatsQuery { scope: StatsScope::Below(prefix.clone()), version: None, trigger: *trigger, minutes };
        let read = store.read_stats(&query, |key, minute, counts| sums.entry(key).or_default().part(minute >= last_hour).merge(counts));
        read.await?;
        let names = store.stats_names(sums.keys().copied()).await?;
        let mut named: HashMap<(FunctionName, Option<Version>), Sums> = HashMap::new();
        for (key, sums) in sums {
            if let Some((function, version)) = names.get(&key) {
                let version = (*by == RankedBy::Version).then_some(*version);
                named.entry((function.clone(), version)).or_default().merge(&sums);
            }
        }
        let ranks = named.into_iter().map(|(name, sums)| (name, sums.rank())).collect();
        Ok(Self { as_of_us: now_us, made: monotonic(), ranks })
    }
}

#[derive(Default)]
struct Sums {
    last_hour: RunCounts,
    before: RunCounts,
}

impl Sums {
    fn part(&mut self, is_last_hour: bool) -> &mut RunCounts {
        if is_last_hour { &mut self.last_hour } else { &mut self.before }
    }

    fn merge(&mut self, other: &Self) {
        self.last_hour.merge(&other.last_hour);
        self.before.merge(&other.before);
    }

    fn rank(mut self) -> Rank {
        let (state, because) = FunctionState::of(&self.last_hour, &self.before);
        let failed_share = failed_share(&self.last_hour);
        self.before.merge(&self.last_hour);
        let p99_us = self.before.durations.quantile_us(0.99).unwrap_or(0);
        Rank { state, because, failed_share, requests: self.before.requests(), failed: self.before.failed(), p99_us }
    }
}

/// Rankings that were made a moment ago.
#[derive(Debug, Default)]
pub struct Rankings(Mutex<Vec<(RankingQuery, Arc<Ranking>)>>);

impl Rankings {
    /// Returns a ranking that was made five seconds ago at most, and says when.
    pub async fn of(&self, store: &Store, query: RankingQuery, now_us: i64) -> Result<Arc<Ranking>, StoreError> {
        if let Some(known) = self.find(&query) {
            return Ok(known);
        }
        let ranking = Arc::new(Ranking::read(store, &query, now_us).await?);
        self.keep(query, ranking.clone());
        Ok(ranking)
    }

    fn keep(&self, query: RankingQuery, ranking: Arc<Ranking>) {
        let mut kept = self.0.lock().expect("nothing panics while it holds the rankings");
        kept.retain(|(known, _)| *known != query);
        kept.truncate(MOST - 1);
        kept.insert(0, (query, ranking));
    }

    fn find(&self, query: &RankingQuery) -> Option<Arc<Ranking>> {
        let mut kept = self.0.lock().expect("nothing panics while it holds the rankings");
        kept.retain(|(_, ranking)| ranking.made.elapsed() < TOLD_FOR);
        kept.iter().find(|(known, _)| known == query).map(|(_, ranking)| ranking.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(prefix: &str) -> RankingQuery {
        RankingQuery { prefix: prefix.into(), trigger: None, steps: Steps { begin: 0, length: 60, count: 24 }, by: RankedBy::Function }
    }

    fn made(ago: Duration) -> Arc<Ranking> {
        Arc::new(Ranking { as_of_us: 7, made: monotonic().checked_sub(ago).unwrap(), ranks: HashMap::new() })
    }

    #[test]
    fn a_ranking_is_told_again_until_it_is_old() {
        let rankings = Rankings::default();
        rankings.keep(query("a/"), made(Duration::ZERO));
        rankings.keep(query("b/"), made(TOLD_FOR));
        let found = [query("a/"), query("b/"), RankingQuery { by: RankedBy::Version, ..query("a/") }].map(|query| rankings.find(&query));
        assert_eq!(found.map(|ranking| ranking.map(|ranking| ranking.as_of_us)), [Some(7), None, None]);
    }

    #[test]
    fn of_too_many_rankings_the_oldest_goes() {
        let rankings = Rankings::default();
        (0..=MOST).for_each(|number| rankings.keep(query(&number.to_string()), made(Duration::ZERO)));
        rankings.keep(query("8"), made(Duration::ZERO));
        let kept: Vec<usize> = (0..=MOST).filter(|number| rankings.find(&query(&number.to_string())).is_some()).collect();
        assert_eq!(kept, (1..=MOST).collect::<Vec<_>>());
    }
}
