//! Whole databases as rows: read from one, and written to an empty one or to a file.
//!
//! The tables and their columns come from the schema of the database itself, so a later migration cannot be forgotten here.

mod connect;
mod copy;
mod filling;
mod rows;
mod schema;
mod snapshot;

use std::future;

use futures_util::{TryStreamExt, stream::BoxStream};
use sqlx::{AssertSqlSafe, PgConnection, Row as _, SqliteConnection};

pub use connect::last_schema;
pub use copy::{Progress, copy};
pub use filling::Filling;
pub use rows::{Column, Kind, Row, Sum, TableSchema, Tally, Value, parse_line, write_line};
pub use snapshot::DatabaseSnapshot;

use super::{StoreError, connect::DatabaseUrl};

/// Turns a row of either driver into plain values.
macro_rules! decode {
    ($row:expr, $table:expr) => {
        ($table.columns.iter().enumerate())
            .map(|(at, column)| {
                Ok(match column.kind {
                    Kind::Integer => $row.try_get::<Option<i64>, _>(at)?.map_or(Value::Null, Value::Integer),
                    Kind::Text => $row.try_get::<Option<String>, _>(at)?.map_or(Value::Null, Value::Text),
                    Kind::Bytes => $row.try_get::<Option<Vec<u8>>, _>(at)?.map_or(Value::Null, Value::Bytes),
                })
            })
            .collect::<sqlx::Result<Row>>()
    };
}

/// One connection to either database.
enum Connection {
    Postgres(Box<PgConnection>),
    Sqlite(Box<SqliteConnection>),
}

impl Connection {
    /// Runs a statement without values.
    async fn run(&mut self, what: &'static str, sql: impl Into<String>) -> Result<(), StoreError> {
        let sql = AssertSqlSafe(sql.into());
        match self {
            Self::Postgres(connection) => sqlx::raw_sql(sql).execute(&mut **connection).await.map(drop),
            Self::Sqlite(connection) => sqlx::raw_sql(sql).execute(&mut **connection).await.map(drop),
        }
        .map_err(StoreError::query(what))
    }

    /// Returns the one number that a query finds.
    async fn number(&mut self, what: &'static str, sql: String) -> Result<i64, StoreError> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_one(&mut **connection).await,
            Self::Sqlite(connection) => sqlx::query_scalar(sql).fetch_one(&mut **connection).await,
        }
        .map_err(StoreError::query(what))
    }

    /// Returns every row of a table, in the order of its key: the same order on both databases.
    fn rows<'a>(&'a mut self, table: &'a TableSchema) -> BoxStream<'a, Result<Row, StoreError>> {
        let what = StoreError::reading(&table.name);
        match self {
            Self::Postgres(connection) => {
                let rows = sqlx::query(AssertSqlSafe(select(table, Dialect::Postgres))).fetch(&mut **connection);
                Box::pin(rows.and_then(|row| future::ready(decode!(row, table))).map_err(what))
            }
            Self::Sqlite(connection) => {
                let rows = sqlx::query(AssertSqlSafe(select(table, Dialect::Sqlite))).fetch(&mut **connection);
                Box::pin(rows.and_then(|row| future::ready(decode!(row, table))).map_err(what))
            }
        }
    }

    /// Returns the number of rows of a table, and the digest of their lines.
    async fn sum(&mut self, table: &TableSchema) -> Result<Sum, StoreError> {
        let (mut tally, mut line) = (Tally::default(), Vec::new());
        let mut rows = self.rows(table);
        while let Some(row) = rows.try_next().await? {
            line.clear();
            write_line(&row, &mut line);
            tally.add(&line);
        }
        Ok(tally.sum())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Postgres,
    Sqlite,
}

fn select(table: &TableSchema, dialect: Dialect) -> String {
    let column = |column: &Column| match (dialect, column.kind) {
        // Some are narrower.
        (Dialect::Postgres, Kind::Integer) => format!("CAST({} AS bigint)", quoted(&column.name)),
        _ => quoted(&column.name),
    };
    let order = |name: &String| match (dialect, table.kind_of(name)) {
        // By its bytes as in SQLite, and not by the rules of a language.
        (Dialect::Postgres, Some(Kind::Text)) => format!("{} COLLATE \"C\"", quoted(name)),
        _ => quoted(name),
    };
    let columns: Vec<_> = table.columns.iter().map(column).collect();
    let order: Vec<_> = table.key.iter().map(order).collect();
    format!("SELECT {} FROM {} ORDER BY {}", columns.join(", "), quoted(&table.name), order.join(", "))
}

/// Writes a name for SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
