//! What git is not served.

use crate::source::git::backend::ServeError;

/// Why git is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitRefusal {
    /// There is no repository here.
    NotHosted,
    /// It asks for no service that there is; without one it asks for the files of the repository.
    NoService,
    /// Its body is called something else. Forms of a web page cannot send the right name.
    MediaType {
        /// The right one.
        expected: String,
    },
    /// Its body is compressed in a way that we do not know.
    Encoding,
    /// Too many others are served.
    Busy,
    /// git failed; the log says why.
    Failed,
}

impl From<ServeError> for GitRefusal {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Busy => Self::Busy,
            ServeError::Git(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot serve the repository: {error}");
                Self::Failed
            }
        }
    }
}

impl GitRefusal {
    /// Returns one sentence that is safe for anyone to read, and what to do.
    pub(super) fn message(&self) -> String {
        match self {
            Self::NotHosted => {
                "this node hosts no repository\n  hint: it does with `kind = \"git\"` and `repository = \"hosted\"` in the section `[source]`"
                    .into()
            }
            Self::NoService => "only git's smart protocol is spoken here\n  hint: clone, fetch or push with git 1.6.6 or later".into(),
            Self::MediaType { expected } => format!("the content type of this request is `{expected}`"),
            Self::Encoding => "the body may be compressed with gzip, or not at all".into(),
            Self::Busy => "too many pushes and fetches at once\n  hint: try again soon".into(),
            Self::Failed => "the repository cannot be served\n  hint: the node's log says why".into(),
        }
    }
}
