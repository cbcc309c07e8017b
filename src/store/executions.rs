//! Executions: found by range, forgotten by age and count. `append` writes them.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use serde::de::{Deserialize, IntoDeserializer, value::StrDeserializer};
use sqlx::FromRow;

use super::{Database, Store, StoreError, append::signed, read};
use crate::{
    clock::{ExecutionId, first_id_at},
    deployment::DeploymentId,
    execution::{Execution, Failure, LogLevel, LogLine, Outcome, Trigger},
    function::FunctionName,
};

/// Which executions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Only of this function.
    pub function: Option<FunctionName>,
    /// Only with such a status.
    pub status: Option<StatusFilter>,
    /// Only those that ended so.
    pub outcome: Option<Outcome>,
    /// Only those asked for at this time or later, in microseconds since 1970.
    pub since_us: Option<i64>,
    /// Only those that logged something or failed.
    pub has_output: bool,
    /// Only older ones than this, for the next page.
    pub before: Option<ExecutionId>,
    /// At most so many.
    pub limit: u32,
}

/// One HTTP status, or a class of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    /// `404`
    Exactly(u16),
    /// `5xx`: the hundreds.
    Class(u16),
}

/// A text that should be a status and is none.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a status: a number from 100 to 999 or a class such as `5xx`")]
pub struct NotAStatus(String);

impl FromStr for StatusFilter {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        let filter = match text.to_ascii_lowercase().strip_suffix("xx") {
            Some(class) => class.parse().map(Self::Class),
            None => text.parse().map(Self::Exactly),
        };
        let is_status = |filter: &Self| (100..=999).contains(filter.range().start());
        filter.ok().filter(is_status).ok_or_else(|| NotAStatus(text.into()))
    }
}

impl fmt::Display for StatusFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(status) => write!(f, "{status}"),
            Self::Class(class) => write!(f, "{class}xx"),
        }
    }
}

impl StatusFilter {
    fn range(self) -> RangeInclusive<i64> {
        match self {
            Self::Exactly(status) => status.into()..=status.into(),
            Self::Class(class) => i64::from(class) * 100..=i64::from(class) * 100 + 99,
        }
    }
}

/// Rows that one statement removes, so that a big clean-up lets writers in between.
const PRUNE_SLICE: i64 = 5_000;

impl Store {
    /// Returns executions, newest first.
    pub async fn executions(&self, filter: &ExecutionFilter) -> Result<Vec<Execution>, StoreError> {
        let oldest = filter.since_us.map_or(0, first_id_at);
        let newest = filter.before.map_or(i64::MAX, |before| before.0 - 1);
        let mut condition = format!("id BETWEEN {oldest} AND {newest}");
        if let Some(function) = &filter.function {
            let Some(key) = self.function_key(function).await? else { return Ok(Vec::new()) };
            condition += &format!(" AND function_key = {key}");
        }
        if let Some(status) = filter.status {
            let range = status.range();
            condition += &format!(" AND status BETWEEN {} AND {}", range.start(), range.end());
        }
        if let Some(outcome) = filter.outcome {
            condition += &format!(" AND outcome = {}", outcome as i64);
        }
        if filter.has_output {
            condition += " AND (logs IS NOT NULL OR logs_dropped > 0 OR failure IS NOT NULL)";
        }
        let is_trouble = filter.status.is_some_and(|status| *status.range().start() >= 400);
        if is_trouble || filter.outcome.is_some_and(|outcome| outcome != Outcome::Ok) {
            // The words of the partial index, or the databases would not see that it applies.
            condition += " AND (status >= 400 OR outcome <> 0)";
        }
        self.select(&condition, filter.limit).await
    }

    /// Returns one execution.
    pub async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        Ok(self.select(&format!("id = {}", id.0), 1).await?.pop())
    }

    /// Reads executions, newest first, with the names behind their numbers.
    ///
    /// The conditions hold numbers of ours and no text, so they may stand in the SQL. Bound parameters would need a condition for every
    /// filter, asked for or not, and without statistics Postgres then expects no row at all and sorts the whole table.
    async fn select(&self, condition: &str, limit: u32) -> Result<Vec<Execution>, StoreError> {
        let sql = format!(
            "SELECT e.id, f.word AS function, v.word AS version, e.deployment, e.invoked_by, e.request_id, e.method, e.path, e.status,
                    e.outcome, e.duration_us, e.operations, e.peak_memory_bytes, e.logs, e.logs_dropped, e.failure
             FROM (SELECT * FROM executions WHERE {condition} ORDER BY id DESC LIMIT {limit}) AS e
             LEFT JOIN words AS f ON f.key = e.function_key
             LEFT JOIN words AS v ON v.key = e.version_key
             ORDER BY e.id DESC"
        );
        let sql = sqlx::AssertSqlSafe(sql);
        let rows: Vec<ExecutionRow> =
            read!(self, pool => sqlx::query_as(sql).persistent(false).fetch_all(pool)).map_err(StoreError::query("read executions"))?;
        rows.into_iter().map(Execution::try_from).collect()
    }

    /// Removes executions asked for before this time (microseconds since 1970), and the oldest beyond so many. Returns how many went.
    pub async fn prune_executions(&self, before_us: i64, max_count: u64) -> Result<u64, StoreError> {
        let too_many: Option<i64> = read!(self, pool => sqlx::query_scalar("SELECT id FROM executions ORDER BY id DESC LIMIT 1 OFFSET $1")
                .bind(signed(max_count))
                .fetch_optional(pool))
        .map_err(StoreError::query("count executions"))?;
        let keep_from = first_id_at(before_us).max(too_many.map_or(0, |id| id + 1));
        let mut removed = 0;
        loop {
            let sql = "DELETE FROM executions
                       WHERE id IN (SELECT id FROM executions WHERE id < $1 ORDER BY id LIMIT $2)";
            let slice = match &self.database {
                Database::Postgres(pool) => {
                    sqlx::query(sql).bind(keep_from).bind(PRUNE_SLICE).execute(pool).await.map(|done| done.rows_affected())
                }
                Database::Sqlite { writer, .. } => {
                    sqlx::query(sql).bind(keep_from).bind(PRUNE_SLICE).execute(writer).await.map(|done| done.rows_affected())
                }
            }
            .map_err(StoreError::query("remove old executions"))?;
            removed += slice;
            if slice < PRUNE_SLICE as u64 {
                return Ok(removed);
            }
        }
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
            request_id: row.request_id,
            method: row.method.unwrap_or_else(|| "GET".into()),
            path: row.path,
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
        })
    }
}
