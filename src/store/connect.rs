//! From a database URL to open pools with up-to-date tables. Nothing here wakes up by itself: an idle node is idle.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection, PgConnection, SqliteConnection,
    migrate::{Migrate, MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    StoreError,
    database::Database,
    limited::{Hold, Limited, STATEMENT_LIMIT},
};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// How long an attempt to connect, or the wait for a free connection, may take.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long bringing the tables up to date may take. A large table on a slow disk takes minutes.
const MIGRATION_LIMIT: Duration = Duration::from_secs(600);
/// How long a statement on a connection of its own may run, and wait for a lock: migrations, backups and copies read whole tables.
const PATIENT_LIMITS: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(60));
/// How long a statement waits for another process that writes to the same SQLite file.
const BUSY_LIMIT: Duration = Duration::from_secs(5);
/// Readers beside SQLite's one writer; they serve listings, not requests.
const SQLITE_READERS: u32 = 4;
/// A node writes executions through one connection and deployments through another; the rest is for listings.
const POSTGRES_CONNECTIONS: u32 = 6;
/// Long, because sqlx wakes up once in this time to look for connections to close.
const POSTGRES_IDLE: Duration = Duration::from_secs(3600);

/// A database that a URL names.
pub(super) enum Place {
    Postgres(Box<PgConnectOptions>),
    Sqlite(PathBuf),
}

impl Place {
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
            // What the server only notes, such as a table that is there already, is no news for whoever reads the log.
            Ok(options) => {
                let options = options.options([("client_min_messages", "warning")]);
                Ok(Self::Postgres(Box::new(options.application_name("picloud").disable_statement_logging())))
            }
            // What the parser says may quote a part of the URL, and that part may be the password.
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

    /// Makes what is missing, and opens. Nothing is written without what a writer must have.
    pub(super) async fn open(&self, hold: Hold) -> Result<Database, StoreError> {
        match self {
            Self::Sqlite(path) => {
                let (options, connection) = self.migrate_sqlite(path, None).await?;
                let writer = sqlite_pool(1).connect_lazy_with(options.optimize_on_close(true, None));
                let readers = sqlite_pool(SQLITE_READERS).connect_lazy_with(sqlite_options(path).read_only(true));
                // The write-ahead log would be folded in and made anew, if this connection were the last to go.
                writer.acquire().await.map_err(|source| StoreError::connect(self.describe(), source))?;
                close(connection).await;
                hold.bind(path);
                Ok(Database::Sqlite { writer: Limited::new(writer, hold), readers: Limited::new(readers, Hold::default()) })
            }
            Self::Postgres(options) => {
                close(self.migrate_postgres(options, None).await?).await;
                Ok(postgres_database(options, hold))
            }
        }
    }

