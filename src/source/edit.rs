//! Changes that the node itself makes to a source, on behalf of somebody with a token: what may be written, and why it was not.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::{self, ErrorKind},
};

use super::names::{MAX_DEPTH, is_skipped};
use crate::function::{Content, Diagnostic, FilePath, Revision, role::is_source_file};

/// Longest name of a file or folder that file systems take, in bytes.
const MAX_NAME_BYTES: usize = 255;
/// Longest path that is written, in bytes: far below what systems take, so that there is room for the root before it.
const MAX_PATH_BYTES: usize = 1024;

/// The change of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEdit {
    /// Its content now; none: it is not there. If it has another content by then, nothing is written.
    pub before: Option<Content>,
    /// Its new content; none: the file is removed.
    pub after: Option<Content>,
}

/// A change of a source: all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The state that was looked at and checked.
    pub base: Revision,
    /// The files that change. Their paths have no [`path_problem`].
    pub files: BTreeMap<FilePath, FileEdit>,
    /// The name of the token that asks for it.
    pub author: String,
    /// A summary, in a line.
    pub message: String,
}

/// Why a source was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// Nobody writes here through the node.
    #[error("{0}")]
    ReadOnly(String),
    /// It is not as it was when it was looked at: look again. Says what is not.
    #[error("{0}")]
    Moved(String),
    /// Something is in the way, which is not for the node to replace.
    #[error("`{path}` cannot be written: {why}")]
    InTheWay {
        /// The file, or a folder on the way to it.
        path: String,
        /// What is there.
        why: &'static str,
    },
    /// The system refused.
    #[error("cannot write `{path}`: {why}")]
    Failed {
        /// What was being written.
        path: String,
        /// What the system says, without secrets.
        why: String,
    },
}

impl EditError {
    /// Says that the system refused to write `path`, which lies in `place`, and what to do about it.
    pub fn refused(path: &str, place: &str, error: &io::Error) -> Self {
        let why = match error.kind() {
            ErrorKind::ReadOnlyFilesystem => format!(
                "{error}\n  hint: the node may not write to {place}; a systemd unit opens it with `ReadWritePaths=`, a container with a volume that \
                 is not `ro`"
            ),
            ErrorKind::PermissionDenied => {
                format!("{error}\n  hint: let the user that the node runs as write to {place} and what is in it")
            }
            _ => error.to_string(),
        };
        Self::Failed { path: path.into(), why }
    }
}

/// Returns why no file may be written at this path, whatever it is for. What routing thinks of a name says `check_path`.
pub fn path_problem(path: &str) -> Option<Diagnostic> {
    let problem = |message: String, hint: &str| Some(Diagnostic::error(path, message).hint(hint));
    if path.len() > MAX_PATH_BYTES {
        return problem(format!("the path has {} bytes; {MAX_PATH_BYTES} are the most", path.len()), "use fewer folders or shorter names");
    }
    if path.matches('/').count() > MAX_DEPTH {
        return problem(format!("this file is more than {MAX_DEPTH} folders deep"), "move it further up");
    }
    for name in path.split('/') {
        if matches!(name, "" | "." | "..") {
            return problem(
                format!("`{name}` is no name of a folder or file"),
                "write the path below the functions folder, with `/` between names",
            );
        }
        if let Some(character) = name.chars().find(|character| character.is_control()) {
            return problem(format!("the name has the control character U+{:04X}", u32::from(character)), "remove the character");
        }
        if name.len() > MAX_NAME_BYTES {
            return problem(format!("a name in it has {} bytes; {MAX_NAME_BYTES} are the most", name.len()), "use a shorter name");
        }
        // To file systems of other machines the second is a name of `.git`, and clones with it are refused.
        if is_skipped(OsStr::new(name)) || name.eq_ignore_ascii_case("git~1") {
            return problem(
                format!("`{name}` belongs to editors, version control or another tool, and is not read"),
                "give it another name",
            );
        }
    }
    if !is_source_file(path) {
        return problem(
            "the file does not end in `.rhai`".into(),
            "only such files are read, migrations (`_sql/DATABASE/0001_first.sql`) and templates (`_templates/page.html`)",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_the_root_and_is_one_that_is_read() {
        let long = format!("{}.rhai", "x".repeat(MAX_NAME_BYTES - 5));
        let deep = format!("{}x.rhai", "a/".repeat(MAX_DEPTH));
        for path in [
            "a.rhai",
            "users/[id].get.rhai",
            "_lib/x.rhai",
            "_sql/app/0001_a.sql",
            "_templates/mail/a.txt",
            ".well-known/a.rhai",
            "a b/ä.rhai",
            &long,
            &deep,
        ] {
            assert_eq!(path_problem(path), None, "{path}");
            assert!(crate::source::names::is_read(path), "{path}");
        }
        let too_long = format!("{}.rhai", "x".repeat(MAX_NAME_BYTES - 4));
        let too_deep = format!("a/{deep}");
        let too_many = format!("{}.rhai", vec!["x".repeat(200); 6].join("/"));
        for path in [
            "",
            "/a.rhai",
            "a//b.rhai",
            "../a.rhai",
            "a/../../b.rhai",
            "./a.rhai",
            "a/",
            "a\n.rhai",
            "a\0.rhai",
            "a.txt",
            ".git/a.rhai",
            ".a.rhai",
            "a~/b.rhai",
            "git~1/b.rhai",
            "GIT~1/b.rhai",
            &too_long,
            &too_deep,
            &too_many,
        ] {
            assert!(path_problem(path).is_some(), "{path}");
        }
    }
}
