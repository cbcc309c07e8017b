//! From a database URL to open pools with up-to-date tables. Nothing here wakes up by itself: an idle node is idle.

mod own_schema;
mod postgres;
mod schema;
mod sqlite;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub(super) use schema::{is_own_table, last_schema};
pub(super) use sqlite::sqlite_options;
use sqlx::{ConnectOptions as _, Connection, postgres::PgConnectOptions};

use super::{StoreError, database::Database, pool::Fence};

/// The longest that an attempt to connect, or the wait for a free connection, may take.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A database URL that was read.
pub(super) enum DatabaseUrl {
    Postgres(Box<PgConnectOptions>),
    Sqlite(PathBuf),
}

impl DatabaseUrl {
    /// Reads a URL. `sqlite` alone names a file in the data folder.
    pub(super) fn parse(url: &str, data_dir: &Path) -> Result<Self, StoreError> {
        if url == "sqlite" {
            return Ok(Self::Sqlite(data_dir.join("picloud.db")));
        }
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err(StoreError::Url { reason: ": the path is missing".into() }),
                ":memory:" => Err(StoreError::Url { reason: ": a database in memory would not be one database".into() }),
                path => Ok(Self::Sqlite(path.into())),
            };
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(StoreError::Url { reason: String::new() });
        }
        match url.parse::<PgConnectOptions>() {
            // Notices of the server, such as about a table that is there already, do not belong in the log.
            Ok(options) => {
                let options = options.options([("client_min_messages", "warning")]);
                Ok(Self::Postgres(Box::new(options.application_name("picloud").disable_statement_logging())))
            }
            // The parser's message may quote a part of the URL, and that part may be the password.
            Err(_) => Err(StoreError::Url { reason: ": it does not parse (special characters in a password are written as `%XX`)".into() }),
        }
    }

    /// Names the database in messages, without user and password.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("`{}`", path.display()),
            Self::Postgres(options) => {
                let host = options.get_socket().map_or_else(|| options.get_host().into(), |socket| socket.display().to_string());
                format!("`{}` on postgres at {host}:{}", options.get_database().unwrap_or("postgres"), options.get_port())
            }
        }
    }

    /// Makes the database if it is missing, brings its tables up to date, and opens it. The writer writes only where the fence is open.
    pub(super) async fn open(&self, fence: Fence) -> Result<Database, StoreError> {
        match self {
            Self::Sqlite(path) => self.open_sqlite(path, fence).await,
            Self::Postgres(options) => self.open_postgres(options, fence).await,
        }
    }

    /// Opens a database that is there, for reading.
    pub(super) async fn open_read_only(&self) -> Result<Database, StoreError> {
        match self {
            Self::Sqlite(path) => self.open_sqlite_read_only(path).await,
            Self::Postgres(options) => self.open_postgres_read_only(options).await,
        }
    }

    async fn in_time<T>(&self, connecting: impl Future<Output = sqlx::Result<T>>) -> Result<T, StoreError> {
        match tokio::time::timeout(CONNECT_LIMIT, connecting).await {
            Ok(connected) => connected.map_err(|source| StoreError::connect(self.describe(), source)),
            Err(_) => {
                Err(StoreError::TimedOut { what: format!("cannot connect to {}", self.describe()), seconds: CONNECT_LIMIT.as_secs() })
            }
        }
    }
}

/// Closes a connection. An error changes nothing.
pub(super) async fn close(connection: impl Connection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a database connection did not close cleanly");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(url: &str) -> String {
        match DatabaseUrl::parse(url, Path::new("data")) {
            Ok(place) => place.describe(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_url_names_a_place_and_never_shows_a_password() {
        for (url, shown) in [
            ("sqlite", "`data/picloud.db`"),
            ("sqlite:a/b.db", "`a/b.db`"),
            ("sqlite:///a/b.db", "`/a/b.db`"),
            ("postgres://ann:hunter2@db.example:5433/cloud", "`cloud` on postgres at db.example:5433"),
            ("postgres:///cloud?host=/run/pg&user=ann&password=hunter2", "`cloud` on postgres at /run/pg:5432"),
        ] {
            assert_eq!(message(url), shown);
        }
        let wrong = "the database URL is none of `sqlite`, `sqlite:PATH` and `postgres://USER@HOST/NAME`";
        assert_eq!(message("mysql://ann:hunter2@db"), wrong);
        assert_eq!(message("sqlite:"), format!("{wrong}: the path is missing"));
        assert_eq!(message("sqlite::memory:"), format!("{wrong}: a database in memory would not be one database"));
        let unparsed = format!("{wrong}: it does not parse (special characters in a password are written as `%XX`)");
        assert_eq!(message("postgres://ann:hunt/er2@db.example:x"), unparsed);
    }
}
