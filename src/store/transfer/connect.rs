//! One connection to a database that is to be read or filled.

use super::{Connection, DatabaseUrl, StoreError, quoted};
use crate::store::connect::{self, sqlite_options};

/// The number of this program's last migration.
pub fn last_schema() -> i64 {
    connect::last_schema()
}

impl DatabaseUrl {
    /// Connects to a database that a node of this version has made, for reading.
    pub(super) async fn connect_read_only(&self) -> Result<Connection, StoreError> {
        Ok(match self {
            Self::Sqlite(path) => Connection::Sqlite(Box::new(self.read_sqlite(path).await?)),
            Self::Postgres(options) => Connection::Postgres(Box::new(self.read_postgres(options).await?)),
        })
    }

    /// Connects, and makes the tables of the newest or of an earlier schema.
    pub(super) async fn connect_and_migrate(&self, up_to: Option<i64>) -> Result<Connection, StoreError> {
        Ok(match self {
            Self::Sqlite(path) => Connection::Sqlite(Box::new(self.migrate_sqlite(path, up_to).await?.1)),
            Self::Postgres(options) => Connection::Postgres(Box::new(self.migrate_postgres(options, up_to).await?)),
        })
    }

    /// Refuses a database with the tables of another program, or with a row in its own tables.
    pub(super) async fn must_be_empty(&self) -> Result<(), StoreError> {
        let mut connection = match self {
            Self::Sqlite(path) if std::fs::metadata(path).is_ok_and(|file| file.len() > 0) => {
                Connection::Sqlite(Box::new(self.connect_sqlite(&sqlite_options(path).read_only(true)).await?))
            }
            Self::Sqlite(_) => return Ok(()),
            Self::Postgres(options) => Connection::Postgres(Box::new(self.connect_postgres(options).await?)),
        };
        let is_empty = connection.is_empty().await;
        connection.close().await;
        match is_empty? {
            true => Ok(()),
            false => Err(StoreError::NotEmpty { place: self.describe() }),
        }
    }
}

impl Connection {
    async fn is_empty(&mut self) -> Result<bool, StoreError> {
        let names: sqlx::Result<Vec<String>> = match self {
            Self::Postgres(connection) => {
                sqlx::query_scalar("SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = current_schema()")
                    .fetch_all(&mut **connection)
                    .await
            }
            Self::Sqlite(connection) => {
                // Without the tables that SQLite keeps for itself.
                let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'";
                sqlx::query_scalar(sql).fetch_all(&mut **connection).await
            }
        };
        let names = names.map_err(StoreError::query("look whether the database is empty"))?;
        if !names.is_empty() && !names.iter().any(|name| name == MIGRATIONS) {
            return Ok(false);
        }
        for name in names.iter().filter(|name| connect::is_own_table(name)) {
            let sql = format!("SELECT COUNT(*) FROM (SELECT 1 FROM {} LIMIT 1) AS found", quoted(name));
            if self.number("look whether the database is empty", sql).await? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) async fn close(self) {
        match self {
            Self::Postgres(connection) => connect::close(*connection).await,
            Self::Sqlite(connection) => connect::close(*connection).await,
        }
    }
}

/// Where sqlx notes which migrations there were.
const MIGRATIONS: &str = "_sqlx_migrations";
