//! Serving a repository: the children that speak git's protocol with a client, fed and read as streams, never collected.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use rustix::process::Signal;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, sink},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tokio_util::task::TaskTracker;

use super::{
    backend::{Client, GitBackend, Input, MAX_CHILDREN, ServeError, Service},
    own::OwnRepository,
    program,
};

/// The environment variable with the name of the pusher, for git and its hooks.
pub const PUSHER: &str = "PICLOUD_PUSHER";
/// A request waits so long for others to end: git itself never tries again.
const PLACE_PATIENCE: Duration = Duration::from_secs(5);
/// Telling which references there are takes milliseconds.
const ADVERTISE_LIMIT: Duration = Duration::from_secs(30);
/// What a fetch may ask with; git's own servers take as much.
const MAX_WANTS_BYTES: u64 = 10 << 20;
/// Beside its pack a push has commands and options. More than git's own limit, so that git gets to say that the pack is too large.
const COMMANDS_BYTES: u64 = 1 << 20;
/// Bytes read from a child at once, and how many such parts wait for the client.
const CHUNK_BYTES: usize = 64 * 1024;
const CHUNKS: usize = 8;
/// The longest part of a child's stderr that is kept.
const MAX_SAID_BYTES: u64 = 4096;

/// A repository that clients push to and fetch from.
pub struct HostedRepository {
    repository: OwnRepository,
    /// The folder of hooks that lead a push through the gate; those of the repository itself do not run.
    hooks: PathBuf,
    max_push_bytes: u64,
    /// Told after every push: what it changed says the repository, not the end of the child, which is the same for good and bad.
    pushed: Arc<dyn Fn() + Send + Sync>,
    places: Arc<Semaphore>,
    /// Children that go on although their client has left.
    tasks: TaskTracker,
}

impl HostedRepository {
    /// Serves a repository with these hooks, and calls `pushed` after each push, whatever became of it.
    pub fn new(repository: OwnRepository, hooks: PathBuf, max_push_bytes: u64, pushed: Arc<dyn Fn() + Send + Sync>) -> Self {
        let places = Arc::new(Semaphore::new(MAX_CHILDREN));
        Self { repository, hooks, max_push_bytes, pushed, places, tasks: TaskTracker::new() }
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, ServeError> {
        match tokio::time::timeout(PLACE_PATIENCE, self.places.clone().acquire_owned()).await {
            Ok(place) => Ok(place.expect("it is never closed")),
            Err(_) => Err(ServeError::Busy),
        }
    }

    fn command(&self, service: Service, client: Client<'_>) -> Command {
        let (hooks, max_input) = (self.hooks.to_string_lossy(), self.max_push_bytes.to_string());
        let settings: &[(&str, &str)] = match service {
            Service::UploadPack => &[],
            Service::ReceivePack => &[
                ("core.hooksPath", &hooks),
                ("receive.advertisePushOptions", "true"),
                ("receive.maxInputSize", &max_input),
                // The node looks after the repository itself, between pushes.
                ("receive.autogc", "false"),
                ("transfer.fsckObjects", "true"),
            ],
        };
        let mut command = program::git(&self.repository, settings);
        command.env(PUSHER, client.name);
        if let Some(protocol) = client.protocol {
            command.env("GIT_PROTOCOL", protocol);
        }
        command
    }
}

#[async_trait]
impl GitBackend for HostedRepository {
    async fn advertise(&self, service: Service, client: Client<'_>) -> Result<Vec<u8>, ServeError> {
        let _place = self.place().await?;
        let mut command = self.command(service, client);
        // The name that every version of git knows it by.
        command.args([service.command(), "--stateless-rpc", "--advertise-refs"]).arg(self.repository.path());
        Ok(program::run(command, ADVERTISE_LIMIT).await?)
    }

    async fn run(&self, service: Service, client: Client<'_>, input: Input) -> Result<mpsc::Receiver<Bytes>, ServeError> {
        let place = self.place().await?;
        let mut command = self.command(service, client);
        command.args([service.command(), "--stateless-rpc"]).arg(self.repository.path()).stdin(std::process::Stdio::piped());
        let mut child = program::spawn(&mut command)?;
        let stdin = child.stdin.take().expect("it is piped");
        let (sender, receiver) = mpsc::channel(CHUNKS);
        let (max_input_bytes, pushed) = match service {
            Service::UploadPack => (MAX_WANTS_BYTES, None),
            Service::ReceivePack => (self.max_push_bytes.saturating_add(COMMANDS_BYTES), Some(self.pushed.clone())),
        };
        let running = ServiceProcess { service, name: client.name.into(), child, _place: place };
        self.tasks.spawn(async move { tokio::join!(feed(input, stdin, max_input_bytes), running.attend(sender, pushed)) });
        Ok(receiver)
    }

    fn tidy(&self) {
        (self.pushed)();
    }

    async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Hands the client's bytes on. A child may want no more, for example because its input is too large. Then the rest is read and thrown
/// away, up to the same size again. Otherwise a client that still sends would see a broken connection instead of the reason.
async fn feed(mut input: impl AsyncRead + Unpin, mut stdin: ChildStdin, max_bytes: u64) {
    let fed = tokio::io::copy(&mut (&mut input).take(max_bytes), &mut stdin).await;
    drop(stdin);
    if let Err(error) = fed {
        tracing::debug!("a client of git is read no more: {error}");
    }
    let _ = tokio::io::copy(&mut input.take(max_bytes), &mut sink()).await;
}

/// A child that serves.
struct ServiceProcess {
    service: Service,
    /// Whose token it was.
    name: String,
    child: Child,
    /// Free again when the child has ended.
    _place: OwnedSemaphorePermit,
}

impl ServiceProcess {
    /// Sends on what it answers, and waits for its end. The client's response ends after `pushed` has been told.
    async fn attend(mut self, sender: mpsc::Sender<Bytes>, pushed: Option<Arc<dyn Fn() + Send + Sync>>) {
        let group = program::group(&self.child);
        let stdout = self.child.stdout.take().expect("it is piped");
        let stderr = self.child.stderr.take().expect("it is piped");
        let answered = async {
            tokio::select! {
                () = pump(stdout, &sender) => {}
                () = sender.closed(), if self.service == Service::UploadPack => program::kill(group, Signal::TERM),
            }
        };
        let ((), said) = tokio::join!(answered, listen(stderr));
        match self.child.wait().await {
            Ok(status) if status.success() => {}
            Ok(status) => tracing::warn!("`{}` for `{}` ended with {status}: {said}", self.service.name(), self.name),
            Err(error) => tracing::error!("cannot wait for `{}`: {error}", self.service.name()),
        }
        if let Some(pushed) = pushed {
            pushed();
        }
    }
}

/// Reads to the end, also when nobody takes it any more. Otherwise the system would end a push in the middle.
async fn pump(mut stdout: ChildStdout, sender: &mpsc::Sender<Bytes>) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK_BYTES);
        match stdout.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            // It fails when the client has left.
            Ok(_) => drop(sender.send(buffer.split().freeze()).await),
        }
    }
}

/// Returns the beginning of what it says, on one line.
async fn listen(mut stderr: ChildStderr) -> String {
    let mut said = Vec::new();
    let _ = (&mut stderr).take(MAX_SAID_BYTES).read_to_end(&mut said).await;
    let _ = tokio::io::copy(&mut stderr, &mut sink()).await;
    String::from_utf8_lossy(&said).trim().replace('\n', "; ")
}
