//! Executions: appended in batches at a few microseconds a row, found by range, forgotten by age and count.

use std::{fmt, ops::RangeInclusive, str::FromStr, sync::LazyLock};

use serde::de::{Deserialize, IntoDeserializer, value::StrDeserializer};
use sqlx::{FromRow, PgPool, Sqlite, SqlitePool, query::Query, sqlite::SqliteArguments};

use super::{Database, Store, StoreError, read, words::Keys};
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

/// Reads executions with the names behind their numbers.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT e.id, f.word AS function, v.word AS version, e.deployment, e.invoked_by, e.request_id, e.method, e.path, e.status,
                    e.outcome, e.duration_us, e.operations, e.peak_memory_bytes, e.logs, e.logs_dropped, e.failure
             FROM executions AS e
             LEFT JOIN words AS f ON f.key = e.function_key
             LEFT JOIN words AS v ON v.key = e.version_key ",
            $rest
        )
    };
}

/// Rows that one statement removes, so that a big clean-up lets writers in between.
const PRUNE_SLICE: i64 = 5_000;

impl Store {
    /// Appends executions. Those that are there already (by id) stay as they are.
    pub async fn append_executions(&self, executions: &[Execution]) -> Result<(), StoreError> {
        let appended = self.append(executions).await;
        if appended.is_err() {
            self.forget_keys();
        }
        appended
    }

    async fn append(&self, executions: &[Execution]) -> Result<(), StoreError> {
        let keys = self.keys_of(executions).await?;
        let rows: Vec<Row> = executions.iter().filter_map(|execution| Row::of(execution, &keys)).collect();
        match &self.database {
            Database::Postgres(pool) => append_to_postgres(pool, &rows).await,
            Database::Sqlite { writer, .. } => append_to_sqlite(writer, rows).await,
        }
        .map_err(StoreError::query("record executions"))
    }

    /// Returns executions, newest first.
    pub async fn executions(&self, filter: &ExecutionFilter) -> Result<Vec<Execution>, StoreError> {
        let Some(functions) = self.function_keys(filter.function.as_ref()).await? else { return Ok(Vec::new()) };
        let statuses = filter.status.map_or(0..=i64::MAX, StatusFilter::range);
        let outcomes = filter.outcome.map_or(0..=i64::MAX, |outcome| outcome as i64..=outcome as i64);
        // The condition of the partial index in so many words, or the databases would not see that it applies.
        let sql = if *statuses.start() >= 400 || *outcomes.start() > 0 {
            select!(
                "WHERE e.id BETWEEN $1 AND $2 AND e.function_key BETWEEN $3 AND $4 AND e.status BETWEEN $5 AND $6
                 AND e.outcome BETWEEN $7 AND $8 AND (e.status >= 400 OR e.outcome <> 0)
                 ORDER BY e.id DESC LIMIT $9"
            )
        } else {
            select!(
                "WHERE e.id BETWEEN $1 AND $2 AND e.function_key BETWEEN $3 AND $4 AND e.status BETWEEN $5 AND $6
                 AND e.outcome BETWEEN $7 AND $8
                 ORDER BY e.id DESC LIMIT $9"
            )
        };
        let rows: Vec<ExecutionRow> = read!(self, pool => sqlx::query_as(sql)
            .bind(filter.since_us.map_or(0, first_id_at))
            .bind(filter.before.map_or(i64::MAX, |before| before.0 - 1))
            .bind(*functions.start())
            .bind(*functions.end())
            .bind(*statuses.start())
            .bind(*statuses.end())
            .bind(*outcomes.start())
            .bind(*outcomes.end())
            .bind(i64::from(filter.limit))
            .fetch_all(pool))
        .map_err(StoreError::query("read executions"))?;
        rows.into_iter().map(Execution::try_from).collect()
    }

    /// Returns executions later than `id`, oldest first, of one function or of all.
    pub async fn executions_after(
        &self,
        id: ExecutionId,
        function: Option<&FunctionName>,
        limit: u32,
    ) -> Result<Vec<Execution>, StoreError> {
        let Some(functions) = self.function_keys(function).await? else { return Ok(Vec::new()) };
        let sql = select!("WHERE e.id > $1 AND e.function_key BETWEEN $2 AND $3 ORDER BY e.id LIMIT $4");
        let rows: Vec<ExecutionRow> = read!(self, pool => sqlx::query_as(sql)
            .bind(id.0)
            .bind(*functions.start())
            .bind(*functions.end())
            .bind(i64::from(limit))
            .fetch_all(pool))
        .map_err(StoreError::query("read executions"))?;
        rows.into_iter().map(Execution::try_from).collect()
    }

    /// Returns one execution.
    pub async fn execution(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        let row: Option<ExecutionRow> = read!(self, pool => sqlx::query_as(select!("WHERE e.id = $1")).bind(id.0).fetch_optional(pool))
            .map_err(StoreError::query("read an execution"))?;
        row.map(Execution::try_from).transpose()
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

    /// Returns the numbers to look for: all, or one function's; none if that function never ran.
    async fn function_keys(&self, function: Option<&FunctionName>) -> Result<Option<RangeInclusive<i64>>, StoreError> {
        match function {
            None => Ok(Some(0..=i64::MAX)),
            Some(function) => Ok(self.function_key(function).await?.map(|key| key..=key)),
        }
    }
}

/// An execution as the table has it. What most executions share is null.
struct Row<'a> {
    id: i64,
    function_key: i64,
    version_key: i64,
    deployment: i64,
    invoked_by: Option<&'static str>,
    request_id: Option<&'a str>,
    method: Option<&'a str>,
    path: &'a str,
    status: i64,
    outcome: i64,
    duration_us: i64,
    operations: i64,
    peak_memory_bytes: i64,
    logs: Option<String>,
    logs_dropped: i64,
    failure: Option<String>,
}

