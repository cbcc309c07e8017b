//! What requests ask of a repository that is served to git's clients.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{io::AsyncRead, sync::mpsc};

use super::program::GitError;

/// Children at the same time.
pub(super) const MAX_CHILDREN: usize = 8;

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// It fetches.
    UploadPack,
    /// It pushes.
    ReceivePack,
}

impl Service {
    /// Returns the service of this name in the protocol.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::UploadPack, Self::ReceivePack].into_iter().find(|service| service.name() == name)
    }

    /// Returns its name in the protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    pub(super) fn command(self) -> &'static str {
        match self {
            Self::UploadPack => "upload-pack",
            Self::ReceivePack => "receive-pack",
        }
    }
}

/// Who asks, and in which version of the protocol.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// The name of its token.
    pub name: &'a str,
    /// The value of `Git-Protocol`, if it is a sane one.
    pub protocol: Option<&'a str>,
}

/// Why a client is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Others are, and took too long.
    #[error("more than {MAX_CHILDREN} pushes and fetches at once")]
    Busy,
    /// git did not do it.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// What a client sends.
pub type Input = Pin<Box<dyn AsyncRead + Send>>;

/// A repository that clients push to and fetch from.
#[async_trait]
pub trait GitBackend: Send + Sync {
    /// Returns which references there are, as the protocol writes them.
    async fn advertise(&self, service: Service, client: Client<'_>) -> Result<Vec<u8>, ServeError>;

    /// Starts a service on what the client sends, and returns what it answers.
    ///
    /// A push whose input is complete runs to its end, even without its client: references may have moved already, and the hooks must run.
    /// A push whose input breaks off gets no more input. Git takes that for the end, and nothing stays. A fetch ends with its client.
    async fn run(&self, service: Service, client: Client<'_>, input: Input) -> Result<mpsc::Receiver<Bytes>, ServeError>;

    /// Looks after the repository as after a push, because the node itself has made a commit.
    fn tidy(&self);

    /// Waits for what goes on although its client has left; to be called when no client comes any more.
    async fn ended(&self);
}
