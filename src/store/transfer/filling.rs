//! An empty database that becomes the copy of another: the whole copy, or none of it.

use std::path::Path;

use sqlx::{Postgres, QueryBuilder, Sqlite};

use super::{Connection, DatabaseUrl, Kind, Row, StoreError, Sum, TableSchema, Value, quoted};
use crate::store::connect::is_own_table;

/// Adds the values of rows to a statement. Each has the type of its column, also if it is null.
macro_rules! push_values {
    ($query:expr, $table:expr, $rows:expr) => {
        $query.push_values($rows, |mut values, row| {
            for (column, value) in $table.columns.iter().zip(row) {
                match (column.kind, value) {
                    (Kind::Integer, Value::Integer(number)) => values.push_bind(*number),
                    (Kind::Text, Value::Text(text)) => values.push_bind(text.as_str()),
                    (Kind::Bytes, Value::Bytes(bytes)) => values.push_bind(bytes.as_slice()),
                    (Kind::Integer, _) => values.push_bind(None::<i64>),
                    (Kind::Text, _) => values.push_bind(None::<&str>),
                    (Kind::Bytes, _) => values.push_bind(None::<&[u8]>),
                };
            }
        })
    };
}

/// Values of one statement: SQLite takes 32,766, Postgres twice as many.
const MAX_VALUES: usize = 32_000;
/// Rows of one statement; more make it no faster.
const MAX_ROWS: usize = 500;

/// A database that is being filled, in one transaction: nothing of it is visible before `finish`.
pub struct Filling {
    connection: Connection,
    url: DatabaseUrl,
}

impl Filling {
    /// Opens an empty database, makes the tables of this schema in it, and begins the transaction.
    pub async fn open(url: &str, data_dir: &Path, schema: i64) -> Result<Self, StoreError> {
        let url = DatabaseUrl::parse(url, data_dir)?.bound().await?;
        url.must_be_empty().await?;
        let mut connection = url.connect_and_migrate(Some(schema)).await?;
        let begin = match &connection {
            Connection::Postgres(_) => "BEGIN",
            Connection::Sqlite(_) => "BEGIN IMMEDIATE",
        };
        connection.run("begin to write", begin).await?;
        Ok(Self { connection, url })
    }

    /// Names the database, without user and password.
    pub fn place(&self) -> String {
        self.url.describe()
    }

    /// Returns every table, each after the tables that it refers to.
    pub async fn tables(&mut self) -> Result<Vec<TableSchema>, StoreError> {
        self.connection.tables().await
    }

    /// Refuses tables that differ from those of this database in their names, or in their columns and kinds. The order does not matter.
    pub async fn must_have(&mut self, tables: &[TableSchema]) -> Result<(), StoreError> {
        let sorted = |tables: &[TableSchema]| {
            let mut tables = tables.to_vec();
            tables.iter_mut().for_each(|table| table.columns.sort_by(|one, other| one.name.cmp(&other.name)));
            tables.sort_by(|one, other| one.name.cmp(&other.name));
            tables
        };
        let (ours, theirs) = (sorted(&self.tables().await?), sorted(tables));
        let other = theirs.iter().find(|table| !ours.contains(table)).or(ours.iter().find(|table| !theirs.contains(table)));
        let Some(table) = other else { return Ok(()) };
        let is_there = |tables: &[TableSchema]| tables.iter().any(|other| other.name == table.name);
        let reason = match (is_there(&ours), is_there(&theirs)) {
            (false, _) => "this program has none of this name",
            (_, false) => "it is missing where it comes from",
            _ => "its columns are others in the new database",
        };
        Err(StoreError::Immovable { table: table.name.clone(), reason: reason.into() })
    }

    /// Adds rows.
    pub async fn insert(&mut self, table: &TableSchema, rows: &[Row]) -> Result<(), StoreError> {
        let at_once = (MAX_VALUES / table.columns.len().max(1)).clamp(1, MAX_ROWS);
        let columns = table.columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ");
        let into = format!("INSERT INTO {} ({columns}) ", quoted(&table.name));
        for rows in rows.chunks(at_once) {
            let inserted = match &mut self.connection {
                Connection::Postgres(connection) => {
                    // Keys that the database would make itself stay what they are.
                    let mut query = QueryBuilder::<Postgres>::new(into.clone() + "OVERRIDING SYSTEM VALUE ");
                    push_values!(query, table, rows);
                    query.build().persistent(rows.len() == at_once).execute(&mut **connection).await.map(drop)
                }
                Connection::Sqlite(connection) => {
                    let mut query = QueryBuilder::<Sqlite>::new(into.clone());
                    push_values!(query, table, rows);
                    query.build().persistent(rows.len() == at_once).execute(&mut **connection).await.map(drop)
                }
            };
            inserted.map_err(StoreError::writing(&table.name))?;
        }
        Ok(())
    }

    /// Reads a table back, and refuses it if its rows are not those that are wanted.
    pub async fn must_hold(&mut self, table: &TableSchema, wanted: &Sum) -> Result<(), StoreError> {
        let found = self.connection.sum(table).await?;
        match found == *wanted {
            true => Ok(()),
            false => Err(StoreError::CameOutDifferent {
                place: self.url.describe(),
                table: table.name.clone(),
                found: found.rows,
                wanted: wanted.rows,
            }),
        }
    }

    /// Ends the transaction, and brings the tables up to date.
    pub async fn finish(mut self) -> Result<(), StoreError> {
        self.go_on_counting().await?;
        self.connection.run("keep what was written", "COMMIT").await?;
        self.connection.close().await;
        self.url.connect_and_migrate(None).await?.close().await;
        Ok(())
    }

    /// Sets the counters of Postgres, so that new keys come after the copied ones.
    async fn go_on_counting(&mut self) -> Result<(), StoreError> {
        let Connection::Postgres(connection) = &mut self.connection else { return Ok(()) };
        let what = || StoreError::query("find the columns that count");
        let counted: Vec<(String, String)> = sqlx::query_as(
            "SELECT CAST(tables.relname AS text), CAST(columns.attname AS text)
             FROM pg_attribute AS columns
             JOIN pg_class AS tables ON tables.oid = columns.attrelid
             JOIN pg_namespace AS schemas ON schemas.oid = tables.relnamespace AND schemas.nspname = current_schema()
             WHERE columns.attidentity <> ''",
        )
        .fetch_all(&mut **connection)
        .await
        .map_err(what())?;
        for (table, column) in counted.into_iter().filter(|(table, _)| is_own_table(table)) {
            let literal = |name: &str| format!("'{}'", name.replace('\'', "''"));
            let (from, key) = (quoted(&table), quoted(&column));
            let sequence = format!("pg_get_serial_sequence({}, {})", literal(&from), literal(&column));
            let sql = format!("SELECT setval({sequence}, COALESCE((SELECT MAX({key}) FROM {from}), 1), EXISTS (SELECT 1 FROM {from}))");
            self.connection.run("go on counting", sql).await?;
        }
        Ok(())
    }
}
