//! Databases of users: one pool of connections each, with limits of its own. The store of the node is none of them.
//!
//! A script cannot do more than the login role of its database on Postgres, and not more than read and write its file on SQLite.

mod answer;
mod files;
mod json;
mod migrate;
mod migrations;
mod moment;
mod pool;
mod postgres;
mod settings;
mod sqlite;
mod text;

use std::{collections::BTreeMap, path::Path, time::Instant};

use async_trait::async_trait;

pub use self::{
    answer::AnswerLimits,
    files::{database_of, databases_in, file_of},
    migrate::{check_files, tables},
    settings::{DatabaseSettings, DatabaseUrl, NotADatabaseUrl},
    sqlite::{NotCopied, copy},
};
use self::{migrate::Scratches, postgres::Postgres, settings::Place, sqlite::Sqlite};
use crate::{
    cancel::CancelFlag,
    capability::sql::{Databases, Rows, SqlError, Statement, StatementBounds, Transaction},
    function::grants::sql::DatabaseName,
};

/// The databases that the configuration names. Each connects when it is first used.
pub struct UserDatabases {
    databases: BTreeMap<DatabaseName, Database>,
    scratches: Scratches,
}

enum Database {
    Postgres(Postgres),
    Sqlite(Sqlite),
}

impl UserDatabases {
    /// Makes the databases of a node that has this data folder. Call it inside the runtime that connections shall live on.
    pub fn new(settings: &[DatabaseSettings], data: &Path) -> Self {
        let database = |settings: &DatabaseSettings| match settings.url.place(&settings.name, data) {
            Place::Postgres(options) => Database::Postgres(Postgres::new(*options, settings)),
            Place::Sqlite(path) => Database::Sqlite(Sqlite::new(path, settings)),
        };
        Self {
            databases: settings.iter().map(|settings| (settings.name.clone(), database(settings))).collect(),
            scratches: Scratches::default(),
        }
    }

    fn find(&self, name: &DatabaseName) -> Result<&Database, SqlError> {
        self.databases.get(name).ok_or_else(|| SqlError::no_database(name, &self.names()))
    }
}

#[async_trait]
impl Databases for UserDatabases {
    fn names(&self) -> Vec<DatabaseName> {
        self.databases.keys().cloned().collect()
    }

    async fn query(&self, database: &DatabaseName, statement: &Statement, bounds: StatementBounds) -> Result<Rows, SqlError> {
        match self.find(database)? {
            Database::Postgres(database) => database.query(statement, bounds).await,
            Database::Sqlite(database) => database.query(statement, bounds).await,
        }
    }

    async fn begin(&self, database: &DatabaseName, deadline: Instant, cancel: &CancelFlag) -> Result<Box<dyn Transaction>, SqlError> {
        match self.find(database)? {
            Database::Postgres(database) => database.begin(deadline).await,
            Database::Sqlite(database) => database.begin(deadline, cancel).await,
        }
    }
}
