//! Appends executions to the table, at a few microseconds a row.

use std::{borrow::Cow, collections::BTreeSet, sync::LazyLock};

use sqlx::{Postgres, Row as _, Sqlite, query::Query, sqlite::SqliteArguments};

use super::{
    row::{ExecutionRow, LONG, SHORT},
    sizes::{self, Sizes},
    words::Keys,
};
use crate::{
    execution::Execution,
    stats::{Run, RunKey, RunTally},
    store::{
        Store, StoreError,
        batch::json,
        columns::columns,
        database::Database,
        pool::{STATEMENT_LIMIT, Transaction},
        stats::{self, Slot},
        transaction::EitherTransaction,
    },
};

type Row<'a> = ExecutionRow<Cow<'a, str>>;

impl Store {
    /// Appends executions and counts them, and returns the bytes that all of them take. An execution whose id is there already stays as it is.
    pub async fn append_executions(&self, executions: &[Execution]) -> Result<u64, StoreError> {
        self.append(executions, Turn::First).await.inspect_err(|_| self.forget_keys())
    }

    /// The same for executions of which some may be there, because nobody heard how an earlier try ended. Those do not count again.
    pub async fn append_executions_again(&self, executions: &[Execution]) -> Result<u64, StoreError> {
        self.append(executions, Turn::Again).await.inspect_err(|_| self.forget_keys())
    }

    /// Counts runs that are not recorded.
    pub async fn count_runs(&self, runs: &RunTally<RunKey>) -> Result<(), StoreError> {
        let counted = async {
            let keys = self.keys_of(runs.iter().map(|(run, _)| (&run.function, run.version))).await?;
            let mut counts = RunTally::default();
            runs.iter().filter_map(|(run, added)| Some((slot(run, &keys)?, added))).for_each(|(slot, added)| counts.merge(slot, added));
            let add = async {
                let mut transaction = EitherTransaction::begin_repeatable(&self.database).await?;
                stats::add(&mut transaction, &self.database, &counts).await?;
                transaction.commit().await
            };
            add.await.map_err(StoreError::query("count runs"))
        };
        counted.await.inspect_err(|_| self.forget_keys())
    }

    async fn append(&self, executions: &[Execution], turn: Turn) -> Result<u64, StoreError> {
        if executions.is_empty() {
            return Ok(0);
        }
        let keys = self.keys_of(executions.iter().map(|execution| (&execution.function, execution.version))).await?;
        let rows: Vec<Row> = executions.iter().filter_map(|execution| Row::of(execution, &keys)).collect();
        let captures: Vec<(i64, String)> =
            executions.iter().filter_map(|execution| Some((execution.id.0, json(execution.capture.as_deref()?)))).collect();
        let bytes = rows.iter().map(Row::bytes).sum::<i64>() + captures.iter().map(|(_, request)| request.len() as i64).sum::<i64>();
        let append = async {
            let (mut transaction, counts) = match &self.database {
                Database::Postgres { writer, .. } => {
                    let mut transaction = writer.begin(STATEMENT_LIMIT).await?;
                    let added = append_to_postgres(&mut transaction, &rows, captures).await?;
                    let counts = counts(executions, &keys, |id| added.contains(&id));
                    (EitherTransaction::Postgres(transaction), counts)
                }
                Database::Sqlite { writer, .. } => {
                    let mut transaction = writer.begin(STATEMENT_LIMIT).await?;
                    let there = turn.there(&mut transaction, &rows).await?;
                    append_to_sqlite(&mut transaction, rows, captures).await?;
                    let counts = counts(executions, &keys, |id| !there.contains(&id));
                    (EitherTransaction::Sqlite(transaction), counts)
                }
            };
            stats::add(&mut transaction, &self.database, &counts).await?;
            transaction.commit().await
        };
        append.await.map_err(StoreError::query("record executions"))?;
        Ok(bytes.unsigned_abs())
    }
}

