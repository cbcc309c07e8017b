//! Finds executions, newest first.

use std::{ops::RangeInclusive, pin::pin, time::Duration};

use futures_util::{Stream, TryStreamExt};
use sqlx::{AssertSqlSafe, Postgres, Sqlite};

use super::{direction::Direction, row::NamedRow};
use crate::{
    clock::monotonic,
    execution::Execution,
    id::{ExecutionId, first_id_at},
    store::{
        ExecutionFilter, Store, StoreError,
        columns::columns,
        database::{Database, read},
        filter::contains_text,
    },
};

/// Executions, newest first, of the part that was looked through.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The executions that match.
    pub executions: Vec<Execution>,
    /// The `before` of the filter for the next page, or its `after` if it has one. None: there is nothing beyond.
    pub next: Option<ExecutionId>,
}

/// Rows of the first part of a search, and of the largest.
///
/// Each part has twice as many rows as the part before, or as many as the remaining time should be enough for.
const LOOK: (i64, i64) = (2_000, 64_000);
/// A search ends when the remaining time is enough for fewer rows than this.
const LEAST_LOOK: i64 = 500;
/// A page ends after this many bytes, however few executions it has: one execution may have logged a megabyte.
const PAGE_BYTES: usize = 2 << 20;

impl Store {
    /// Returns executions, newest first, however long it takes.
    pub async fn executions(&self, filter: &ExecutionFilter) -> Result<Vec<Execution>, StoreError> {
        let mut filter = filter.clone();
        let mut found = Vec::new();
        loop {
            let page = self.search(&filter, Duration::MAX).await?;
            filter.limit -= page.executions.len() as u32;
            found.extend(page.executions);
            match page.next {
                Some(_) if filter.limit > 0 => filter.before = page.next,
                _ => return Ok(found),
            }
        }
    }

    /// Returns a page of executions.
    ///
    /// A search looks back part by part, until the page is full or the time budget is used. Where few of many executions match, the page may be
    /// short or empty; it says where to go on. With `after` it looks forward, from there on.
    pub async fn search(&self, filter: &ExecutionFilter, budget: Duration) -> Result<Page, StoreError> {
        let Some(conditions) = self.conditions(filter).await? else { return Ok(Page::default()) };
        let began = monotonic();
        let direction = if filter.after.is_some() { Direction::Forward } else { Direction::Back };
        let mut range = range(filter);
        // If every row matches, the first part fills the page.
        let mut look = if conditions.sql.is_empty() { i64::from(filter.limit) } else { LOOK.0 };
        let mut page = Page::default();
        let mut room = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        loop {
            let part_began = monotonic();
            let rest = self.row_after(conditions.among, direction, &range, look).await?;
            let (from, to) = direction.part(&range, rest).into_inner();
            let part = format!("id BETWEEN {from} AND {to}{}{}", conditions.among, conditions.sql);
            let part = self.select(&part, direction, &conditions.texts, room).await?;
            let looked_to = part.ended_at.or(rest.map(|rest| direction.back_from(rest)));
            page.executions.extend(
                part.executions.into_iter().filter(|execution| filter.text.as_ref().is_none_or(|text| contains_text(execution, text))),
            );
            page.next = looked_to.map(ExecutionId);
            room = filter.limit as usize - page.executions.len();
            let Some(looked_to) = looked_to else {
                direction.newest_first(&mut page.executions);
                return Ok(page);
            };
            let left = budget.saturating_sub(began.elapsed());
            look = next_look(look, part_began.elapsed(), left);
            if room == 0 || part.is_large || look < LEAST_LOOK {
                direction.newest_first(&mut page.executions);
                return Ok(page);
            }
            range = direction.rest(&range, looked_to);
        }
    }

    /// Returns the id of the row that comes after the first `count` rows of a range, in this direction.
    ///
    /// It splits a search into parts of few rows, so that it does not matter how the database reads a part. Without statistics, Postgres expects
    /// half a percent of all rows between any two ids, and may read and sort the whole table. This query has no other end, so Postgres walks
    /// along the index.
    async fn row_after(
        &self,
        among: &str,
        direction: Direction,
        range: &RangeInclusive<i64>,
        count: i64,
    ) -> Result<Option<i64>, StoreError> {
        let (begin, order) = (direction.beginning(range), direction.order());
        let sql = format!("SELECT id FROM executions WHERE {begin}{among} ORDER BY id {order} LIMIT 1 OFFSET {count}");
        let sql = AssertSqlSafe(sql);
        let row: Option<i64> = read!(self, pool => sqlx::query_scalar(sql).persistent(false).fetch_optional(pool))
            .map_err(StoreError::query("look through executions"))?;
        Ok(row.filter(|id| range.contains(id)))
    }