/// Columns of the table `executions`.
const COLUMNS: usize = 16;

impl<'a> Row<'a> {
    fn of(execution: &'a Execution, keys: &Keys) -> Option<Self> {
        let (function_key, version_key) = keys.of(execution)?;
        Some(Self {
            id: execution.id.0,
            function_key,
            version_key,
            deployment: execution.deployment.0,
            invoked_by: (execution.trigger != Trigger::Http).then(|| execution.trigger.as_str()),
            request_id: execution.request_id.as_deref(),
            method: (execution.method != "GET").then_some(&*execution.method),
            path: &execution.path,
            status: execution.status.into(),
            outcome: execution.outcome as i64,
            duration_us: signed(execution.duration_us),
            operations: signed(execution.operations),
            peak_memory_bytes: signed(execution.peak_memory_bytes),
            logs: (!execution.logs.is_empty()).then(|| logs_json(&execution.logs)),
            logs_dropped: execution.logs_dropped.into(),
            failure: (execution.failure.as_ref())
                .map(|failure| serde_json::to_string(failure).expect("plain data with text keys always is JSON")),
        })
    }
}

/// Databases have no unsigned numbers.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn logs_json(logs: &[LogLine]) -> String {
    let lines: Vec<_> = logs.iter().map(|line| (line.at_us, line.level, &line.message)).collect();
    serde_json::to_string(&lines).expect("numbers and texts always are JSON")
}

async fn append_to_postgres(pool: &PgPool, rows: &[Row<'_>]) -> sqlx::Result<()> {
    let numbers = |column: fn(&Row) -> i64| rows.iter().map(column).collect::<Vec<_>>();
    let texts = |column: for<'a> fn(&'a Row) -> Option<&'a str>| rows.iter().map(column).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO executions (id, function_key, version_key, deployment, invoked_by, request_id, method, path, status, outcome,
                                 duration_us, operations, peak_memory_bytes, logs, logs_dropped, failure)
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                              $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::bigint[],
                              $16::text[])
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(numbers(|row| row.id))
    .bind(numbers(|row| row.function_key))
    .bind(numbers(|row| row.version_key))
    .bind(numbers(|row| row.deployment))
    .bind(texts(|row| row.invoked_by))
    .bind(texts(|row| row.request_id))
    .bind(texts(|row| row.method))
    .bind(texts(|row| Some(row.path)))
    .bind(numbers(|row| row.status))
    .bind(numbers(|row| row.outcome))
    .bind(numbers(|row| row.duration_us))
    .bind(numbers(|row| row.operations))
    .bind(numbers(|row| row.peak_memory_bytes))
    .bind(texts(|row| row.logs.as_deref()))
    .bind(numbers(|row| row.logs_dropped))
    .bind(texts(|row| row.failure.as_deref()))
    .execute(pool)
    .await
    .map(|_| ())
}

/// Statements that insert so many rows each, largest first. Bound values cost a fifth of rows in JSON, which SQLite parses once for each
/// field; and plain `?`, because SQLite looks up a `$1` among all names, one after the other.
static INSERTS: LazyLock<[(usize, String); 3]> = LazyLock::new(|| {
    [128, 16, 1].map(|rows| {
        let row = format!("({})", vec!["?"; COLUMNS].join(","));
        let sql = format!(
            "INSERT INTO executions (id, function_key, version_key, deployment, invoked_by, request_id, method, path, status, outcome,
                                     duration_us, operations, peak_memory_bytes, logs, logs_dropped, failure)
             VALUES {}
             ON CONFLICT (id) DO NOTHING",
            vec![row; rows].join(",")
        );
        (rows, sql)
    })
});

async fn append_to_sqlite(writer: &SqlitePool, rows: Vec<Row<'_>>) -> sqlx::Result<()> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let mut rows = rows.into_iter();
    for (count, sql) in &*INSERTS {
        while rows.len() >= *count {
            let insert = rows.by_ref().take(*count).fold(sqlx::query(sql.as_str()), bind);
            insert.execute(&mut *transaction).await?;
        }
    }
    transaction.commit().await
}

fn bind<'q>(insert: Query<'q, Sqlite, SqliteArguments>, row: Row<'_>) -> Query<'q, Sqlite, SqliteArguments> {
    insert
        .bind(row.id)
        .bind(row.function_key)
        .bind(row.version_key)
        .bind(row.deployment)
        .bind(row.invoked_by)
        .bind(row.request_id.map(String::from))
        .bind(row.method.map(String::from))
        .bind(String::from(row.path))
        .bind(row.status)
        .bind(row.outcome)
        .bind(row.duration_us)
        .bind(row.operations)
        .bind(row.peak_memory_bytes)
        .bind(row.logs)
        .bind(row.logs_dropped)
        .bind(row.failure)
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