/// Whether executions may be in the table already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    Again,
}

impl Turn {
    /// Returns the ids that are in SQLite's table already. Postgres says of each row whether it is new; for SQLite that would cost as much as
    /// the row itself.
    async fn there(self, transaction: &mut Transaction<Sqlite>, rows: &[Row<'_>]) -> sqlx::Result<BTreeSet<i64>> {
        if self == Self::First {
            return Ok(BTreeSet::new());
        }
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let query = sqlx::query("SELECT id FROM executions WHERE id IN (SELECT value FROM json_each(?))").bind(json(&ids));
        transaction.fetch_all(query).await?.iter().map(|row| row.try_get(0)).collect()
    }
}

/// Counts the executions that are new.
fn counts(executions: &[Execution], keys: &Keys, is_new: impl Fn(i64) -> bool) -> RunTally<Slot> {
    let mut counts = RunTally::default();
    for run in executions.iter().filter(|execution| is_new(execution.id.0)).map(Run::of) {
        if let Some(slot) = slot(&run.key, keys) {
            counts.add(slot, &run);
        }
    }
    counts
}

fn slot(run: &RunKey, keys: &Keys) -> Option<Slot> {
    let (function, version) = keys.of(&run.function, run.version)?;
    Some(Slot { minute: run.minute, function, version, node: run.node })
}

/// Appends rows, and returns the ids of those that are new.
async fn append_to_postgres(
    transaction: &mut Transaction<Postgres>,
    rows: &[Row<'_>],
    captures: Vec<(i64, String)>,
) -> sqlx::Result<BTreeSet<i64>> {
    if !captures.is_empty() {
        // Requests go first, so that a reader who sees an execution finds its request.
        let (ids, requests): (Vec<i64>, Vec<String>) = captures.into_iter().unzip();
        let insert = sqlx::query(concat!(
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
        .bind(requests);
        transaction.execute(insert).await?;
    }
    let numbers = |column: fn(&Row) -> i64| rows.iter().map(column).collect::<Vec<_>>();
    let texts = |column: for<'a> fn(&'a Row) -> Option<&'a str>| rows.iter().map(column).collect::<Vec<_>>();
    let insert = sqlx::query(concat!(
        "WITH added AS (
             INSERT INTO executions (",
        columns!(executions),
        ")
             SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                                  $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::bigint[],
                                  $16::text[], $17::bigint[], $18::text[], $19::text[], $20::bigint[], $21::text[])
             ON CONFLICT (id) DO NOTHING
             RETURNING id, CONCAT(request_id, method, path, logs, failure, effects, response_type, events) AS texts
         ), sized AS (
             INSERT INTO execution_sizes (",
        columns!(execution_sizes),
        ")
             SELECT id >> 37, CAST(SUM($22 + octet_length(texts)) AS bigint), COUNT(*) FROM added GROUP BY 1 ORDER BY 1
             ON CONFLICT (bucket) DO UPDATE SET bytes = execution_sizes.bytes + excluded.bytes, rows = execution_sizes.rows + excluded.rows
         )
         SELECT id FROM added"
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
    .bind(texts(|row| row.response_type.as_deref()))
    .bind(rows.iter().map(|row| row.response_bytes).collect::<Vec<_>>())
    .bind(texts(|row| row.events.as_deref()))
    .bind(sizes::ROW_BYTES);
    transaction.fetch_all(insert).await?.iter().map(|row| row.try_get(0)).collect()
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

async fn append_to_sqlite(transaction: &mut Transaction<Sqlite>, rows: Vec<Row<'_>>, captures: Vec<(i64, String)>) -> sqlx::Result<()> {
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
    Ok(())
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
        .bind(row.response_type.map(Cow::into_owned))
        .bind(row.response_bytes)
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
        .bind(row.response_type.map(Cow::into_owned))
        .bind(row.response_bytes)
        .bind(row.events.map(Cow::into_owned))
}
