//! A database as it is at one moment, whatever a node writes there meanwhile.

use std::path::Path;

use futures_util::stream::BoxStream;

use super::{Connection, Place, Row, StoreError, Table, quoted};

/// A database as it is at one moment. Writers are not held up.
pub struct Snapshot {
    connection: Connection,
    place: String,
    tables: Vec<Table>,
}

impl Snapshot {
    /// Takes hold of a database of this program's schema.
    pub async fn open(url: &str, data_dir: &Path) -> Result<Self, StoreError> {
        let place = Place::parse(url, data_dir)?;
        let mut connection = place.connect_read_only().await?;
        let begin = match &connection {
            Connection::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Connection::Sqlite(_) => "BEGIN",
        };
        connection.run("begin to read", begin).await?;
        // The moment is that of the first look.
        let tables = connection.tables().await?;
        Ok(Self { connection, place: place.describe(), tables })
    }

    /// Names the database, without user and password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Every table, each after those that it refers to.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Counts the rows of a table.
    pub async fn count(&mut self, table: &Table) -> Result<u64, StoreError> {
        let sql = format!("SELECT COUNT(*) FROM {}", quoted(&table.name));
        Ok(self.connection.number("count rows", sql).await?.unsigned_abs())
    }

    /// Returns the rows of a table, in the order of its key.
    pub fn rows<'a>(&'a mut self, table: &'a Table) -> BoxStream<'a, Result<Row, StoreError>> {
        self.connection.rows(table)
    }
}
