//! A connection while one script uses it. Afterwards it is as it was before, or it is gone.
//!
//! A statement whose caller went away does not go on: its connection is closed, and another one ends the server's process for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, Connection as _, Either, Executor as _, PgConnection, Row as _, SqlSafeStr as _, Statement as _,
    postgres::PgConnectOptions,
};
use tokio::{
    runtime::Handle,
    time::{timeout, timeout_at},
};

use super::{
    column,
    error::{self, Failure},
    parameter,
};
use crate::{
    blocking::as_task,
    capability::sql::{Rows, SqlError, SqlErrorKind, Statement, StatementBounds},
    clock::monotonic,
    sql::{
        answer::{Answer, AnswerLimits},
        pool::{Place, Pool},
        settings::DatabaseSettings,
        text,
    },
};

/// The longest for a new connection, for its return to the pool, and for the end of a process of the server.
const SERVICE_LIMIT: Duration = Duration::from_secs(5);
/// A connection that nobody used for so long is tried before it is used: the server may have gone meanwhile.
const FRESH: Duration = Duration::from_millis(500);

/// Undoes what a script can leave in a session: roles, settings, cursors, listeners, locks, temporary tables.
const RESET: &str = "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); \
                     DISCARD TEMP; DISCARD SEQUENCES";

/// A server, how to connect to it, and the connections that there are.
pub struct Server {
    options: PgConnectOptions,
    pool: Pool<Connection>,
    runtime: Handle,
    pub answer: AnswerLimits,
    statement_timeout: Duration,
    name: String,
    /// Whether its role was looked at.
    is_known: AtomicBool,
}

/// A connection, and the server's process for it.
pub struct Connection {
    postgres: PgConnection,
    process: i32,
    last_used: Instant,
}

impl Server {
    pub fn new(options: PgConnectOptions, settings: &DatabaseSettings) -> Self {
        let limits = [("statement_timeout", settings.statement_timeout.as_millis())];
        Self {
            options: options.options(limits).options([("client_min_messages", "error")]),
            pool: Pool::new(settings.connections),
            runtime: Handle::current(),
            answer: settings.answer,
            statement_timeout: settings.statement_timeout,
            name: settings.name.to_string(),
            is_known: AtomicBool::new(false),
        }
    }

    async fn connect(self: Arc<Self>) -> sqlx::Result<Connection> {
        let mut postgres = PgConnection::connect_with(&self.options).await?;
        let sql = "SELECT pg_backend_pid(), current_setting('is_superuser') = 'on'";
        let row = sqlx::query(sql).persistent(false).fetch_one(&mut postgres).await?;
        let (process, is_superuser): (i32, bool) = (row.try_get(0)?, row.try_get(1)?);
        if !self.is_known.swap(true, Ordering::Relaxed) && is_superuser {
            tracing::warn!(
                "scripts use the database `{}` as a superuser, who can run programs on its server: give them a role of their own",
                self.name
            );
        }
        Ok(Connection { postgres, process, last_used: monotonic() })
    }

    /// Ends the server's process for a connection that is closed on this side.
    async fn end(self: Arc<Self>, process: i32) {
        let end = async {
            let mut connection = PgConnection::connect_with(&self.options).await?;
            sqlx::query("SELECT pg_terminate_backend($1)").bind(process).persistent(false).execute(&mut connection).await?;
            connection.close().await
        };
        if !matches!(timeout(SERVICE_LIMIT, end).await, Ok(Ok(()))) {
            tracing::debug!("a statement on the database `{}` may go on until its timeout", self.name);
        }
    }

    /// Closes connections that nobody uses: what they have prepared is older than the tables.
    pub fn renew(&self) {
        self.pool.forget_idle();
    }

    /// Says why the database cannot be used: to the log all of it, to the script nothing about the way there.
    fn unavailable(&self, error: &sqlx::Error) -> SqlError {
        self.pool.forget_idle();
        tracing::warn!("the database `{}` does not answer: {}", self.name, error::reason(error));
        SqlError::new(SqlErrorKind::Unavailable, format!("the database `{}` does not answer", self.name)).code("08006")
    }

    fn timed_out(&self) -> SqlError {
        SqlError::new(SqlErrorKind::Timeout, format!("the time for the database `{}` is over", self.name)).code("57014")
    }
}

/// A connection in its place of the pool.
pub struct Session {
    server: Arc<Server>,
    /// Some until the session ends.
    open: Option<(Connection, Place<Connection>)>,
    /// Whether prepared statements are older than the tables.
    is_stale: bool,
    /// Whether the server may still work on a statement, or be in a transaction.
    is_busy: bool,
}

