//! Migrations of databases on the way of a deployment. They are checked with the files beside them, and applied before those go live.
//! An upload with migrations that cannot be applied is taken back (`upload`). Of a folder that others write, the rest goes live.

use std::sync::Arc;

use super::{
    NodeEdit, Sync,
    live_checker::LiveChecker,
    proposal::{Proposal, SourceState},
};
use crate::{
    capability::sql::MigrationError,
    clock::monotonic,
    deployment::Snapshot,
    function::{
        Content, Diagnostic, FilePath, Tree,
        front_matter::{ScriptFile, may_have},
        grants::sql::DatabaseName,
        role::is_migration,
    },
};

/// Returns the migrations of a tree.
fn of(tree: &Tree) -> impl Iterator<Item = (&FilePath, &Content)> {
    tree.iter().filter(|(path, _)| is_migration(path))
}

/// Returns the database that a script uses, if its front-matter names one.
fn database_of(path: &FilePath, content: &Content) -> Option<DatabaseName> {
    let text = std::str::from_utf8(&content.bytes).ok().filter(|_| may_have(content))?;
    ScriptFile::split(path, text).ok()?.settings(path).ok()??.grants().ok()?.sql
}

/// Returns whether a script waits for a migration: it uses its database.
fn waits_for(migration: &FilePath, path: &FilePath, content: &Content) -> bool {
    database_of(path, content).is_some_and(|name| migration.split('/').rev().nth(1) == Some(name.as_str()))
}

/// Returns the migrations of a snapshot that were written a moment ago. One that is live as it is was applied.
pub(super) fn unsettled(snapshot: &Snapshot, live: &Tree) -> Vec<FilePath> {
    let is_new = |path: &&FilePath| is_migration(path) && snapshot.tree.get(*path) != live.get(*path);
    snapshot.unsettled.iter().filter(is_new).cloned().collect()
}

/// Returns the tree of an earlier deployment with the migrations that are live: what they have done is not undone.
pub(super) fn keep(earlier: Tree, live: &Tree) -> Tree {
    let others = earlier.into_iter().filter(|(path, _)| !is_migration(path));
    others.chain(of(live).map(|(path, content)| (path.clone(), content.clone()))).collect()
}

/// Returns a sentence about the migrations that an earlier deployment did not have.
pub(super) fn kept_note(earlier: &Tree, live: &Tree) -> Option<String> {
    let kept: Vec<&str> = of(live).filter(|(path, _)| !earlier.contains_key(*path)).map(|(path, _)| &**path).collect();
    (!kept.is_empty()).then(|| format!("migrations are not undone: {} stays applied", kept.join(", ")))
}

impl LiveChecker {
    /// Returns what is wrong with the migrations of a tree. Those of the live tree were applied before it went live.
    pub(super) async fn check_migrations(&self, tree: &Tree) -> Vec<Diagnostic> {
        if of(tree).eq(of(&self.tree)) {
            return Vec::new();
        }
        match self.migrations.check(tree).await {
            Ok(found) => found,
            // The loop tries again when it applies them. Whoever only asks is told.
            Err(_) if self.beside.is_none() => Vec::new(),
            Err(error) => {
                let problem = Diagnostic::error("", format!("the migrations cannot be checked: {}", error.message));
                vec![problem.hint("try again when the database answers")]
            }
        }
    }

    /// Leaves migrations out that were written a moment ago: half of one could be applied, and never be mended. Changes to the scripts that
    /// use their databases wait with them. Returns the whole tree of the source where something is left out.
    pub(super) fn without_unsettled_migrations(&self, snapshot: &mut Snapshot) -> Option<Arc<Tree>> {
        let unsettled = unsettled(snapshot, &self.tree);
        if unsettled.is_empty() {
            return None;
        }
        let whole = Arc::new(snapshot.tree.clone());
        let changed = whole.iter().filter(|(path, content)| self.tree.get(*path) != Some(content));
        let waits = |path: &FilePath, content: &Content| unsettled.iter().any(|migration| waits_for(migration, path, content));
        let waiting: Vec<FilePath> = changed.filter(|(path, content)| waits(path, content)).map(|(path, _)| path.clone()).collect();
        for path in unsettled.iter().chain(&waiting) {
            match self.tree.get(path) {
                Some(live) => drop(snapshot.tree.insert(path.clone(), live.clone())),
                None => drop(snapshot.tree.remove(path)),
            }
        }
        Some(whole)
    }
}

