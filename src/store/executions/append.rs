//! Appends executions to the table, at a few microseconds a row.

use std::{borrow::Cow, sync::LazyLock};

use sqlx::{Postgres, Sqlite, query::Query, sqlite::SqliteArguments};

use super::{
    row::{ExecutionRow, LONG, SHORT},
    sizes::{self, Sizes},
};
use crate::{
    execution::Execution,
    store::{
        Store, StoreError,
        batch::json,
        columns::columns,
        database::Database,
        pool::{Pool, STATEMENT_LIMIT},
    },
};

type Row<'a> = ExecutionRow<Cow<'a, str>>;

impl Store {
    /// Appends executions, and returns the bytes that all of them count for. An execution whose id is there already stays as it is.
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

async fn append_to_postgres(pool: &Pool<Postgres>, rows: &[Row<'_>], captures: Vec<(i64, String)>) -> sqlx::Result<()> {
    if !captures.is_empty() {
        // Requests go first, so that a reader who sees an execution finds its request.
        let (ids, requests): (Vec<i64>, Vec<String>) = captures.into_iter().unzip();
        sqlx::query(concat!(
            "WITH added AS (
                 INSERT INTO captures (id, request)
                 SELECT * FROM UNNEST($1::bigint[], $2::text[])
                 ON CONFLICT (id) DO NOTHING
                 RETURNING id, request
             )
             INSERT INTO execution_sizes (",
            columns!(execution_sizes),
            ")
             SELECT id >> 37, CAST(SUM(octet_length(request)) AS bigint), 0 FROM added GROUP BY 1 ORDER BY 1
             ON CONFLICT (bucket) DO UPDATE SET bytes = execution_sizes.bytes + excluded.bytes"
        ))
        .bind(ids)
        .bind(requests)
        .execute(pool)
        .await?;
    }
    let numbers = |column: fn(&Row) -> i64| rows.iter().map(column).collect::<Vec<_>>();
    let texts = |column: for<'a> fn(&'a Row) -> Option<&'a str>| rows.iter().map(column).collect::<Vec<_>>();
    sqlx::query(concat!(
        "WITH added AS (
             INSERT INTO executions (",
        columns!(executions),
        ")
             SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                                  $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::bigint[],
                                  $16::text[], $17::bigint[], $18::text[])
             ON CONFLICT (id) DO NOTHING
             RETURNING id, CONCAT(request_id, method, path, logs, failure, effects) AS texts
         )
         INSERT INTO execution_sizes (",
        columns!(execution_sizes),
        ")
         SELECT id >> 37, CAST(SUM($19 + octet_length(texts)) AS bigint), COUNT(*) FROM added GROUP BY 1 ORDER BY 1
         ON CONFLICT (bucket) DO UPDATE SET bytes = execution_sizes.bytes + excluded.bytes, rows = execution_sizes.rows + excluded.rows"
    ))
    .bind(numbers(|row| row.id))
    .bind(numbers(|row| row.function_key))
    .bind(numbers(|row| row.version_key))
    .bind(numbers(|row| row.deployment))
    .bind(texts(|row| row.invoked_by.as_deref()))
    .bind(texts(|row| row.request_id.as_deref()))
    .bind(texts(|row| row.method.as_deref()))
    .bind(texts(|row| Some(&*row.path)))
    .bind(numbers(|row| row.status))
    .bind(numbers(|row| row.outcome))
    .bind(numbers(|row| row.duration_us))
    .bind(numbers(|row| row.operations))
    .bind(numbers(|row| row.peak_memory_bytes))
    .bind(texts(|row| row.logs.as_deref()))
    .bind(numbers(|row| row.logs_dropped))
    .bind(texts(|row| row.failure.as_deref()))
    .bind(rows.iter().map(|row| row.replay_of).collect::<Vec<_>>())
    .bind(texts(|row| row.effects.as_deref()))
    .bind(sizes::ROW_BYTES)
    .execute(pool)
    .await
    .map(|_| ())
}

/// Inserts rows of one form.
struct Insert {
    /// The number of rows that each statement inserts, largest first.
    statements: [(usize, String); 3],
    bind: for<'q> fn(Query<'q, Sqlite, SqliteArguments>, Row<'_>) -> Query<'q, Sqlite, SqliteArguments>,
}

static SHORT_ROWS: LazyLock<Insert> = LazyLock::new(|| Insert { statements: statements(SHORT), bind: bind_short });
static LONG_ROWS: LazyLock<Insert> = LazyLock::new(|| Insert { statements: statements(LONG), bind: bind_long });

/// Bound values cost a fifth of rows in JSON: SQLite parses that JSON once for each field. The parameters are plain `?`: SQLite looks up a `$1`
/// among all names, one after the other.
fn statements(row: &str) -> [(usize, String); 3] {
    [128, 16, 1].map(|rows| {
        let values = vec![row; rows].join(",");
        (rows, format!("INSERT INTO executions ({}) VALUES {values} ON CONFLICT (id) DO NOTHING", columns!(executions)))
    })
}

async fn append_to_sqlite(writer: &Pool<Sqlite>, rows: Vec<Row<'_>>, captures: Vec<(i64, String)>) -> sqlx::Result<()> {
    let mut transaction = writer.begin(STATEMENT_LIMIT).await?;
    let mut sizes = Sizes::default();
    let (short, long): (Vec<_>, Vec<_>) = rows.into_iter().partition(Row::is_short);
    for (insert, rows) in [(&*SHORT_ROWS, short), (&*LONG_ROWS, long)] {
        let mut rows = rows.into_iter();
        for (count, sql) in &insert.statements {
            while rows.len() >= *count {
                let some: Vec<_> = rows.by_ref().take(*count).collect();
                let measured: Vec<_> = some.iter().map(|row| (row.id, row.bytes())).collect();
                let added = transaction.execute(some.into_iter().fold(sqlx::query(sql.as_str()), insert.bind)).await?;
                sizes.add(&measured, added.rows_affected());
            }
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

fn bind_short<'q>(insert: Query<'q, Sqlite, SqliteArguments>, row: Row<'_>) -> Query<'q, Sqlite, SqliteArguments> {
    insert
        .bind(row.id)
        .bind(row.function_key)
        .bind(row.version_key)
        .bind(row.deployment)
        .bind(row.method.map(Cow::into_owned))
        .bind(row.path.into_owned())
        .bind(row.status)
        .bind(row.outcome)
        .bind(row.duration_us)
        .bind(row.operations)
        .bind(row.peak_memory_bytes)
}

fn bind_long<'q>(insert: Query<'q, Sqlite, SqliteArguments>, row: Row<'_>) -> Query<'q, Sqlite, SqliteArguments> {
    insert
        .bind(row.id)
        .bind(row.function_key)
        .bind(row.version_key)
        .bind(row.deployment)
        .bind(row.invoked_by.map(Cow::into_owned))
        .bind(row.request_id.map(Cow::into_owned))
        .bind(row.method.map(Cow::into_owned))
        .bind(row.path.into_owned())
        .bind(row.status)
        .bind(row.outcome)
        .bind(row.duration_us)
        .bind(row.operations)
        .bind(row.peak_memory_bytes)
        .bind(row.logs.map(Cow::into_owned))
        .bind(row.logs_dropped)
        .bind(row.failure.map(Cow::into_owned))
        .bind(row.replay_of)
        .bind(row.effects.map(Cow::into_owned))
}
