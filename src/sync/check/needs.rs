//! What files name in their front-matter and the node must have: secrets and databases.
//!
//! A change that names what is not there is refused. What is live, what a node finds at its start, and what somebody goes back to is not: it
//! goes live with a warning, and fails when it runs.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use crate::{
    capability::{
        Capabilities,
        secret::NoSecret,
        sql::{Databases, SqlError},
    },
    function::{
        Diagnostic, Digest, FilePath, Tree, TreeSettings,
        front_matter::ScriptFile,
        grants::{Grants, sql::DatabaseName},
        role::{MIGRATIONS, is_migration},
    },
};

/// What excuses files that need what is not there: they may go live all the same.
#[derive(Debug, Clone, Default)]
pub enum Excuse {
    /// All have one: the node starts, or somebody goes back.
    #[default]
    All,
    /// Those have one that are as they were when they were live.
    Known {
        /// What is live.
        live: Arc<Tree>,
        /// What was live before somebody went back; none: the file was not there.
        abandoned: BTreeMap<FilePath, Option<Digest>>,
    },
}

impl Excuse {
    /// Returns whether a file of a tree has one.
    pub fn has(&self, file: &FilePath, tree: &Tree) -> bool {
        let Self::Known { live, abandoned } = self else { return true };
        let digest = tree.get(file).map(|content| content.digest);
        live.get(file).map(|content| content.digest) == digest || abandoned.get(file).is_some_and(|abandoned| *abandoned == digest)
    }

    /// Returns whether the tables of a database have one: its migrations are those that are live.
    pub fn has_tables(&self, database: &DatabaseName, tree: &Tree) -> bool {
        let Self::Known { live, .. } = self else { return true };
        let folder = format!("{MIGRATIONS}/{database}");
        migrations_below(live, &folder).eq(migrations_below(tree, &folder))
    }
}

/// Returns the migrations of a tree in a folder.
pub fn migrations_below<'t>(tree: &'t Tree, folder: &str) -> impl Iterator<Item = (&'t FilePath, Digest)> + use<'t> {
    let folder = format!("{folder}/");
    let from = tree.range::<str, _>((Bound::Included(folder.as_str()), Bound::Unbounded));
    let below = from.take_while(move |(path, _)| path.starts_with(&folder));
    below.filter(|(path, _)| is_migration(path)).map(|(path, content)| (path, content.digest))
}

/// Returns what the files of a tree name and the node does not have. Without a node nobody knows that.
pub fn missing(offered: Option<&Capabilities>, settings: &TreeSettings, tree: &Tree, excuse: &Excuse) -> Vec<Diagnostic> {
    let Some(offered) = offered else { return Vec::new() };
    let found = settings.written().flat_map(|(file, manifest)| {
        let lacks = lacks(offered, &manifest.grants).into_iter();
        lacks.map(move |lack| at_key(Diagnostic::error(file.clone(), lack.message).hint(lack.hint), &lack.key, tree))
    });
    found.map(|found| if excuse.has(&found.file, tree) { found.as_warning() } else { found }).collect()
}

/// A name that stands for nothing.
struct Lack {
    /// Where it is written.
    key: String,
    message: String,
    hint: String,
}

fn lacks(offered: &Capabilities, grants: &Grants) -> Vec<Lack> {
    let names = &grants.secrets;
    let secrets = offered.secrets.iter().flat_map(|secrets| secrets.missing(names)).map(|name| {
        let why = NoSecret::NotSet(name.clone());
        let number = names.iter().position(|known| known == name).unwrap_or_default();
        Lack { key: format!("secrets.{number}"), message: why.to_string(), hint: why.hint() }
    });
    let database = offered.sql.iter().zip(&grants.sql).filter_map(|(databases, name)| no_database(&**databases, name));
    secrets.chain(database).collect()
}

fn no_database(databases: &dyn Databases, name: &DatabaseName) -> Option<Lack> {
    let names = databases.names();
    (!names.contains(name)).then(|| {
        let SqlError { message, hint, .. } = SqlError::no_database(name, &names);
        Lack { key: "sql.database".into(), message, hint: hint.unwrap_or_default() }
    })
}

/// Says that a diagnostic is about a key of the front-matter of its file.
pub fn at_key(diagnostic: Diagnostic, key: &str, tree: &Tree) -> Diagnostic {
    let marked = || {
        let text = std::str::from_utf8(&tree.get(&diagnostic.file)?.bytes).ok()?;
        let settings = ScriptFile::split(&diagnostic.file, text).ok()?.settings(&diagnostic.file).ok()??;
        Some(settings.mark(diagnostic.clone(), key))
    };
    marked().unwrap_or(diagnostic)
}
