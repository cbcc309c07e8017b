//! Appends executions to the table, at a few microseconds a row.

use std::{borrow::Cow, collections::BTreeSet, sync::LazyLock, time::Duration};

use sqlx::{AssertSqlSafe, FromRow, Postgres, Sqlite, query::Query, sqlite::SqliteArguments};

use super::{
    row::{ExecutionRow, LONG, SHORT},
    sizes::{self, Sizes},
    words::Keys,
};
use crate::{
    execution::{Execution, Trigger},
    stats::{Run, RunKey, RunTally},
    store::{
        Store, StoreError,
        batch::json,
        columns::columns,
        database::Database,
        pool::{LONG_LIMIT, STATEMENT_LIMIT, Transaction},
        stats::{Rows, Slot, StatsRow, put},
        transaction::EitherTransaction,
    },
};

type Row<'a> = ExecutionRow<Cow<'a, str>>;

/// Whether executions may be in the table already, because nobody heard how an earlier try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// None of them is there.
    First,
    /// Some may be there. Those do not count again.
    Again,
}

impl Turn {
    /// Returns how long a statement may take. What was tried before waits on disk, so there is time for a slow server.
    fn limit(self) -> Duration {
        match self {
            Self::First => STATEMENT_LIMIT,
            Self::Again => LONG_LIMIT,
        }
    }
}

impl Store {
    /// Appends executions and counts them, and returns the bytes that all of them take. An execution that is there already stays as it is.
    pub async fn append_executions(&self, executions: &[Execution], turn: Turn) -> Result<u64, StoreError> {
        self.append(executions, turn).await.inspect_err(|_| self.forget_keys())
    }

    /// Counts runs that are not recorded.
    pub async fn count_runs(&self, runs: &RunTally<RunKey>) -> Result<(), StoreError> {
        let counted = async {
            let keys = self.keys_of(runs.iter().map(|(run, _)| (&run.function, run.version))).await?;
            let mut counts = RunTally::default();
            runs.iter()
                .filter_map(|(run, added)| Some(((slot(run, &keys)?, run.trigger), added)))
                .for_each(|(of, added)| counts.merge(of, added));
            let add = async {
                let mut transaction = EitherTransaction::begin_repeatable(&self.database).await?;
                Rows::of(&counts).merge(&mut transaction, &self.database).await?;
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
        let batch = Batch::of(executions.iter(), &keys);
        let bytes = batch.bytes();
        let append = async {
            let look = batch.look(&self.database, turn);
            match &self.database {
                Database::Postgres { writer, .. } => {
                    let (mut transaction, found) = writer.begin_reading(turn.limit(), &look).await?;
                    let batch = batch.beside(PresentRows::of(&found)?, executions, &keys);
                    append_to_postgres(&mut transaction, batch, put(&self.database)).await?;
                    transaction.commit().await
                }
                Database::Sqlite { writer, .. } => {
                    let mut transaction = writer.begin(turn.limit()).await?;
                    let found = transaction.fetch_all(sqlx::raw_sql(AssertSqlSafe(look))).await?;
                    let batch = batch.beside(PresentRows::of(&found)?, executions, &keys);
                    append_to_sqlite(&mut transaction, batch, put(&self.database)).await?;
                    transaction.commit().await
                }
            }
        };
        append.await.map_err(StoreError::query("record executions"))?;
        Ok(bytes)
    }
}

/// What one transaction writes.
struct Batch<'a> {
    rows: Vec<Row<'a>>,
    /// Kept requests, each with the id of its execution.
    captures: Vec<(i64, String)>,
    counts: Rows,
}

impl<'a> Batch<'a> {
    fn of(executions: impl Iterator<Item = &'a Execution> + Clone, keys: &Keys) -> Self {
        let captures = executions.clone().filter_map(|execution| Some((execution.id.0, json(execution.capture.as_deref()?))));
        Self {
            rows: executions.clone().filter_map(|execution| Row::of(execution, keys)).collect(),
            captures: captures.collect(),
            counts: Rows::of(&counts(executions, keys)),
        }
    }

