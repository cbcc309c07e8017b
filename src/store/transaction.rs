//! A transaction on either database, for statements whose text is the same on both.

use sqlx::{AssertSqlSafe, FromRow, Postgres, Sqlite, postgres::PgRow, sqlite::SqliteRow};

use super::{
    batch::{Parameter, bind},
    database::Database,
    pool::{STATEMENT_LIMIT, Transaction},
};

/// A transaction on either database.
pub(super) enum EitherTransaction {
    /// On Postgres.
    Postgres(Transaction<Postgres>),
    /// On SQLite.
    Sqlite(Transaction<Sqlite>),
}

impl EitherTransaction {
    /// Begins one that is on the disk when it has ended.
    pub(super) async fn begin(database: &Database) -> sqlx::Result<Self> {
        Ok(match database {
            Database::Postgres { writer, .. } => Self::Postgres(writer.begin(STATEMENT_LIMIT).await?),
            Database::Sqlite { writer, .. } => Self::Sqlite(writer.begin_durable(STATEMENT_LIMIT).await?),
        })
    }

    /// Begins one that may still be on its way to the disk when it has ended: its work can be done again.
    pub(super) async fn begin_repeatable(database: &Database) -> sqlx::Result<Self> {
        Ok(match database {
            Database::Postgres { writer, .. } => Self::Postgres(writer.begin_repeatable(STATEMENT_LIMIT).await?),
            Database::Sqlite { writer, .. } => Self::Sqlite(writer.begin(STATEMENT_LIMIT).await?),
        })
    }

    /// Runs a statement, and returns its rows.
    pub(super) async fn fetch<R>(&mut self, sql: impl Into<String>, parameters: Vec<Parameter>) -> sqlx::Result<Vec<R>>
    where
        R: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow>,
    {
        let sql = AssertSqlSafe(sql.into());
        match self {
            Self::Postgres(transaction) => {
                let rows = transaction.fetch_all(bind!(sqlx::query(sql), parameters)).await?;
                rows.iter().map(R::from_row).collect()
            }
            Self::Sqlite(transaction) => {
                let rows = transaction.fetch_all(bind!(sqlx::query(sql), parameters)).await?;
                rows.iter().map(R::from_row).collect()
            }
        }
    }

    /// Runs a query whose text is never the same twice, and returns its rows. It is not prepared, which would cost a round trip more.
    pub(super) async fn fetch_once<R>(&mut self, sql: String) -> sqlx::Result<Vec<R>>
    where
        R: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow>,
    {
        let query = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            Self::Postgres(transaction) => transaction.fetch_all(query).await?.iter().map(R::from_row).collect(),
            Self::Sqlite(transaction) => transaction.fetch_all(query).await?.iter().map(R::from_row).collect(),
        }
    }

    /// Runs a statement, and returns how many rows it changed.
    pub(super) async fn execute(&mut self, sql: impl Into<String>, parameters: Vec<Parameter>) -> sqlx::Result<u64> {
        let sql = AssertSqlSafe(sql.into());
        match self {
            Self::Postgres(transaction) => Ok(transaction.execute(bind!(sqlx::query(sql), parameters)).await?.rows_affected()),
            Self::Sqlite(transaction) => Ok(transaction.execute(bind!(sqlx::query(sql), parameters)).await?.rows_affected()),
        }
    }

    /// Keeps the changes.
    pub(super) async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Postgres(transaction) => transaction.commit().await,
            Self::Sqlite(transaction) => transaction.commit().await,
        }
    }
}
