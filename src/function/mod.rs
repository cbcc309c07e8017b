//! What a function is: its name, manifest, route and version, and what can be wrong with them. Pure: no I/O, and nothing of ours beside it but scopes of tokens and how ids are written.

pub mod cors;
pub mod diagnostic;
pub mod digest;
pub mod foreign;
pub mod front_matter;
pub mod grants;
pub mod handler;
pub mod limits;
pub mod loss;
pub mod manifest;
pub mod misplaced;
pub mod name;
pub mod origin;
pub mod quantity;
pub mod reserved;
pub mod retry;
pub mod role;
pub mod route;
pub mod schedule;
pub mod settings;
pub mod tables;
pub mod toml_text;
pub mod topic;
pub mod topic_reach;
pub mod tree;
pub mod tree_settings;
pub mod trigger_id;
pub mod unicode;
pub mod version_prefix;
pub mod within;

use std::sync::Arc;

pub use cors::Cors;
pub use diagnostic::{Diagnostic, Position, Severity};
pub use digest::{Digest, Revision, Version};
pub use limits::{LimitPolicy, Limits};
pub use loss::Loss;
pub use manifest::Manifest;
pub use name::{FilePath, FunctionName, ScriptId};
pub use role::Role;
pub use route::Route;
pub use tree::{Content, Tree};
pub use tree_settings::TreeSettings;
pub use version_prefix::VersionPrefix;

/// One `.rhai` file that serves requests, with everything that decides how it behaves. Immutable: another content is another version.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Path below the root without `.rhai`.
    pub name: FunctionName,
    /// The same for this name everywhere and for ever.
    pub script_id: ScriptId,
    /// Names the content of `files`.
    pub version: Version,
    /// What the file says, defaults filled in. The settings of the tree that it was checked with hold the same one.
    pub manifest: Arc<Manifest>,
    /// Where it answers; none: it has no URL.
    pub route: Option<Route>,
    /// Guards that run before it, outermost folder first; keys of `files`.
    pub guards: Vec<FilePath>,
    /// The function's own file, its guards, and every module that they import, directly or not, with their contents, in order of path.
    /// Nearly always it is one file, for which a [`Tree`] takes ten times the room.
    pub files: Box<[(FilePath, Content)]>,
    /// The limits of those guards and modules that have others than the node's default ones. What compiling a file gives depends on them.
    pub limits: Box<[(FilePath, Limits)]>,
}

impl Function {
    /// Returns its files as a tree.
    pub fn tree(&self) -> Tree {
        self.files.iter().cloned().collect()
    }

    /// Returns the limits that hold for one of its files on a node with these default ones.
    pub fn limits_of<'a>(&'a self, file: &str, default: &'a Limits) -> &'a Limits {
        if file == self.name.file() {
            return &self.manifest.limits;
        }
        self.limits.iter().find(|(other, _)| **other == *file).map_or(default, |(_, limits)| limits)
    }
}

/// A function shared between the live table, the executor and the requests that run it.
pub type SharedFunction = Arc<Function>;
