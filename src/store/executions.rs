//! Executions: found by range. `append` writes them, `retention` forgets them.

use std::{pin::pin, time::Duration};

use futures_util::{Stream, TryStreamExt};
use serde::de::{Deserialize, IntoDeserializer, value::StrDeserializer};
use sqlx::{AssertSqlSafe, FromRow, Postgres, Sqlite};

use super::{
    ExecutionFilter, Store, StoreError,
    database::{Database, read},
    filter::says,
};
use crate::{
    clock::monotonic,
    deployment::DeploymentId,
    execution::{Execution, Failure, LogLevel, LogLine, Outcome, Trigger},
    function::FunctionName,
    id::{ExecutionId, first_id_at},
};

/// Executions, newest first, as far as was looked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// Those that are meant.
    pub executions: Vec<Execution>,
    /// What to ask for next: `before` of the filter. None: there is nothing older.
    pub next: Option<ExecutionId>,
}

/// Rows that a search looks through first, and the most at once; each time twice as many as the time before, or as many as the time that is
/// left should do for.
const LOOK: (i64, i64) = (2_000, 64_000);
/// With time for fewer rows than this a search ends.
const LEAST_LOOK: i64 = 500;
/// Bytes of a page after which it ends, however few its executions are: one may have logged a megabyte.
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

    /// Returns a page of executions. Where few of many are meant, it looks back part by part until the page is full or so much time has
    /// passed; the page then says where to go on, and may be short or empty.
    pub async fn search(&self, filter: &ExecutionFilter, budget: Duration) -> Result<Page, StoreError> {
        let Some(meant) = self.conditions(filter).await? else { return Ok(Page::default()) };
        let began = monotonic();
        let oldest = filter.since_us.map_or(0, first_id_at).max(filter.from.map_or(0, |from| from.0));
        let before = filter.before.map_or(i64::MAX, |before| before.0).min(filter.until_us.map_or(i64::MAX, first_id_at));
        // Nothing is searched for if every row is meant.
        let mut look = if meant.sql.is_empty() { i64::from(filter.limit) } else { LOOK.0 };
        let (mut page, mut newest) = (Page::default(), before - 1);
        let mut room = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        loop {
            let part_began = monotonic();
            let rest = self.row_after(meant.among, oldest, newest, look).await?;
            let from = rest.map_or(oldest, |rest| rest + 1);
            let part = self.select(&format!("id BETWEEN {from} AND {newest}{}{}", meant.among, meant.sql), &meant.texts, room).await?;
            let looked_to = part.ended_at.or(rest.map(|rest| rest + 1));
            page.executions
                .extend(part.executions.into_iter().filter(|execution| filter.text.as_ref().is_none_or(|text| says(execution, text))));
            page.next = looked_to.map(ExecutionId);
            room = filter.limit as usize - page.executions.len();
            let Some(looked_to) = looked_to else { return Ok(page) };
            let left = budget.saturating_sub(began.elapsed());
            look = next_look(look, part_began.elapsed(), left);
            if room == 0 || part.is_large || look < LEAST_LOOK {
                return Ok(page);
            }
            newest = looked_to - 1;
        }
    }

    /// Writes a filter in SQL; none if nothing can be meant.
    async fn conditions(&self, filter: &ExecutionFilter) -> Result<Option<Conditions>, StoreError> {
        let (mut sql, mut texts) = (String::new(), Vec::new());
        let is_trouble = filter.status.is_some_and(|status| *status.range().start() >= 400);
        let is_trouble = is_trouble || filter.outcome.is_some_and(|outcome| outcome != Outcome::Ok);
        // An expression has no index: the one that is meant is the partial one, however promising another that has these columns looks.
        let (status_column, outcome_column) = if is_trouble { ("(status + 0)", "(outcome + 0)") } else { ("status", "outcome") };
        if let Some(function) = &filter.function {
            let Some(key) = self.function_key(function).await? else { return Ok(None) };
            sql += &format!(" AND function_key = {key}");
        }
        if let Some(prefix) = &filter.prefix {
            texts.push(prefix.clone());
            let (length, number) = (prefix.chars().count(), texts.len());
            let is_one = format!("function_key IN (SELECT key FROM words WHERE substr(word, 1, {length}) = ${number})");
            sql += &match &self.database {
                // A condition and no join: one look at the words makes a set, and each row is looked up in it. A join may begin at the words.
                Database::Postgres { .. } => format!(" AND ({is_one}) IS TRUE"),
                Database::Sqlite { .. } => format!(" AND {is_one}"),
            };
        }
        if let Some(status) = filter.status {
            let range = status.range();
            sql += &format!(" AND {status_column} BETWEEN {} AND {}", range.start(), range.end());
        }
        if let Some(outcome) = filter.outcome {
            sql += &format!(" AND {outcome_column} = {}", outcome as i64);
        }
        match filter.trigger {
            None => {}
            Some(Trigger::Http) => sql += " AND invoked_by IS NULL",
            Some(trigger) => sql += &format!(" AND invoked_by = '{}'", trigger.as_str()),
        }
        if let Some(id) = &filter.request_id {
            texts.push(id.clone());
            let own = id.parse().map_or(-1, |ExecutionId(id)| id);
            sql += &format!(" AND (request_id = ${} OR (request_id IS NULL AND id = {own}))", texts.len());
        }
        if let Some(text) = &filter.text {
            // As it is within the JSON. What is found in other parts of that, `says` sorts out.
            let json = serde_json::Value::from(text.as_str()).to_string();
            texts.push(json[1..json.len() - 1].to_owned());
            let (position, number) = (self.position(), texts.len());
            sql += &format!(" AND ({position}(logs, ${number}) > 0 OR {position}(failure, ${number}) > 0)");
        }
        if filter.has_output {
            sql += " AND (logs IS NOT NULL OR logs_dropped > 0 OR failure IS NOT NULL)";
        }
        // The words of the partial index, or the databases would not see that it applies.
        let among = if is_trouble { " AND (status >= 400 OR outcome <> 0)" } else { "" };
        Ok(Some(Conditions { among, sql, texts }))
    }

    /// Returns the function that says where in a text another begins.
    fn position(&self) -> &'static str {
        match &self.database {
            Database::Postgres { .. } => "strpos",
            Database::Sqlite { .. } => "instr",
        }
    }

    /// Returns the newest row of a range that does not belong to the first so many of these. Each part is a range of so few rows that it does
    /// not matter how the database reads it: without statistics Postgres expects half a percent of all rows between any two ids, and may read
    /// and sort all that there are. Here it has one end only, and walks along the index.
    async fn row_after(&self, among: &str, oldest: i64, newest: i64, count: i64) -> Result<Option<i64>, StoreError> {
        let sql = format!("SELECT id FROM executions WHERE id <= {newest}{among} ORDER BY id DESC LIMIT 1 OFFSET {count}");
        let sql = AssertSqlSafe(sql);
        let row: Option<i64> = read!(self, pool => sqlx::query_scalar(sql).persistent(false).fetch_optional(pool))
            .map_err(StoreError::query("look through executions"))?;
        Ok(row.filter(|id| *id >= oldest))
    }

    /// Returns one execution.
    pub async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        Ok(self.select(&format!("id = {}", id.0), &[], 1).await?.executions.pop())
    }

    /// Reads executions, newest first, with the names behind their numbers.
    ///
    /// Numbers stand in the SQL, which is made of nothing that somebody sent. Bound parameters would need a condition for every filter, asked
    /// for or not, and without statistics Postgres then expects no row at all and sorts the whole table. In SQLite the inner statement finds what
    /// is meant by an index that has no logs in it.
    async fn select(&self, condition: &str, texts: &[String], limit: usize) -> Result<Part, StoreError> {
        let found = format!("FROM executions WHERE {condition} ORDER BY id DESC LIMIT {limit}");
        let rows = match &self.database {
            // Asked for ids only, Postgres may join the whole table with them.
            Database::Postgres { .. } => format!("(SELECT * {found})"),
            Database::Sqlite { .. } => format!("(SELECT * FROM executions WHERE id IN (SELECT id {found}))"),
        };
        let sql = AssertSqlSafe(format!(
            "SELECT e.id, f.word AS function, v.word AS version, e.deployment, e.invoked_by, e.request_id, e.method, e.path, e.status,
                    e.outcome, e.duration_us, e.operations, e.peak_memory_bytes, e.logs, e.logs_dropped, e.failure, e.replay_of
             FROM {rows} AS e
             LEFT JOIN words AS f ON f.key = e.function_key
             LEFT JOIN words AS v ON v.key = e.version_key
             ORDER BY e.id DESC"
        ));
        match &self.database {
            Database::Postgres { readers, .. } => {
                let query = sqlx::query_as::<Postgres, ExecutionRow>(sql).persistent(false);
                Part::read(texts.iter().fold(query, |query, text| query.bind(text.clone())).fetch(readers), limit).await
            }
            Database::Sqlite { readers, .. } => {
                let query = sqlx::query_as::<Sqlite, ExecutionRow>(sql).persistent(false);
                Part::read(texts.iter().fold(query, |query, text| query.bind(text.clone())).fetch(readers), limit).await
            }
        }
    }
}

