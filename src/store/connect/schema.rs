//! The tables: brought up to date, or compared with those that this program needs.

use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migrator};

use super::DatabaseUrl;
use crate::store::StoreError;

pub(super) static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
pub(super) static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The longest that bringing the tables up to date may take. A large table on a slow disk takes minutes.
const MIGRATION_LIMIT: Duration = Duration::from_secs(600);

impl DatabaseUrl {
    /// Waits for a migration, with a time limit.
    pub(super) async fn migrated(&self, migrating: impl Future<Output = Result<(), MigrateError>>) -> Result<(), StoreError> {
        match tokio::time::timeout(MIGRATION_LIMIT, migrating).await {
            Ok(migrated) => migrated.map_err(|source| StoreError::migrate(self.describe(), source)),
            Err(_) => {
                let what = format!("cannot bring the tables at {} up to date", self.describe());
                Err(StoreError::TimedOut { what, seconds: MIGRATION_LIMIT.as_secs() })
            }
        }
    }

    /// Refuses a database of another version of this program, or of none.
    pub(super) async fn check_schema(&self, migrator: &Migrator, connection: &mut impl Migrate) -> Result<(), StoreError> {
        let needed = last_of(migrator);
        // A database that no node has used has no table of migrations.
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

/// Returns whether a migration makes a table of this name. Other tables of the database belong to others.
pub(in crate::store) fn is_own_table(name: &str) -> bool {
    let makes = |line: &str| line.strip_prefix("CREATE TABLE ").and_then(|rest| rest.split([' ', '(']).next()) == Some(name);
    SQLITE.iter().any(|migration| migration.sql.as_str().lines().any(makes))
}

/// The number of the last migration. It is the same for both databases.
pub(in crate::store) fn last_schema() -> i64 {
    last_of(&SQLITE)
}

fn last_of(migrator: &Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or_default()
}
