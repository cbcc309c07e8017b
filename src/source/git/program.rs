//! The `git` program: it serves, fetches, packs and verifies, because a process can be stopped. It runs in repositories of this node alone.

use std::{
    ffi::OsStr,
    io::{self, ErrorKind},
    path::PathBuf,
    process::{Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
};

use super::own::OwnRepository;

/// Why git did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program is not there.
    #[error("the program `git` is not installed, and a git source needs it\n  hint: apt-get install git")]
    NotInstalled,
    /// The system did not start it.
    #[error("cannot run git")]
    CannotRun(#[source] io::Error),
    /// A repository for it to work in cannot be made.
    #[error("cannot make the repository `{}`: {why}", path.display())]
    CannotMake {
        /// Where.
        path: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// It took too long and was stopped.
    #[error("`git {what}` did not end within {} s", limit.as_secs())]
    TimedOut {
        /// Its first argument.
        what: String,
        /// How long it had.
        limit: Duration,
    },
    /// It said no.
    #[error("`git {what}` failed: {said}")]
    Failed {
        /// Its first argument.
        what: String,
        /// What it said, without secrets.
        said: String,
    },
}

/// Bytes of stderr that are kept. A remote may send anything there.
const MAX_SAID: u64 = 64 * 1024;

/// Settings that no repository can change, not even a damaged one of this node. Git runs no other program and speaks to no network.
const PINNED: [(&str, &str); 7] = [
    ("safe.directory", "*"),
    ("core.hooksPath", "/dev/null"),
    ("protocol.allow", "never"),
    ("gpg.program", "/bin/false"),
    ("gpg.openpgp.program", "/bin/false"),
    ("gpg.x509.program", "/bin/false"),
    ("gpg.ssh.program", "ssh-keygen"),
];

/// Prepares git to work in a repository of this node with these settings, and with nothing of the machine's or its user's settings.
pub fn git(repository: &OwnRepository, settings: &[(&str, &str)]) -> Command {
    let mut command = bare_git();
    command.env("GIT_DIR", repository.path());
    let mut count = 0;
    // The last one counts.
    for (key, value) in PINNED.iter().chain(settings) {
        command.env(format!("GIT_CONFIG_KEY_{count}"), key).env(format!("GIT_CONFIG_VALUE_{count}"), value);
        count += 1;
    }
    command.env("GIT_CONFIG_COUNT", count.to_string());
    command
}

/// Prepares git to work in no repository.
fn bare_git() -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        // References below `refs/replace/` can be pushed, and would show git a signed commit in the place of another.
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null());
    command
}

/// Says if the program is not there.
pub async fn must_be_installed() -> Result<(), GitError> {
    let mut version = bare_git();
    version.arg("--version");
    run(version, LOCAL).await.map(drop)
}

/// Packs what pushes and fetches have left, if it is much. Nothing that a branch holds, or held within two weeks, goes.
///
/// Collecting is quick when it is done often. It ends before the next command begins.
pub async fn pack(repository: &OwnRepository) -> Result<(), GitError> {
    let mut gc = git(repository, &[("gc.auto", "500"), ("gc.autoPackLimit", "20"), ("gc.autoDetach", "false")]);
    gc.args(["gc", "--auto", "--quiet"]);
    run(gc, PACKING).await.map(drop)
}

/// Time limit of commands that do not leave the machine.
pub const LOCAL: Duration = Duration::from_secs(20);
/// Rewriting a large repository takes a while.
pub const PACKING: Duration = Duration::from_secs(600);

/// Runs it to its end and returns what it printed. If it takes longer than `limit`, it is killed with every process that it started.
pub async fn run(command: Command, limit: Duration) -> Result<Vec<u8>, GitError> {
    feed(command, None, limit).await
}

/// The same for one that reads this.
pub async fn feed(mut command: Command, input: Option<&[u8]>, limit: Duration) -> Result<Vec<u8>, GitError> {
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let output = output(&mut command, input.unwrap_or_default(), limit).await?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(GitError::Failed { what: name(&command), said: said.trim().to_owned() })
}

async fn output(command: &mut Command, input: &[u8], limit: Duration) -> Result<Output, GitError> {
    let (mut child, group) = Group::of(command.kill_on_drop(true))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let fed = async {
        // One that reads no further says itself why.
        if let Some(mut stdin) = stdin {
            let _ = stdin.write_all(input).await;
        }
        Ok(())
    };
    let ended = async { tokio::try_join!(child.wait(), read(stdout, u64::MAX), read(stderr, MAX_SAID), fed) };
    let ended = tokio::time::timeout(limit, ended).await.map_err(|_| GitError::TimedOut { what: name(command), limit })?;
    let (status, stdout, stderr, ()) = ended.map_err(GitError::CannotRun)?;
    group.has_ended();
    Ok(Output { status, stdout, stderr })
}

/// Reads to the end and keeps the first bytes.
async fn read(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        (&mut pipe).take(limit).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

/// The process groups of all commands that run to their end. A process that ends drops nothing, and what it has started would go on.
static RUNNING: Mutex<Running> = Mutex::new(Running { groups: Vec::new(), have_ended: false });

struct Running {
    groups: Vec<Pid>,
    /// Nothing starts any more.
    have_ended: bool,
}

impl Running {
    fn lock() -> MutexGuard<'static, Self> {
        // Nothing that can panic runs while it is held.
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends every command that runs to its end, with every process that it started, and lets none begin: this process is about to end.
///
/// What a client has begun ([`spawn`]) goes on. It ends by itself, and a push would be left in the middle.
pub fn end_all() {
    let mut running = Running::lock();
    running.have_ended = true;
    running.groups.iter().for_each(|group| kill(Some(*group), Signal::KILL));
}

/// Processes that end with this, whoever forgets it, and with this process.
struct Group(Option<Pid>);

impl Group {
    /// Starts a command with a group of its own. Between the start and the entry in the list nobody ends all.
    fn of(command: &mut Command) -> Result<(Child, Self), GitError> {
        let mut running = Running::lock();
        if running.have_ended {
            return Err(GitError::CannotRun(io::Error::other("the node has stopped")));
        }
        let child = spawn(command)?;
        let group = group(&child);
        running.groups.extend(group);
        Ok((child, Self(group)))
    }

    /// Takes in that it has ended: its number may be another's soon.
    fn has_ended(mut self) {
        self.leave();
    }

    fn leave(&mut self) -> Option<Pid> {
        let group = self.0.take()?;
        Running::lock().groups.retain(|running| *running != group);
        Some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        kill(self.leave(), Signal::KILL);
    }
}

/// Starts it in a process group of its own; what it prints can be read.
pub fn spawn(command: &mut Command) -> Result<Child, GitError> {
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    child.map_err(|error| match error.kind() {
        ErrorKind::NotFound => GitError::NotInstalled,
        _ => GitError::CannotRun(error),
    })
}

/// Returns the process group of a child that has not been waited for.
pub fn group(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| Pid::from_raw(id.cast_signed()))
}

/// Sends a signal to a child and to every process that it started.
pub fn kill(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        let _ = kill_process_group(group, signal);
    }
}

fn name(command: &Command) -> String {
    command.as_std().get_args().next().map(OsStr::to_string_lossy).unwrap_or_default().into_owned()
}
