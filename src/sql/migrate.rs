//! The migrations of a tree, checked and applied on each database that they are for.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;

use super::{
    Database, UserDatabases,
    migrations::{Failure, Migration, Mode, of_tree},
    settings::DatabaseSettings,
    sqlite::Scratch,
};
use crate::{
    blocking,
    capability::sql::{Databases as _, MigrationError, Migrations, SqlError},
    function::{Diagnostic, FilePath, Tree, grants::sql::DatabaseName},
};

/// Checks the migrations of a tree without a database: names, numbers, and on SQLite the statements.
pub fn check_files(settings: &[DatabaseSettings], tree: &Tree) -> Vec<Diagnostic> {
    let names: Vec<DatabaseName> = settings.iter().map(|settings| settings.name.clone()).collect();
    let (migrations, mut found) = of_tree(tree, &names);
    for settings in settings.iter().filter(|settings| settings.url.is_sqlite()) {
        if let Some(migrations) = migrations.get(&settings.name)
            && let Err(Failure::Wrong(wrong)) = Scratch::new(migrations)
        {
            found.extend(with_later(migrations, *wrong));
        }
    }
    found
}

/// Returns what compares statements with tables where there is no node. No database is opened. Call it inside a runtime.
pub fn tables(settings: &[DatabaseSettings], data: &Path) -> Arc<dyn Migrations> {
    Arc::new(UserDatabases::new(settings, data))
}

/// Returns a mistake, and one for each later migration of the same database.
fn with_later(migrations: &[Migration], wrong: Diagnostic) -> Vec<Diagnostic> {
    let later = migrations.iter().skip_while(|migration| migration.path != wrong.file).skip(1);
    let waits = |migration: &Migration| {
        Diagnostic::error(migration.path.clone(), format!("this migration comes after `{}`, which has a mistake", wrong.file))
    };
    let mut found: Vec<Diagnostic> = later.map(waits).collect();
    found.push(wrong);
    found
}

#[async_trait]
impl Migrations for UserDatabases {
    async fn check(&self, tree: &Tree) -> Result<Vec<Diagnostic>, SqlError> {
        let (migrations, mut found) = of_tree(tree, &self.names());
        for (name, migrations) in &migrations {
            match self.find(name)?.try_migrations(migrations).await {
                Ok(()) => {}
                Err(Failure::Wrong(wrong)) => found.extend(with_later(migrations, *wrong)),
                Err(Failure::Unavailable(error)) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn apply(&self, tree: &Tree) -> Result<Vec<FilePath>, MigrationError> {
        let (migrations, found) = of_tree(tree, &self.names());
        if !found.is_empty() {
            return Err(MigrationError::Wrong(found));
        }
        let mut done = Vec::new();
        for (name, migrations) in &migrations {
            let database = self.find(name).map_err(MigrationError::Unavailable)?;
            let applied = match database {
                Database::Postgres(database) => database.migrate(migrations, Mode::Apply).await,
                Database::Sqlite(database) => database.migrate(migrations).await,
            };
            done.extend(applied.map_err(|failure| match failure {
                Failure::Wrong(wrong) => MigrationError::Wrong(with_later(migrations, *wrong)),
                Failure::Unavailable(error) => MigrationError::Unavailable(error),
            })?);
        }
        Ok(done)
    }

    fn fit(&self, tree: &Tree, statements: &[(&DatabaseName, &str)]) -> Vec<Result<(), SqlError>> {
        let (migrations, _) = of_tree(tree, &self.names());
        let fits = |(name, text): &(&DatabaseName, &str)| match self.find(name)? {
            Database::Postgres(_) => Ok(()),
            Database::Sqlite(_) => self.scratches.fits(migrations.get(*name).map_or(&[][..], Vec::as_slice), name, text),
        };
        statements.iter().map(fits).collect()
    }
}

impl Database {
    /// Looks whether migrations could be applied.
    async fn try_migrations(&self, migrations: &[Migration]) -> Result<(), Failure> {
        match self {
            Self::Postgres(database) => database.migrate(migrations, Mode::Try).await.map(drop),
            Self::Sqlite(database) => {
                database.compare(migrations).await?;
                let migrations = migrations.to_vec();
                blocking::run(move || Scratch::new(&migrations).map(drop)).await.unwrap_or(Ok(()))
            }
        }
    }
}

/// The SQLSTATE of a table that is not there.
const NO_TABLE: &str = "42P01";

/// The tables in memory of each database that somebody asked about, with the migrations that made them.
#[derive(Default)]
pub(super) struct Scratches(Mutex<BTreeMap<DatabaseName, ScratchTables>>);

/// Migrations, and the tables that they make; none if they cannot.
type ScratchTables = (Vec<Migration>, Option<Scratch>);

impl Scratches {
    fn fits(&self, migrations: &[Migration], database: &DatabaseName, text: &str) -> Result<(), SqlError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(database).is_none_or(|(made_by, _)| *made_by != migrations) {
            known.insert(database.clone(), (migrations.to_vec(), Scratch::new(migrations).ok()));
        }
        // Migrations with a mistake are told where they are checked.
        let Some((_, Some(scratch))) = known.get(database) else { return Ok(()) };
        match scratch.prepare(text) {
            Err(error) if error.code.as_deref() == Some(NO_TABLE) && migrations.is_empty() => Ok(()),
            Err(error) if error.code.as_deref() == Some(NO_TABLE) => Err(error.hint(format!(
                "migrations in `_sql/{database}/` make tables; one of them can name a table that is there already: `CREATE TABLE IF NOT EXISTS …`"
            ))),
            fits => fits,
        }
    }
}
