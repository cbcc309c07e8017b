//! The state that the watching thread shows to everybody else: whole, numbered, and changed in place.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use super::state::Change;
use crate::{
    function::{Diagnostic, FilePath, Tree},
    source::{SourceError, edit::Edit},
};

/// Why nothing can be seen of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It is not there.
    Missing,
    /// Everything that was in it is gone.
    Empty,
    /// The file system refuses.
    Unreadable { kind: io::ErrorKind, reason: String },
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            kind => Self::Unreadable { kind, reason: error.to_string() },
        }
    }
}

/// The state of a root.
#[derive(Debug, Default)]
pub(super) struct View {
    /// Rises with every difference; 0 before the first look.
    pub number: u64,
    /// Why changes are not reported by the system, if they are not.
    pub trouble: Option<String>,
    /// Why some are not, and it has to be so.
    pub unreported: Option<&'static str>,
    /// When everything is looked at without being told, in microseconds since 1970, where that is how changes are found.
    pub next_look_us: Option<i64>,
    /// The number of the last wish for a look at everything that was fulfilled.
    pub wishes_done: u64,
    tree: Tree,
    unsettled: BTreeSet<FilePath>,
    problems: BTreeMap<FilePath, Diagnostic>,
    /// Warnings about files that are probably misnamed.
    strays: Vec<Diagnostic>,
    blocked: Option<Obstacle>,
}

impl View {
    /// Takes in the changes, the files that are probably misnamed (if they were looked for), and why the root is not believed, if so.
    /// Returns whether there is anything new to see. All of it is seen at once: a guard that gets its right name is never missed between.
    pub fn show(&mut self, changes: Vec<Change>, strays: Option<Vec<Diagnostic>>, blocked: Option<Obstacle>) -> bool {
        let is_stray = strays.as_ref().is_some_and(|strays| self.strays != *strays);
        let is_changed = is_stray || self.blocked != blocked || changes.iter().any(|change| !matches!(change, Change::Unsettled(_)));
        let is_news = self.number == 0 || is_changed;
        self.strays = strays.unwrap_or_else(|| std::mem::take(&mut self.strays));
        self.blocked = blocked;
        self.note(changes);
        self.number += u64::from(is_news);
        is_news
    }

    /// Takes in what has changed, without telling anybody.
    pub fn note(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Content(path, Some(content)) => drop(self.tree.insert(path, content)),
                Change::Content(path, None) => drop(self.tree.remove(&path)),
                Change::Unsettled(path) => drop(self.unsettled.insert(path)),
                Change::Settled(path) => drop(self.unsettled.remove(&path)),
                Change::Problem(path, Some(diagnostic)) => drop(self.problems.insert(path, diagnostic)),
                Change::Problem(path, None) => drop(self.problems.remove(&path)),
            }
        }
    }

    /// Takes in that the root cannot be seen, and returns whether that is new. All that was known stays.
    pub fn block(&mut self, blocked: Obstacle) -> bool {
        let is_news = self.number == 0 || self.blocked.as_ref() != Some(&blocked);
        self.blocked = Some(blocked);
        self.number += u64::from(is_news);
        is_news
    }

    /// Takes in why changes are not reported, and returns whether that is new to somebody.
    pub fn poll_because(&mut self, trouble: Option<String>) -> bool {
        let is_news = self.number > 0 && self.trouble != trouble;
        self.trouble = trouble;
        self.number += u64::from(is_news);
        is_news
    }

    /// Returns whether files are as somebody has written them.
    pub fn holds(&self, edit: &Edit) -> bool {
        edit.files.iter().all(|(path, file)| self.tree.get(path) == file.after.as_ref())
    }

    /// Copies the files, those that are unsettled, and what is wrong with others.
    pub fn files(&self, root: &Path) -> Result<(Tree, Vec<FilePath>, Vec<Diagnostic>), SourceError> {
        match &self.blocked {
            None => {
                let problems = self.problems.values().chain(&self.strays).cloned().collect();
                Ok((self.tree.clone(), self.unsettled.iter().cloned().collect(), problems))
            }
            Some(Obstacle::Empty) => Err(SourceError::RootEmpty { path: root.into() }),
            Some(Obstacle::Missing) => Err(SourceError::RootMissing { path: root.into() }),
            Some(Obstacle::Unreadable { kind: io::ErrorKind::NotADirectory, .. }) if root.is_file() => {
                Err(SourceError::RootIsFile { path: root.into() })
            }
            Some(Obstacle::Unreadable { kind, reason }) => {
                Err(SourceError::Unreadable { path: root.into(), source: io::Error::new(*kind, reason.clone()) })
            }
        }
    }
}
