//! Applies migrations to a database on Postgres, or tries them and takes everything back.

use std::{sync::Arc, time::Instant};

use super::{
    session::{Server, Session},
    transaction::PostgresTransaction,
};
use crate::{
    cancel::CancelFlag,
    capability::sql::{Rows, SqlError, SqlValue, Statement, StatementBounds, Transaction as _},
    clock::monotonic,
    function::FilePath,
    sql::migrations::{APPLIED, CREATE_TABLE, Failure, LIMIT, Migration, MigrationRecord, Mode, RECORD, failure, pending, split},
};

/// The longest that a migration waits for a table that is in use. Others wait behind it meanwhile.
const LOCK_MS: u32 = 5_000;
/// Lets one node after the other migrate. The number is `picm` in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1885954925, hashtext(current_database()))";

/// Applies what is pending, each migration in a transaction of its own, or tries all of it in one that is rolled back.
pub async fn migrate(server: &Arc<Server>, migrations: &[Migration], mode: Mode) -> Result<Vec<FilePath>, Failure> {
    let deadline = monotonic() + LIMIT;
    let mut done = Vec::new();
    loop {
        let mut run = Run::begin(server, deadline).await.map_err(Failure::Unavailable)?;
        let outcome = match mode {
            Mode::Apply => run.step(migrations, 1).await,
            Mode::Try => run.step(migrations, migrations.len()).await,
        };
        match (outcome, mode) {
            (Ok(applied), Mode::Apply) if !applied.is_empty() => {
                run.commit().await.map_err(|error| failure(applied[0], 0, error))?;
                server.renew();
                done.extend(applied.iter().map(|migration| migration.path.clone()));
            }
            (outcome, _) => {
                run.roll_back().await;
                return outcome.map(|_| done);
            }
        }
    }
}

/// A transaction in which migrations run.
struct Run {
    transaction: Box<PostgresTransaction>,
    deadline: Instant,
}

impl Run {
    async fn begin(server: &Arc<Server>, deadline: Instant) -> Result<Self, SqlError> {
        let settings = format!("SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {LOCK_MS}", LIMIT.as_millis());
        let session = Session::open(server, deadline).await?;
        let mut run = Self { transaction: Box::new(PostgresTransaction::begin_with(session, deadline, &settings).await?), deadline };
        run.query(LOCK, vec![]).await?;
        Ok(run)
    }

    async fn query(&mut self, text: &str, parameters: Vec<SqlValue>) -> Result<Rows, SqlError> {
        let bounds = StatementBounds { deadline: self.deadline, bytes: usize::MAX, cancel: CancelFlag::default() };
        self.transaction.query(&Statement::new(text, parameters), bounds).await
    }

    /// Runs so many of the pending migrations.
    async fn step<'m>(&mut self, migrations: &'m [Migration], count: usize) -> Result<Vec<&'m Migration>, Failure> {
        self.query(CREATE_TABLE, vec![]).await.map_err(Failure::Unavailable)?;
        let rows = self.query(APPLIED, vec![]).await.map_err(Failure::Unavailable)?;
        let applied: Vec<MigrationRecord> = rows.rows.into_iter().filter_map(applied).collect();
        let mut pending = pending(migrations, &applied)?;
        pending.truncate(count);
        for migration in &pending {
            for piece in split(&migration.text) {
                self.query(piece.text, vec![]).await.map_err(|error| failure(migration, piece.begin, error))?;
            }
            let row = vec![SqlValue::Int(migration.number), SqlValue::Text(migration.name().into()), SqlValue::Text(migration.checksum())];
            self.query(RECORD, row).await.map_err(|error| failure(migration, 0, error))?;
        }
        Ok(pending)
    }

    async fn commit(self) -> Result<(), SqlError> {
        self.transaction.commit().await
    }

    async fn roll_back(self) {
        self.transaction.rollback().await;
    }
}

fn applied(row: Vec<SqlValue>) -> Option<MigrationRecord> {
    match <[SqlValue; 2]>::try_from(row).ok()? {
        [SqlValue::Int(number), SqlValue::Text(checksum)] => Some(MigrationRecord { number, checksum }),
        _ => None,
    }
}