/// Returns how many rows to look through next, where so many took such a time.
fn next_look(look: i64, took: Duration, left: Duration) -> i64 {
    let in_time = look as f64 * left.as_secs_f64() / took.as_secs_f64().max(1e-6);
    (in_time as i64).min(look * 2).min(LOOK.1)
}

/// What a filter says, in SQL.
struct Conditions {
    /// Which rows are looked through: all, or those of the index of troubles.
    among: &'static str,
    /// Which of them are meant; empty: all.
    sql: String,
    /// The parameters.
    texts: Vec<String>,
}

/// What one statement found.
struct Part {
    executions: Vec<Execution>,
    /// The last row that was read, if there may be more behind it.
    ended_at: Option<i64>,
    /// It ended because it grew large.
    is_large: bool,
}

impl Part {
    async fn read(rows: impl Stream<Item = sqlx::Result<ExecutionRow>>, limit: usize) -> Result<Self, StoreError> {
        let mut rows = pin!(rows);
        let (mut executions, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.try_next().await.map_err(StoreError::query("read executions"))? {
            bytes += [&row.logs, &row.failure].into_iter().flatten().map(String::len).sum::<usize>() + row.path.len();
            executions.push(Execution::try_from(row)?);
            if bytes >= PAGE_BYTES {
                break;
            }
        }
        let is_large = bytes >= PAGE_BYTES;
        let ended_at = executions.last().map(|last| last.id.0).filter(|_| is_large || executions.len() >= limit);
        Ok(Self { executions, ended_at, is_large })
    }
}

#[derive(FromRow)]
struct ExecutionRow {
    id: i64,
    function: Option<String>,
    version: Option<String>,
    deployment: i64,
    invoked_by: Option<String>,
    request_id: Option<String>,
    method: Option<String>,
    path: String,
    status: i64,
    outcome: i64,
    duration_us: i64,
    operations: i64,
    peak_memory_bytes: i64,
    logs: Option<String>,
    logs_dropped: i64,
    failure: Option<String>,
    replay_of: Option<i64>,
}

impl TryFrom<ExecutionRow> for Execution {
    type Error = StoreError;

