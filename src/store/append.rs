//! How executions get into the table at a few microseconds a row.

use std::sync::LazyLock;

use sqlx::{Postgres, Sqlite, query::Query, sqlite::SqliteArguments};

use super::{
    Store, StoreError,
    batch::json,
    database::Database,
    limited::{Limited, STATEMENT_LIMIT},
    sizes::{self, Sizes},
    words::Keys,
};
use crate::execution::{Execution, LogLine, Trigger};

impl Store {
    /// Appends executions. Those that are there already (by id) stay as they are. Returns the bytes of all of them.
    pub async fn append_executions(&self, executions: &[Execution]) -> Result<u64, StoreError> {
        let appended = self.append(executions).await;
        if appended.is_err() {
            self.forget_keys();
        }
        appended
    }

    async fn append(&self, executions: &[Execution]) -> Result<u64, StoreError> {
        let keys = self.keys_of(executions).await?;
        let rows: Vec<Row> = executions.iter().filter_map(|execution| Row::of(execution, &keys)).collect();
        let captures: Vec<(i64, String)> =
            executions.iter().filter_map(|execution| Some((execution.id.0, json(execution.capture.as_deref()?)))).collect();
        let bytes = rows.iter().map(Row::bytes).sum::<i64>() + captures.iter().map(|(_, request)| request.len() as i64).sum::<i64>();
        match &self.database {
            Database::Postgres { writer, .. } => append_to_postgres(writer, &rows, captures).await,
            Database::Sqlite { writer, .. } => append_to_sqlite(writer, rows, captures).await,
        }
        .map_err(StoreError::query("record executions"))?;
        Ok(bytes.unsigned_abs())
    }
}

/// An execution as the table has it. What most executions share is null.
struct Row<'a> {
    id: i64,
    function_key: i64,
    version_key: i64,
    deployment: i64,
    invoked_by: Option<&'static str>,
    replay_of: Option<i64>,
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
const COLUMNS: usize = 17;

impl<'a> Row<'a> {
    fn of(execution: &'a Execution, keys: &Keys) -> Option<Self> {
        let (function_key, version_key) = keys.of(execution)?;
        Some(Self {
            id: execution.id.0,
            function_key,
            version_key,
            deployment: execution.deployment.0,
            invoked_by: (execution.trigger != Trigger::Http).then(|| execution.trigger.as_str()),
            replay_of: execution.replay_of.map(|id| id.0),
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

    /// Returns what it counts for: see `sizes`.
    fn bytes(&self) -> i64 {
        let texts = [self.request_id, self.method, Some(self.path), self.logs.as_deref(), self.failure.as_deref()];
        sizes::ROW_BYTES + texts.into_iter().flatten().map(|text| text.len() as i64).sum::<i64>()
    }
}

/// Databases have no unsigned numbers.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn logs_json(logs: &[LogLine]) -> String {
    let lines: Vec<_> = logs.iter().map(|line| (line.at_us, line.level, &line.message)).collect();
    serde_json::to_string(&lines).expect("numbers and texts always are JSON")
}

async fn append_to_postgres(pool: &Limited<Postgres>, rows: &[Row<'_>], captures: Vec<(i64, String)>) -> sqlx::Result<()> {
    if !captures.is_empty() {
        // First, so that whoever sees an execution finds its request.
        let (ids, requests): (Vec<i64>, Vec<String>) = captures.into_iter().unzip();
        sqlx::query(
            "WITH added AS (
                 INSERT INTO captures (id, request)
                 SELECT * FROM UNNEST($1::bigint[], $2::text[])
                 ON CONFLICT (id) DO NOTHING
                 RETURNING id, request
             )
             INSERT INTO execution_sizes (bucket, bytes, rows)
             SELECT id >> 37, CAST(SUM(octet_length(request)) AS bigint), 0 FROM added GROUP BY 1 ORDER BY 1
             ON CONFLICT (bucket) DO UPDATE SET bytes = execution_sizes.bytes + excluded.bytes",
        )
        .bind(ids)
        .bind(requests)
        .execute(pool)
        .await?;
    }
    let numbers = |column: fn(&Row) -> i64| rows.iter().map(column).collect::<Vec<_>>();
    let texts = |column: for<'a> fn(&'a Row) -> Option<&'a str>| rows.iter().map(column).collect::<Vec<_>>();
    sqlx::query(
        "WITH added AS (
             INSERT INTO executions (id, function_key, version_key, deployment, invoked_by, request_id, method, path, status, outcome,
                                     duration_us, operations, peak_memory_bytes, logs, logs_dropped, failure, replay_of)
             SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                                  $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::bigint[],
                                  $16::text[], $17::bigint[])
             ON CONFLICT (id) DO NOTHING
             RETURNING id, CONCAT(request_id, method, path, logs, failure) AS texts
         )
         INSERT INTO execution_sizes (bucket, bytes, rows)
         SELECT id >> 37, CAST(SUM($18 + octet_length(texts)) AS bigint), COUNT(*) FROM added GROUP BY 1 ORDER BY 1
         ON CONFLICT (bucket) DO UPDATE SET bytes = execution_sizes.bytes + excluded.bytes, rows = execution_sizes.rows + excluded.rows",
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
    .bind(rows.iter().map(|row| row.replay_of).collect::<Vec<_>>())
    .bind(sizes::ROW_BYTES)
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
                                     duration_us, operations, peak_memory_bytes, logs, logs_dropped, failure, replay_of)
             VALUES {}
             ON CONFLICT (id) DO NOTHING",
            vec![row; rows].join(",")
        );
        (rows, sql)
    })
});

async fn append_to_sqlite(writer: &Limited<Sqlite>, rows: Vec<Row<'_>>, captures: Vec<(i64, String)>) -> sqlx::Result<()> {
    let mut transaction = writer.begin(STATEMENT_LIMIT).await?;
    let (mut rows, mut sizes) = (rows.into_iter(), Sizes::default());
    for (count, sql) in &*INSERTS {
        while rows.len() >= *count {
            let some: Vec<_> = rows.by_ref().take(*count).collect();
            let measured: Vec<_> = some.iter().map(|row| (row.id, row.bytes())).collect();
            let added = transaction.execute(some.into_iter().fold(sqlx::query(sql.as_str()), bind)).await?;
            sizes.add(&measured, added.rows_affected());
        }
    }
    for (id, request) in captures {
        let bytes = request.len() as i64;
        let insert = sqlx::query("INSERT INTO captures (id, request) VALUES (?, ?) ON CONFLICT (id) DO NOTHING");
        let added = transaction.execute(insert.bind(id).bind(request)).await?;
        sizes.add_capture(id, bytes, added.rows_affected());
    }
    for (bucket, size) in sizes.buckets() {
        let insert = sqlx::query(sizes::ADD).bind(bucket).bind(size.bytes).bind(size.rows);
        transaction.execute(insert).await?;
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
        .bind(row.replay_of)
}
