//! Migrations of databases on the way of a deployment. They are checked with the files beside them, and applied before those go live.

use super::{Sync, live_checker::LiveChecker, proposal::Proposal};
use crate::{
    capability::sql::{MigrationError, SqlError},
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
    /// use their databases wait with them.
    pub(super) fn without_unsettled_migrations(&self, snapshot: &mut Snapshot) {
        let unsettled: Vec<FilePath> = snapshot.unsettled.iter().filter(|path| is_migration(path)).cloned().collect();
        if unsettled.is_empty() {
            return;
        }
        let changed = snapshot.tree.iter().filter(|(path, content)| self.tree.get(*path) != Some(content));
        let waits = |name: &str| unsettled.iter().any(|path| path.split('/').rev().nth(1) == Some(name));
        let waiting: Vec<FilePath> = changed
            .filter(|(path, content)| database_of(path, content).is_some_and(|name| waits(name.as_str())))
            .map(|(path, _)| path.clone())
            .collect();
        for path in unsettled.iter().chain(&waiting) {
            match self.tree.get(path) {
                Some(live) => drop(snapshot.tree.insert(path.clone(), live.clone())),
                None => drop(snapshot.tree.remove(path)),
            }
        }
    }
}

impl Sync {
    /// Finds what of a snapshot can go live, and applies its migrations. One that fails is a mistake of its file.
    pub(super) async fn propose(&mut self, mut snapshot: Snapshot) -> Result<Proposal, SqlError> {
        let began = monotonic();
        loop {
            if self.is_migrated && of(&snapshot.tree).eq(of(&self.tree)) {
                return Ok(self.live_checker().propose(snapshot, began).await);
            }
            let proposal = self.live_checker().propose(snapshot.clone(), began).await;
            match self.migrate(&proposal).await? {
                found if found.is_empty() => return Ok(proposal),
                found => snapshot.problems.extend(found),
            }
        }
    }

    /// Applies the migrations of what can go live. Returns what is wrong with them.
    async fn migrate(&mut self, proposal: &Proposal) -> Result<Vec<Diagnostic>, SqlError> {
        let tree = &proposal.good.tree;
        let is_live = of(tree).eq(of(&self.tree));
        if proposal.is_refused || (is_live && self.is_migrated) {
            return Ok(Vec::new());
        }
        match self.parts.migrations.apply(tree).await {
            Ok(applied) => {
                self.is_migrated = true;
                applied.iter().for_each(|file| tracing::info!("the migration `{file}` is applied"));
                Ok(Vec::new())
            }
            // At a start: what was live goes live again, and what does not fit its database says so itself.
            Err(MigrationError::Unavailable(error)) if is_live => {
                tracing::warn!("the migrations of what was live are not compared with their database: {error}");
                self.is_migrated = true;
                Ok(Vec::new())
            }
            Err(MigrationError::Wrong(found)) if is_live => {
                found.iter().for_each(|found| tracing::error!("{found}"));
                self.is_migrated = true;
                Ok(Vec::new())
            }
            Err(MigrationError::Wrong(found)) => Ok(found),
            Err(MigrationError::Unavailable(error)) => Err(error),
        }
    }

    /// Says that a deployment waits for the database of its migrations.
    pub(super) fn tell_unmigrated(&self, error: &SqlError) {
        let waiting = format!("the migrations wait: {error}");
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
