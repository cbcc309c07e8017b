//! Databases that scripts use, on SQLite and on Postgres, through the seam.

mod answers;
mod denied;
mod endings;
mod kills;
mod migrations;
mod transactions;
mod values;

use std::{path::Path, sync::Arc, time::Duration};

use picloud::{
    cancel::CancelFlag,
    capability::sql::{Databases, Rows, SqlError, SqlValue, Statement, StatementBounds, Transaction},
    clock::monotonic,
    function::grants::sql::DatabaseName,
    secret::Secret,
    sql::{DatabaseSettings, DatabaseUrl, UserDatabases},
};

use crate::kit::store::Fresh;

/// One database called `app`.
pub struct App {
    pub fresh: Fresh,
    pub databases: Arc<UserDatabases>,
}

pub fn app_name() -> DatabaseName {
    "app".parse().unwrap()
}

pub fn bounds(time: Duration) -> StatementBounds {
    StatementBounds { deadline: monotonic() + time, bytes: usize::MAX, cancel: CancelFlag::default() }
}

/// Much more than anything here takes.
pub fn generous() -> StatementBounds {
    bounds(Duration::from_secs(60))
}

/// A statement without parameters.
pub fn text(text: &str) -> Statement {
    Statement::new(text, [])
}

impl App {
    pub fn new(fresh: Fresh) -> Self {
        Self::with(fresh, |settings| settings)
    }

    pub fn with(fresh: Fresh, set: impl FnOnce(DatabaseSettings) -> DatabaseSettings) -> Self {
        let url = DatabaseUrl::parse(&Secret::new(&fresh.url)).unwrap();
        let settings = set(DatabaseSettings::new(app_name(), url));
        let databases = Arc::new(UserDatabases::new(&[settings], fresh.folder.path()));
        Self { fresh, databases }
    }

    /// The same with a data folder elsewhere.
    pub fn at(fresh: Fresh, folder: &Path) -> Self {
        let url = DatabaseUrl::parse(&Secret::new(&fresh.url)).unwrap();
        let databases = Arc::new(UserDatabases::new(&[DatabaseSettings::new(app_name(), url)], folder));
        Self { fresh, databases }
    }

    pub fn is_sqlite(&self) -> bool {
        self.fresh.url == "sqlite"
    }

    pub async fn run(&self, statement: &Statement) -> Result<Rows, SqlError> {
        self.databases.query(&app_name(), statement, generous()).await
    }

    #[track_caller]
    pub fn done(&self, sql: &str) -> impl Future<Output = Rows> {
        let (databases, statement) = (self.databases.clone(), text(sql));
        async move { databases.query(&app_name(), &statement, generous()).await.unwrap_or_else(|error| panic!("{}: {error:?}", statement.text)) }
    }

    /// The error of a statement.
    pub async fn refused(&self, sql: &str) -> SqlError {
        match self.run(&text(sql)).await {
            Ok(rows) => panic!("{sql}: {rows:?}"),
            Err(error) => error,
        }
    }

    /// The one value of an answer.
    pub async fn value(&self, sql: &str) -> SqlValue {
        let rows = self.done(sql).await;
        assert_eq!((rows.rows.len(), rows.columns.len()), (1, 1), "{sql}");
        rows.rows[0][0].clone()
    }

    pub async fn begin(&self) -> Box<dyn Transaction> {
        self.databases.begin(&app_name(), monotonic() + Duration::from_secs(60), &CancelFlag::default()).await.unwrap()
    }
}
