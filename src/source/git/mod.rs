//! A git repository as a source: hosted by the node, pushed to by a path or over ssh, or fetched from elsewhere. A commit is read straight
//! from the object database; nothing is ever checked out.
//!
//! Git does what a repository's settings say, and others may write those of a repository that is shared. So the program `git` runs only in
//! repositories of this node ([`OwnRepository`]); of all others references and objects are read, and written, without it.

pub mod backend;
pub mod branch;
pub mod bundle;
mod commit;
mod denied;
mod error;
mod folder;
pub mod hosted;
mod left_out;
mod mode;
mod objects;
mod own;
mod plain;
pub mod program;
mod pushes;
mod readable;
mod reader;
mod reads;
mod refs;
pub mod remote;
pub mod serve;
mod settings;
mod signature;
mod source;
mod target;
mod url;
mod watch;

pub use branch::PreviewHost;
pub use error::{PermissionDenied, RepositoryError};
pub use folder::{Folder, socket::FileId};
pub use left_out::of_working_copy;
pub use own::OwnRepository;
pub use program::GitError;
pub use pushes::PushRecord;
pub use readable::{is_free, must_be_readable};
pub use reader::HeadProblem;
pub use reads::Reads;
pub use refs::{HEADS, TAGS, is_branch, taken_for};
pub use settings::{FOLDER, GitSettings, Remote, Repository};
pub use source::GitSource;
pub use target::{BranchMoves, PushTarget};