    fn try_from(row: ExecutionRow) -> Result<Self, StoreError> {
        let id = ExecutionId(row.id);
        let bad = |reason: &dyn ToString| StoreError::bad_row("executions", id, reason.to_string());
        let (Some(function), Some(version)) = (row.function, row.version) else {
            return Err(bad(&"its function or version is not in `words`"));
        };
        let invoked_by: Option<StrDeserializer<serde::de::value::Error>> = row.invoked_by.as_deref().map(|word| word.into_deserializer());
        let logs: Vec<(u64, LogLevel, String)> = match &row.logs {
            Some(logs) => serde_json::from_str(logs).map_err(|error| bad(&error))?,
            None => Vec::new(),
        };
        let failure: Option<Failure> = row.failure.as_deref().map(serde_json::from_str).transpose().map_err(|error| bad(&error))?;
        Ok(Self {
            id,
            function: FunctionName::new(function),
            version: version.parse().map_err(|error| bad(&error))?,
            deployment: DeploymentId(row.deployment),
            trigger: invoked_by.map_or(Ok(Trigger::Http), Trigger::deserialize).map_err(|error| bad(&error))?,
            replay_of: row.replay_of.map(ExecutionId),
            request_id: row.request_id,
            method: row.method.unwrap_or_else(|| "GET".into()).into(),
            path: row.path.into(),
            status: u16::try_from(row.status).map_err(|error| bad(&error))?,
            outcome: usize::try_from(row.outcome)
                .ok()
                .and_then(|number| Outcome::ALL.get(number).copied())
                .ok_or_else(|| bad(&"unknown outcome"))?,
            duration_us: row.duration_us.unsigned_abs(),
            operations: row.operations.unsigned_abs(),
            peak_memory_bytes: row.peak_memory_bytes.unsigned_abs(),
            logs: logs.into_iter().map(|(at_us, level, message)| LogLine { at_us, level, message }).collect(),
            logs_dropped: u32::try_from(row.logs_dropped).map_err(|error| bad(&error))?,
            failure,
            capture: None,
        })
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