    fn bytes(&self) -> u64 {
        let requests: usize = self.captures.iter().map(|(_, request)| request.len()).sum();
        self.rows.iter().map(Row::bytes).sum::<i64>().unsigned_abs() + requests as u64
    }

    /// Writes the queries for what the database has of this batch.
    fn look(&self, database: &Database, turn: Turn) -> String {
        let counts = self.counts.find(database);
        match turn {
            Turn::First => counts,
            Turn::Again => {
                let ids: Vec<String> = self.rows.iter().map(|row| row.id.to_string()).collect();
                format!("SELECT id FROM executions WHERE id IN ({}); {counts}", ids.join(","))
            }
        }
    }

    /// Leaves out what is there, and adds up the counts.
    fn beside(self, found: PresentRows, executions: &'a [Execution], keys: &Keys) -> Self {
        let mut batch = match found.executions.is_empty() {
            true => self,
            false => Self::of(executions.iter().filter(|execution| !found.executions.contains(&execution.id.0)), keys),
        };
        batch.counts.add(found.counts);
        batch
    }
}

/// What the database has of a batch.
#[derive(Default)]
struct PresentRows {
    executions: BTreeSet<i64>,
    counts: Vec<StatsRow>,
}

impl PresentRows {
    /// Reads the rows of the queries: those about executions have one column.
    fn of<R: sqlx::Row>(rows: &[R]) -> sqlx::Result<Self>
    where
        (i64,): for<'r> FromRow<'r, R>,
        StatsRow: for<'r> FromRow<'r, R>,
    {
        let mut found = Self::default();
        for row in rows {
            match row.len() {
                1 => _ = found.executions.insert(<(i64,)>::from_row(row)?.0),
                _ => found.counts.push(StatsRow::from_row(row)?),
            }
        }
        Ok(found)
    }
}

/// Counts executions.
fn counts<'a>(executions: impl Iterator<Item = &'a Execution>, keys: &Keys) -> RunTally<(Slot, Trigger)> {
    let mut counts = RunTally::default();
    for run in executions.map(Run::of) {
        if let Some(slot) = slot(&run.key, keys) {
            counts.add((slot, run.key.trigger), &run);
        }
    }
    counts
}

fn slot(run: &RunKey, keys: &Keys) -> Option<Slot> {
    let (function, version) = keys.of(&run.function, run.version)?;
    Some(Slot { minute: run.minute, function, version, node: run.node })
}

async fn append_to_postgres(transaction: &mut Transaction<Postgres>, batch: Batch<'_>, put_counts: String) -> sqlx::Result<()> {
    let Batch { rows, captures, counts } = batch;
    if !captures.is_empty() {
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
    let (columns, size_columns) = (columns!(executions), columns!(execution_sizes));
    let insert = sqlx::query(AssertSqlSafe(format!(
        "WITH counted AS (
             {put_counts}
         ), added AS (
             INSERT INTO executions ({columns})
             SELECT * FROM UNNEST($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[],
                                  $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::text[], $17::bigint[],
                                  $18::text[], $19::bigint[], $20::text[], $21::text[], $22::bigint[], $23::text[])
             ON CONFLICT (id) DO NOTHING
             RETURNING id, CONCAT(request_id, method, path, logs, failure, effects, response_type, events) AS texts
         )
         INSERT INTO execution_sizes ({size_columns})
         SELECT id >> 37, CAST(SUM($2 + octet_length(texts)) AS bigint), COUNT(*) FROM added GROUP BY 1 ORDER BY 1
         ON CONFLICT (bucket) DO UPDATE SET bytes = execution_sizes.bytes + excluded.bytes, rows = execution_sizes.rows + excluded.rows"
    )))
    .bind(counts.json())
    .bind(sizes::ROW_BYTES)
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
    .bind(texts(|row| row.events.as_deref()));
    transaction.execute(insert).await.map(|_| ())
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

async fn append_to_sqlite(transaction: &mut Transaction<Sqlite>, batch: Batch<'_>, put_counts: String) -> sqlx::Result<()> {
    let Batch { rows, captures, counts } = batch;
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
    transaction.execute(sqlx::query(AssertSqlSafe(put_counts)).bind(counts.json())).await.map(|_| ())
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
