//! Faults of a path that are found before its script is read, in words for the author.

use std::{io, path::PathBuf};

use crate::function::{Diagnostic, FilePath};

/// Why something with a function's name cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FileFault {
    /// It went away while it was looked at; never reported.
    #[error("is not there")]
    Absent,
    /// A link out of the root.
    #[error("this link leads out of the functions folder, to `{}`", target.display())]
    LeavesRoot {
        /// Where to, all links followed.
        target: PathBuf,
    },
    /// A link to nothing.
    #[error("this link leads to `{}`, which is not there", target.display())]
    Dangling {
        /// As the link says.
        target: PathBuf,
    },
    /// A link that leads to itself or to a folder that holds it.
    #[error("this link leads round in a circle")]
    Circle,
    /// More folders inside each other than anybody means.
    #[error("this folder is more than {limit} folders deep")]
    TooDeep {
        /// How deep is looked.
        limit: usize,
    },
    /// Links that would multiply what there is.
    #[error("links lead to this folder in more than {limit} ways")]
    TooManyWays {
        /// How many are followed.
        limit: usize,
    },
    /// A pipe, a socket or a device; or a folder that is named as a guard.
    #[error("this is no file")]
    NoFile,
    /// A name that no URL and no script can say.
    #[error("this name is not UTF-8")]
    NotUtf8,
    /// More than the limit.
    #[error("the file has {size_bytes} bytes; the limit is {limit_bytes}")]
    TooLarge {
        /// Size of the file.
        size_bytes: u64,
        /// The most that is read.
        limit_bytes: u64,
    },
    /// The system refused.
    #[error("cannot be read: {reason}")]
    Unreadable {
        /// As the system says.
        reason: String,
    },
}

impl FileFault {
    /// Takes an error of the file system for what it means here.
    pub fn unreadable(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Absent,
            _ => Self::Unreadable { reason: error.to_string() },
        }
    }

    /// Tells the author.
    pub fn diagnostic(&self, path: FilePath) -> Diagnostic {
        let hint = match self {
            Self::Absent => None,
            Self::LeavesRoot { .. } => Some("copy the file into the folder, or link to one inside it"),
            Self::Dangling { .. } | Self::Circle => Some("mend the link or delete it"),
            Self::TooManyWays { .. } => Some("delete links, or put what is shared into modules"),
            Self::TooDeep { .. } => Some("move its files further up"),
            Self::NoFile => Some("put a file in its place, or give it a name that does not end in `.rhai`"),
            Self::NotUtf8 => Some("rename it; names become URLs, and those are UTF-8"),
            Self::TooLarge { .. } => Some("move parts of it into modules that it imports, or raise the limit"),
            Self::Unreadable { .. } => Some("let the user that PiCloud runs as read it"),
        };
        Diagnostic::error(path, self.to_string()).maybe_hint(hint.map(str::to_owned))
    }
}