impl SourceState {
    /// Returns a migration that was written a moment ago, and that one of these files waits for.
    pub(super) fn awaited(&self, files: &[FilePath], after: &Tree) -> Option<&FilePath> {
        let waits = |migration: &FilePath| {
            let mut contents = files.iter().filter_map(|path| Some((path, after.get(path)?)));
            contents.any(|(path, content)| waits_for(migration, path, content))
        };
        self.unsettled.iter().find(|migration| !files.contains(migration) && waits(migration))
    }
}

impl NodeEdit<'_> {
    /// Returns whether it is written for nothing, as migrations of its own are not applied.
    pub(super) fn needs(&self, error: &MigrationError) -> bool {
        match error {
            MigrationError::Wrong(found) => found.iter().any(|found| self.files.contains_key(&found.file)),
            MigrationError::Unavailable(_) => self.files.keys().any(|path| is_migration(path)),
        }
    }
}

impl Sync {
    /// Finds what of a snapshot can go live, and applies its migrations. One that fails is a mistake of its file. But an edit stands and
    /// falls with its own. Returns why not all of them are applied: nothing goes live then.
    pub(super) async fn propose(&mut self, mut snapshot: Snapshot, change: Option<NodeEdit<'_>>) -> (Proposal, Result<(), MigrationError>) {
        let began = monotonic();
        loop {
            if self.is_migrated && of(&snapshot.tree).eq(of(&self.tree)) {
                return (self.live_checker().propose(snapshot, began).await, Ok(()));
            }
            let proposal = self.live_checker().propose(snapshot.clone(), began).await;
            match self.migrate(&proposal).await {
                Err(error) if change.is_some_and(|change| change.needs(&error)) => return (proposal, Err(error)),
                Err(MigrationError::Wrong(found)) => snapshot.problems.extend(found),
                done => return (proposal, done),
            }
        }
    }

    /// Applies the migrations of what can go live.
    async fn migrate(&mut self, proposal: &Proposal) -> Result<(), MigrationError> {
        let tree = &proposal.good.tree;
        let is_live = of(tree).eq(of(&self.tree));
        if proposal.is_refused || (is_live && self.is_migrated) {
            return Ok(());
        }
        match self.parts.migrations.apply(tree).await {
            Ok(applied) => {
                self.is_migrated = true;
                applied.iter().for_each(|file| tracing::info!("the migration `{file}` is applied"));
                Ok(())
            }
            // At a start: what was live goes live again, and what does not fit its database says so itself.
            Err(MigrationError::Unavailable(error)) if is_live => {
                tracing::warn!("the migrations of what was live are not compared with their database: {error}");
                self.is_migrated = true;
                Ok(())
            }
            Err(MigrationError::Wrong(found)) if is_live => {
                found.iter().for_each(|found| tracing::error!("{found}"));
                self.is_migrated = true;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Says that a deployment waits for the database of its migrations.
    pub(super) fn tell_unmigrated(&self, error: &MigrationError) {
        let why = match error {
            MigrationError::Wrong(found) => found.first().map(ToString::to_string).unwrap_or_default(),
            MigrationError::Unavailable(error) => error.to_string(),
        };
        let waiting = format!("the migrations wait: {why}");
        if self.parts.live.status().waiting.as_ref() != Some(&waiting) {
            tracing::error!("{waiting}");
        }
        self.parts.live.set_status(|status| status.waiting = Some(waiting.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_back_keeps_migrations_and_says_so() {
        let tree = |files: &[&str]| -> Tree { files.iter().map(|path| ((*path).into(), Content::new(path.as_bytes()))).collect() };
        let (earlier, live) = (tree(&["a.rhai", "_sql/app/0001_a.sql"]), tree(&["b.rhai", "_sql/app/0001_a.sql", "_sql/app/0002_b.sql"]));
        assert_eq!(kept_note(&earlier, &live).unwrap(), "migrations are not undone: _sql/app/0002_b.sql stays applied");
        assert_eq!(keep(earlier, &live), tree(&["a.rhai", "_sql/app/0001_a.sql", "_sql/app/0002_b.sql"]));
        assert_eq!(kept_note(&live, &live), None);
    }
}