    /// Makes the file if it is missing, and brings its tables up to date, or to an earlier schema.
    pub(super) async fn migrate_sqlite(
        &self,
        path: &Path,
        up_to: Option<i64>,
    ) -> Result<(SqliteConnectOptions, SqliteConnection), StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|source| StoreError::Folder { path: folder.into(), source })?;
        }
        self.must_be_ours_or_new(path).await?;
        let options =
            sqlite_options(path).create_if_missing(true).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal);
        let mut connection = self.connect_sqlite(&options).await?;
        self.migrated(SQLITE.run_direct(up_to, &mut connection, false)).await?;
        Ok((options, connection))
    }

    /// Brings the tables up to date, or to an earlier schema.
    pub(super) async fn migrate_postgres(&self, options: &PgConnectOptions, up_to: Option<i64>) -> Result<PgConnection, StoreError> {
        let mut connection = self.connect_postgres(options).await?;
        self.migrated(POSTGRES.run_direct(up_to, &mut connection, false)).await?;
        Ok(connection)
    }

    async fn migrated(&self, migrating: impl Future<Output = Result<(), MigrateError>>) -> Result<(), StoreError> {
        match tokio::time::timeout(MIGRATION_LIMIT, migrating).await {
            Ok(migrated) => migrated.map_err(|source| StoreError::migrate(self.describe(), source)),
            Err(_) => {
                let what = format!("cannot bring the tables at {} up to date", self.describe());
                Err(StoreError::TimedOut { what, seconds: MIGRATION_LIMIT.as_secs() })
            }
        }
    }

    /// Refuses a file that another program keeps its tables in, before anything is changed in it.
    async fn must_be_ours_or_new(&self, path: &Path) -> Result<(), StoreError> {
        if !std::fs::metadata(path).is_ok_and(|file| file.len() > 0) {
            return Ok(());
        }
        let mut connection = self.connect_sqlite(&sqlite_options(path).read_only(true)).await?;
        let tables: sqlx::Result<Vec<String>> =
            sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'").fetch_all(&mut connection).await;
        close(connection).await;
        let tables = tables.map_err(|source| StoreError::connect(self.describe(), source))?;
        match tables.is_empty() || tables.iter().any(|table| table == "_sqlx_migrations") {
            true => Ok(()),
            false => Err(StoreError::Foreign { place: self.describe() }),
        }
    }

    /// Opens what is there, for reading.
    pub(super) async fn open_read_only(self) -> Result<Database, StoreError> {
        match &self {
            Self::Sqlite(path) => {
                close(self.read_sqlite(path).await?).await;
                let readers = sqlite_pool(SQLITE_READERS).connect_lazy_with(sqlite_options(path).read_only(true));
                let readers = Limited::new(readers, Hold::default());
                Ok(Database::Sqlite { writer: readers.clone(), readers })
            }
            Self::Postgres(options) => {
                close(self.read_postgres(options).await?).await;
                Ok(postgres_database(&read_only(options), Hold::default()))
            }
        }
    }

    /// Connects to what a node of this version has made, for reading.
    pub(super) async fn read_sqlite(&self, path: &Path) -> Result<SqliteConnection, StoreError> {
        if !path.exists() {
            return Err(StoreError::NoDatabase { place: self.describe() });
        }
        let mut connection = self.connect_sqlite(&sqlite_options(path).read_only(true)).await?;
        self.check_schema(&SQLITE, &mut connection).await?;
        Ok(connection)
    }

    /// The same with Postgres.
    pub(super) async fn read_postgres(&self, options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
        let mut connection = self.connect_postgres(&read_only(options)).await?;
        self.check_schema(&POSTGRES, &mut connection).await?;
        Ok(connection)
    }

    /// Connects once outside any pool: a pool would hide a refusal and try until its time limit.
    pub(super) async fn connect_postgres(&self, options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
        let (statement, lock) = PATIENT_LIMITS;
        self.in_time(PgConnection::connect_with(&with_limits(options, statement, lock))).await
    }

    pub(super) async fn connect_sqlite(&self, options: &SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
        self.in_time(SqliteConnection::connect_with(options)).await
    }

    async fn in_time<T>(&self, connecting: impl Future<Output = sqlx::Result<T>>) -> Result<T, StoreError> {
        match tokio::time::timeout(CONNECT_LIMIT, connecting).await {
            Ok(connected) => connected.map_err(|source| StoreError::connect(self.describe(), source)),
            Err(_) => {
                Err(StoreError::TimedOut { what: format!("cannot connect to {}", self.describe()), seconds: CONNECT_LIMIT.as_secs() })
            }
        }
    }

    async fn check_schema(&self, migrator: &Migrator, connection: &mut impl Migrate) -> Result<(), StoreError> {
        let needed = last_of(migrator);
        // The table of migrations is missing in a database that no node has used.
        let applied = match connection.list_applied_migrations(&migrator.table_name).await {
            Ok(applied) => applied,
            Err(MigrateError::Execute(source)) => match StoreError::connect(self.describe(), source) {
                damaged @ StoreError::Damaged { .. } => return Err(damaged),
                _ => Vec::new(),
            },
            Err(_) => Vec::new(),
        };
        match applied.iter().map(|migration| migration.version).max() {
            None => Err(StoreError::NoDatabase { place: self.describe() }),
            Some(found) if found == needed => Ok(()),
            Some(found) => {
                let hint = if found < needed { "restart the node with this program" } else { "use the program that the node runs" };
                Err(StoreError::OtherSchema { place: self.describe(), found, needed, hint })
            }
        }
    }
}

/// The number of the last migration, the same for both databases.
pub(super) fn last_schema() -> i64 {
    last_of(&SQLITE)
}

fn last_of(migrator: &Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// Has Postgres end every statement that takes longer, or waits longer for a lock.
fn with_limits(options: &PgConnectOptions, statement: Duration, lock: Duration) -> PgConnectOptions {
    let limits = [("statement_timeout", statement), ("lock_timeout", lock)];
    options.clone().options(limits.map(|(name, limit)| (name, limit.as_millis())))
}

fn read_only(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().options([("default_transaction_read_only", "on")])
}

pub(super) fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_LIMIT).foreign_keys(true).disable_statement_logging()
}

fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_LIMIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

fn postgres_database(options: &PgConnectOptions, hold: Hold) -> Database {
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(CONNECT_LIMIT)
        .idle_timeout(POSTGRES_IDLE)
        .max_lifetime(None)
        // The pool waits until a connection that comes back answers, however long. One that does not must not keep its place.
        .after_release(|connection, _| {
            Box::pin(async { Ok(matches!(tokio::time::timeout(CONNECT_LIMIT, connection.ping()).await, Ok(Ok(())))) })
        })
        .connect_lazy_with(with_limits(options, STATEMENT_LIMIT, STATEMENT_LIMIT));
    Database::Postgres { writer: Limited::new(pool.clone(), hold), readers: Limited::new(pool, Hold::default()) }
}

/// Says goodbye; that it may fail changes nothing for us.
pub(super) async fn close(connection: impl Connection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a database connection did not close cleanly");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(url: &str) -> String {
        match Place::parse(url, Path::new("data")) {
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
