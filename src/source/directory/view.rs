//! What the thread that watches shows to everybody else: one whole state, changed in place, numbered.

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
pub(super) enum Blocked {
    /// It is not there.
    Missing,
    /// The file system refuses.
    Unreadable { kind: io::ErrorKind, reason: String },
}

impl From<io::Error> for Blocked {
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
    pub polls_because: Option<String>,
    tree: Tree,
    unsettled: BTreeSet<FilePath>,
    problems: BTreeMap<FilePath, Diagnostic>,
    blocked: Option<Blocked>,
}

impl View {
    /// Takes in what looks have changed, and returns whether there is anything new to see.
    pub fn show(&mut self, changes: Vec<Change>) -> bool {
        let mut is_news = self.number == 0 || self.blocked.take().is_some();
        for change in changes {
            is_news |= !matches!(change, Change::Unsettled(_));
            match change {
                Change::Content(path, Some(content)) => drop(self.tree.insert(path, content)),
                Change::Content(path, None) => drop(self.tree.remove(&path)),
                Change::Unsettled(path) => drop(self.unsettled.insert(path)),
                Change::Settled(path) => drop(self.unsettled.remove(&path)),
                Change::Problem(path, Some(diagnostic)) => drop(self.problems.insert(path, diagnostic)),
                Change::Problem(path, None) => drop(self.problems.remove(&path)),
            }
        }
        self.number += u64::from(is_news);
        is_news
    }

    /// Takes in that the root cannot be seen, and returns whether that is new. All that was known stays.
    pub fn block(&mut self, blocked: Blocked) -> bool {
        let is_news = self.number == 0 || self.blocked.as_ref() != Some(&blocked);
        self.blocked = Some(blocked);
        self.number += u64::from(is_news);
        is_news
    }

    /// Takes in why changes are not reported, and returns whether that is new to somebody.
    pub fn poll_because(&mut self, trouble: Option<String>) -> bool {
        let is_news = self.number > 0 && self.polls_because != trouble;
        self.polls_because = trouble;
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
            None => Ok((self.tree.clone(), self.unsettled.iter().cloned().collect(), self.problems.values().cloned().collect())),
            Some(Blocked::Missing) => Err(SourceError::RootMissing { path: root.into() }),
            Some(Blocked::Unreadable { kind, reason }) => {
                Err(SourceError::Unreadable { path: root.into(), source: io::Error::new(*kind, reason.clone()) })
            }
        }
    }
}