impl Session {
    /// Waits for a place, and connects where there is no connection yet.
    pub async fn open(server: &Arc<Server>, deadline: Instant) -> Result<Self, SqlError> {
        let Some(mut place) = server.pool.place(deadline).await else {
            let message = format!("all connections to the database `{}` are in use", server.name);
            return Err(SqlError::new(SqlErrorKind::Unavailable, message).code("53300"));
        };
        if let Some(mut connection) = place.take() {
            let is_fresh = connection.last_used.elapsed() < FRESH;
            if is_fresh || matches!(timeout_at(deadline.into(), connection.postgres.ping()).await, Ok(Ok(()))) {
                return Ok(Self { server: server.clone(), open: Some((connection, place)), is_busy: false, is_stale: false });
            }
        }
        let until = deadline.min(monotonic() + SERVICE_LIMIT);
        let connection = match timeout_at(until.into(), as_task(server.clone().connect())).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(server.unavailable(&error)),
            Err(_) => return Err(server.unavailable(&sqlx::Error::PoolTimedOut)),
        };
        Ok(Self { server: server.clone(), open: Some((connection, place)), is_busy: false, is_stale: false })
    }

    /// Runs one statement in a transaction of its own.
    pub async fn query_alone(mut self, statement: &Statement, bounds: StatementBounds) -> Result<Rows, SqlError> {
        let answer = self.query(statement, bounds.clone()).await;
        if !self.is_stale {
            return answer;
        }
        let cleared = timeout_at(bounds.deadline.into(), self.connection().clear_cached_statements()).await;
        self.is_stale = !matches!(cleared, Ok(Ok(())));
        if self.is_stale { answer } else { self.query(statement, bounds).await }
    }

    /// Runs one statement. Those that would begin or end a transaction, or take the connection over, are refused.
    pub async fn query(&mut self, statement: &Statement, bounds: StatementBounds) -> Result<Rows, SqlError> {
        text::must_be_whole(statement)?;
        error::must_be_allowed(&text::first_word(&statement.text))?;
        let was_busy = std::mem::replace(&mut self.is_busy, true);
        let answered = timeout_at(bounds.deadline.into(), self.answer(statement, &bounds)).await;
        match answered {
            Err(_) => Err(self.server.timed_out()),
            Ok(Ok(rows)) => {
                self.is_busy = was_busy;
                Ok(rows)
            }
            Ok(Err(Failure::Refused(error))) => {
                self.is_busy = was_busy;
                Err(error)
            }
            Ok(Err(Failure::Stale(error))) => {
                (self.is_busy, self.is_stale) = (was_busy, true);
                Err(error)
            }
            Ok(Err(Failure::Stopped(error))) => Err(error),
            Ok(Err(Failure::Broken(error))) => Err(self.server.unavailable(&error)),
        }
    }

    async fn answer(&mut self, statement: &Statement, bounds: &StatementBounds) -> Result<Rows, Failure> {
        let mut answer = Answer::new(self.server.answer, bounds);
        let failure = |error| Failure::of(error, &statement.text);
        let sql = || AssertSqlSafe(statement.text.clone()).into_sql_str();
        let connection = self.connection();
        let mut prepared = connection.prepare(sql()).await.map_err(failure)?;
        let arguments = match parameter::arguments(&prepared, &statement.parameters) {
            Ok(arguments) => arguments,
            // The types may be older than the tables.
            Err(_) => {
                connection.clear_cached_statements().await.map_err(failure)?;
                prepared = connection.prepare(sql()).await.map_err(failure)?;
                parameter::arguments(&prepared, &statement.parameters).map_err(Failure::Refused)?
            }
        };
        let forms = column::forms(prepared.columns()).map_err(Failure::Refused)?;
        let names = prepared.columns().iter().map(|column| sqlx::Column::name(column).to_owned());
        answer.columns(names.collect()).map_err(Failure::Refused)?;
        let mut rows = connection.fetch_many(prepared.query_with(arguments));
        while let Some(next) = rows.try_next().await.map_err(failure)? {
            match next {
                Either::Left(done) => answer.affected(done.rows_affected()),
                Either::Right(row) => column::read(&row, &forms, &mut answer).map_err(Failure::Stopped)?,
            }
        }
        drop(rows);
        Ok(answer.done())
    }

    /// Runs a statement of the node's own, such as `BEGIN`. The session is busy afterwards until [`Session::rest`].
    pub async fn command(&mut self, sql: String, deadline: Instant) -> Result<(), SqlError> {
        self.is_busy = true;
        let limit = deadline.min(monotonic() + SERVICE_LIMIT);
        let connection = self.connection();
        match timeout_at(limit.into(), connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.clone())))).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => match Failure::of(error, &sql) {
                Failure::Refused(error) | Failure::Stale(error) | Failure::Stopped(error) => Err(error),
                Failure::Broken(error) => Err(self.server.unavailable(&error)),
            },
            Err(_) => Err(self.server.timed_out()),
        }
    }

    /// Returns how long a statement may run that begins now.
    pub fn statement_limit(&self, deadline: Instant) -> Duration {
        self.server.statement_timeout.min(deadline.saturating_duration_since(monotonic()))
    }

    /// Says that no transaction is open any more.
    pub fn rest(&mut self) {
        self.is_busy = false;
    }

    fn connection(&mut self) -> &mut PgConnection {
        let (connection, _) = self.open.as_mut().expect("the session is open until it is dropped");
        &mut connection.postgres
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some((connection, place)) = self.open.take() else { return };
        let server = self.server.clone();
        if self.is_busy {
            let process = connection.process;
            drop(connection);
            server.runtime.clone().spawn(async move {
                server.end(process).await;
                drop(place);
            });
        } else if !self.is_stale {
            server.runtime.spawn(give_back(connection, place));
        }
    }
}

/// Makes a connection as it was when it was new, and gives it to the next. If that fails, it is closed.
async fn give_back(mut connection: Connection, place: Place<Connection>) {
    if matches!(timeout(SERVICE_LIMIT, connection.postgres.execute(sqlx::raw_sql(RESET))).await, Ok(Ok(_))) {
        connection.last_used = monotonic();
        place.give_back(connection);
    }
}
