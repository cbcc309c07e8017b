//! The state of a database at one moment, whatever a node writes meanwhile.

use std::path::Path;

use futures_util::stream::BoxStream;

use super::{Connection, DatabaseUrl, Row, StoreError, TableSchema, quoted};

/// The state of a database at one moment. Writers do not wait for it.
pub struct DatabaseSnapshot {
    connection: Connection,
    place: String,
    tables: Vec<TableSchema>,
}

impl DatabaseSnapshot {
    /// Opens a database with this program's schema, and begins to read.
    pub async fn open(url: &str, data_dir: &Path) -> Result<Self, StoreError> {
        let url = DatabaseUrl::parse(url, data_dir)?.bound().await?;
        let mut connection = url.connect_read_only().await?;
        let begin = match &connection {
            Connection::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Connection::Sqlite(_) => "BEGIN",
        };
        connection.run("begin to read", begin).await?;
        // The first query sets the moment.
        let tables = connection.tables().await?;
        Ok(Self { connection, place: url.describe(), tables })
    }

    /// Names the database, without user and password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Returns every table, each after the tables that it refers to.
    pub fn tables(&self) -> &[TableSchema] {
        &self.tables
    }

    /// Counts the rows of a table.
    pub async fn count(&mut self, table: &TableSchema) -> Result<u64, StoreError> {
        let sql = format!("SELECT COUNT(*) FROM {}", quoted(&table.name));
        Ok(self.connection.number("count rows", sql).await?.unsigned_abs())
    }

    /// Returns the rows of a table, in the order of its key.
    pub fn rows<'a>(&'a mut self, table: &'a TableSchema) -> BoxStream<'a, Result<Row, StoreError>> {
        self.connection.rows(table)
    }
}
