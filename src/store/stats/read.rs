//! Reads counts.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
};

use futures_util::TryStreamExt as _;
use sqlx::AssertSqlSafe;

use super::rows::{ALL, Span, StatsRow, decoded};
use crate::{
    execution::Trigger,
    function::{FunctionName, Version},
    stats::{DAY, RunCounts},
    store::{Store, StoreError, columns::columns, database::read},
};

/// Whose counts are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatsScope {
    /// Those of the whole node.
    Node,
    /// Those of a function.
    Function(FunctionName),
    /// Those of each of these functions.
    Among(Vec<FunctionName>),
    /// Those of each function whose name begins so.
    Below(String),
}

/// Which counts are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsQuery {
    /// Whose.
    pub scope: StatsScope,
    /// Only those of this version.
    pub version: Option<Version>,
    /// Only those of runs that this asked for. None: of all but trials.
    pub trigger: Option<Trigger>,
    /// Those of these minutes since 1970.
    pub minutes: Range<i64>,
}

/// A version of a function, by the numbers of their names. [`Store::stats_names`] tells the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatsKey {
    function: i64,
    version: i64,
}

impl Store {
    /// Gives counts to `each`, in no particular order, each with its minute. What is not new is counted by ten minutes or by the hour, and has the
    /// minute in which that begins.
    pub async fn read_stats(&self, query: &StatsQuery, mut each: impl FnMut(StatsKey, i64, &RunCounts)) -> Result<(), StoreError> {
        let StatsQuery { scope, version, trigger, minutes } = query;
        let Some(condition) = self.stats_condition(scope, *version).await? else { return Ok(()) };
        let days = Some(days(scope, minutes));
        for range in [self.minutes(scope, minutes).await?, days].into_iter().flatten() {
            let sql = AssertSqlSafe(format!("SELECT {} FROM stats WHERE {range} AND {condition}", columns!(stats)));
            read!(self, pool => async {
                let mut rows = sqlx::query_as::<_, StatsRow>(sql).persistent(false).fetch(pool);
                while let Some((_, start, function, version, _, series)) = rows.try_next().await? {
                    for (point, counts) in decoded(&series).points() {
                        let minute = start + i64::from(point.minute);
                        let counts_here = match trigger {
                            Some(_) => point.trigger == *trigger,
                            None => !point.trigger.is_some_and(Trigger::is_trial),
                        };
                        if counts_here && minutes.contains(&minute) {
                            each(StatsKey { function, version }, minute, counts);
                        }
                    }
                }
                Ok(())
            })
            .map_err(StoreError::query("read counts"))?;
        }
        Ok(())
    }

    /// Returns the names behind numbers. What has none any more is left out.
    pub async fn stats_names(
        &self,
        keys: impl Iterator<Item = StatsKey>,
    ) -> Result<HashMap<StatsKey, (FunctionName, Version)>, StoreError> {
        let keys: BTreeSet<StatsKey> = keys.collect();
        let words = self.words_of(&keys.iter().flat_map(|key| [key.function, key.version]).collect()).await?;
        let named = |key: StatsKey| {
            let version = words.get(&key.version)?.parse().ok()?;
            Some((key, (FunctionName::new(words.get(&key.function)?.as_str()), version)))
        };
        Ok(keys.into_iter().filter_map(named).collect())
    }

    /// Writes the condition on rows of a scope. None: it has no rows.
    async fn stats_condition(&self, scope: &StatsScope, version: Option<Version>) -> Result<Option<String>, StoreError> {
        let mut condition = match scope {
            StatsScope::Node if version.is_none() => format!("function_key = {ALL}"),
            StatsScope::Node => format!("function_key <> {ALL}"),
            StatsScope::Function(function) => match self.word_key(function.as_str()).await? {
                Some(key) => format!("function_key = {key}"),
                None => return Ok(None),
            },
            StatsScope::Among(functions) => match self.word_keys(functions).await? {
                keys if keys.is_empty() => return Ok(None),
                keys => format!("function_key IN ({})", list(keys)),
            },
            StatsScope::Below(begin) if begin.is_empty() => format!("function_key <> {ALL}"),
            StatsScope::Below(begin) => match self.word_keys_below(begin).await? {
                keys if keys.is_empty() => return Ok(None),
                keys => format!("function_key IN ({})", list(keys)),
            },
        };
        if let Some(version) = version {
            let Some(key) = self.word_key(&version.to_string()).await? else { return Ok(None) };
            condition += &format!(" AND version_key = {key}");
        }
        Ok(Some(condition))
    }

    /// Writes the condition on rows of minutes. Those of some functions are sought one by one, because rows of others are between them.
    async fn minutes(&self, scope: &StatsScope, Range { start, end }: &Range<i64>) -> Result<Option<String>, StoreError> {
        let first: Option<i64> = read!(self, pool => sqlx::query_scalar(
            "SELECT MIN(start_min) FROM stats WHERE span = 0 AND start_min >= $1 AND start_min < $2",
        )
        .bind(start)
        .bind(end)
        .fetch_one(pool))
        .map_err(StoreError::query("read counts"))?;
        let Some(first) = first else { return Ok(None) };
        let minutes = match scope {
            StatsScope::Below(_) => format!("start_min >= {first} AND start_min < {end}"),
            StatsScope::Node | StatsScope::Function(_) | StatsScope::Among(_) => format!("start_min IN ({})", list(first..*end)),
        };
        Ok(Some(format!("span = {} AND {minutes}", Span::Minute as i64)))
    }
}

/// Writes the condition on rows of days. Those of some functions are sought one by one, too.
fn days(scope: &StatsScope, Range { start, end }: &Range<i64>) -> String {
    let spans = format!("span IN ({},{})", Span::DayByTen as i64, Span::DayByHour as i64);
    match scope {
        StatsScope::Below(_) => format!("{spans} AND start_min > {} AND start_min < {end}", start - DAY),
        StatsScope::Node | StatsScope::Function(_) | StatsScope::Among(_) => {
            let first = start.div_euclid(DAY);
            format!("{spans} AND start_min IN ({})", list((first..=(end - 1).div_euclid(DAY)).map(|day| day * DAY)))
        }
    }
}

fn list(numbers: impl IntoIterator<Item = i64>) -> String {
    numbers.into_iter().map(|number| number.to_string()).collect::<Vec<_>>().join(",")
}
