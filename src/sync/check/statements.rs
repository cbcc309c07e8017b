//! Statements of SQL that scripts have as plain text, compared with the tables that the migrations of the tree make.

use std::{collections::HashMap, mem, sync::Arc};

use super::needs::{Excuse, at_key, migrations_below};
use crate::{
    capability::sql::{Migrations, SqlError, SqlErrorKind},
    engine::{Program, statement::PlainStatement},
    function::{Diagnostic, Digest, FilePath, Tree, Version, role::MIGRATIONS},
};

/// Most wrong statements told of one function: nobody reads more.
const MAX_WRONG: usize = 100;

/// What is known of the statements of a tree.
#[derive(Clone, Default)]
pub struct Statements {
    /// Knows tables; none: statements are not looked at.
    tables: Option<Arc<dyn Migrations>>,
    /// The migrations that statements were compared with.
    migrations: Vec<(FilePath, Digest)>,
    /// The statements of each function that do not fit, by their number.
    wrong: HashMap<Version, Vec<(usize, SqlError)>>,
}

impl Statements {
    /// Begins with who knows tables.
    pub fn new(tables: Arc<dyn Migrations>) -> Self {
        Self { tables: Some(tables), ..Self::default() }
    }

    /// Compares the statements of programs of a tree that were not compared yet, and forgets those of others.
    pub fn compare<'a>(&mut self, tree: &Tree, programs: impl Iterator<Item = &'a Arc<Program>>) {
        let Some(tables) = &self.tables else { return };
        let migrations = || migrations_below(tree, MIGRATIONS);
        if !migrations().eq(self.migrations.iter().map(|(file, digest)| (file, *digest))) {
            self.migrations = migrations().map(|(file, digest)| (file.clone(), digest)).collect();
            self.wrong.clear();
        }
        let mut before = mem::take(&mut self.wrong);
        let mut new = Vec::new();
        for program in programs.filter(|program| !program.statements.is_empty()) {
            match before.remove_entry(&program.function.version) {
                Some((version, wrong)) => drop(self.wrong.insert(version, wrong)),
                None => new.push(program),
            }
        }
        if new.is_empty() {
            return;
        }
        let texts: Vec<_> = new.iter().flat_map(|program| &program.statements).map(|of| (&of.database, of.text())).collect();
        let mut fits = tables.fit(tree, &texts).into_iter();
        for program in new {
            let of_program = fits.by_ref().take(program.statements.len()).enumerate();
            let wrong = of_program.filter_map(|(number, fits)| Some((number, fits.err().filter(is_mistake)?)));
            self.wrong.insert(program.function.version, wrong.collect());
        }
    }

    /// Returns what is wrong with the statements of a program.
    pub fn wrong<'a>(&'a self, program: &'a Program, tree: &Tree, excuse: &Excuse) -> Vec<Diagnostic> {
        let wrong = self.wrong.get(&program.function.version).into_iter().flatten().take(MAX_WRONG);
        wrong.map(|(number, error)| judged(&program.statements[*number], error, tree, excuse)).collect()
    }
}

/// Says what is wrong with a statement, at the file that is to change: that of the call, or the one that names another database now.
fn judged(statement: &PlainStatement, error: &SqlError, tree: &Tree, excuse: &Excuse) -> Diagnostic {
    let found = statement.wrong(error);
    if !excuse.has_tables(&statement.database, tree) || !excuse.has(statement.file(), tree) {
        return found;
    }
    if excuse.has(&statement.root, tree) {
        return found.as_warning();
    }
    let message = format!("`{}` does not fit the database `{}`: {}", statement.file(), statement.database, found.message);
    at_key(Diagnostic::error(statement.root.clone(), message).maybe_hint(found.hint), "sql.database", tree)
}

/// Whether an error is about the statement, and not about the tables in memory, or a database that is not there.
fn is_mistake(error: &SqlError) -> bool {
    matches!(error.kind, SqlErrorKind::Statement | SqlErrorKind::Denied)
}