    /// Returns one execution.
    pub async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        Ok(self.select(&format!("id = {}", id.0), Direction::Back, &[], 1).await?.executions.pop())
    }

    /// Reads executions in this direction, with the words behind their numbers.
    ///
    /// Numbers stand in the SQL itself; nothing of that text comes from a caller. Bound numbers would need a condition for every filter, used or
    /// not. Without statistics, Postgres then expects no row at all and sorts the whole table.
    ///
    /// In SQLite the inner statement finds the rows by an index that has no logs in it.
    async fn select(&self, condition: &str, direction: Direction, texts: &[String], limit: usize) -> Result<Part, StoreError> {
        let order = direction.order();
        let found = format!("FROM executions WHERE {condition} ORDER BY id {order} LIMIT {limit}");
        let rows = match &self.database {
            // If the inner statement returned ids only, Postgres might join the whole table with them.
            Database::Postgres { .. } => format!("(SELECT * {found})"),
            Database::Sqlite { .. } => format!("(SELECT * FROM executions WHERE id IN (SELECT id {found}))"),
        };
        let sql = AssertSqlSafe(format!(
            "SELECT {}, functions.word AS function, versions.word AS version,
                 EXISTS (SELECT 1 FROM captures WHERE captures.id = executions.id) AS captured
             FROM {rows} AS executions
             LEFT JOIN words AS functions ON functions.key = function_key
             LEFT JOIN words AS versions ON versions.key = version_key
             ORDER BY id {order}",
            columns!(executions)
        ));
        match &self.database {
            Database::Postgres { readers, .. } => {
                let query = sqlx::query_as::<Postgres, NamedRow>(sql).persistent(false);
                Part::read(texts.iter().fold(query, |query, text| query.bind(text.clone())).fetch(readers), limit).await
            }
            Database::Sqlite { readers, .. } => {
                let query = sqlx::query_as::<Sqlite, NamedRow>(sql).persistent(false);
                Part::read(texts.iter().fold(query, |query, text| query.bind(text.clone())).fetch(readers), limit).await
            }
        }
    }
}

/// Returns the ids that a filter leaves, by its bounds in time.
fn range(filter: &ExecutionFilter) -> RangeInclusive<i64> {
    let after = filter.after.map_or(0, |after| after.0.saturating_add(1));
    // What ran on a deployment began after it was decided.
    let lowest = [after, filter.from.map_or(0, |from| from.0), filter.deployment.map_or(0, |deployment| deployment.0)];
    let oldest = lowest.into_iter().fold(filter.since_us.map_or(0, first_id_at), i64::max);
    let before = filter.before.map_or(i64::MAX, |before| before.0).min(filter.until_us.map_or(i64::MAX, first_id_at));
    oldest..=before - 1
}

/// Returns how many rows to look through next, if `look` rows `took` this time and this time is `left`.
fn next_look(look: i64, took: Duration, left: Duration) -> i64 {
    let in_time = look as f64 * left.as_secs_f64() / took.as_secs_f64().max(1e-6);
    (in_time as i64).min(look * 2).min(LOOK.1)
}

/// What one statement found.
struct Part {
    executions: Vec<Execution>,
    /// The last row that was read, if there may be more beyond it.
    ended_at: Option<i64>,
    /// It ended because it grew large.
    is_large: bool,
}

impl Part {
    async fn read(rows: impl Stream<Item = sqlx::Result<NamedRow>>, limit: usize) -> Result<Self, StoreError> {
        let mut rows = pin!(rows);
        let (mut executions, mut bytes) = (Vec::new(), 0);
        while let Some(named) = rows.try_next().await.map_err(StoreError::query("read executions"))? {
            let texts = [&named.row.logs, &named.row.failure, &named.row.effects];
            bytes += texts.into_iter().flatten().map(String::len).sum::<usize>() + named.row.path.len();
            executions.push(Execution::try_from(named)?);
            if bytes >= PAGE_BYTES {
                break;
            }
        }
        let is_large = bytes >= PAGE_BYTES;
        let ended_at = executions.last().map(|last| last.id.0).filter(|_| is_large || executions.len() >= limit);
        Ok(Self { executions, ended_at, is_large })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_as_large_as_the_time_that_is_left_should_do_for() {
        let ms = Duration::from_millis;
        for (look, took, left, next) in [
            (2_000, ms(1), ms(11), 4_000),
            (2_000, ms(4), ms(8), 4_000),
            (2_000, ms(8), ms(4), 1_000),
            (2_000, ms(20), ms(0), 0),
            (50_000, ms(1), ms(11), LOOK.1),
            (2_000, Duration::ZERO, Duration::MAX, 4_000),
            (LOOK.1, Duration::MAX, Duration::MAX, LOOK.1),
        ] {
            assert_eq!(next_look(look, took, left), next, "{look} {took:?} {left:?}");
        }
    }
}
