//! The `git` program: it does everything that writes to a repository or talks to a network, because a process can be stopped.

use std::{
    ffi::OsStr,
    io::{self, ErrorKind},
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
};

use super::RepositoryError;

/// Why git did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program is not there.
    #[error("the program `git` is not installed, and a git source needs it\n  hint: apt-get install git")]
    NotInstalled,
    /// The system did not start it.
    #[error("cannot run git")]
    CannotRun(#[source] io::Error),
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

/// What is kept of stderr; a remote may send there what it likes.
const MAX_SAID: u64 = 64 * 1024;

/// Prepares git to work in this repository with these settings, and with nothing of the machine's or its user's settings.
///
/// A repository whose owner is another user is what pushes over ssh mean; it is trusted because it is the one that was configured.
pub fn git(repository: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", repository)
        .env("LC_ALL", "C")
        .env("GIT_DIR", repository)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        // References below `refs/replace/` can be pushed, and would show git a signed commit in the place of another.
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null());
    let settings = [("safe.directory", "*")].into_iter().chain(settings.iter().copied());
    let mut count = 0;
    for (key, value) in settings {
        command.env(format!("GIT_CONFIG_KEY_{count}"), key).env(format!("GIT_CONFIG_VALUE_{count}"), value);
        count += 1;
    }
    command.env("GIT_CONFIG_COUNT", count.to_string());
    command
}

/// Makes a bare repository of the kind that can be read here, and lets `HEAD` name this branch. One that is there stays as it is.
///
/// Formats go through the environment, because versions of git that do not know them ignore them there.
pub async fn init_bare(repository: &Path, branch: &str) -> Result<(), GitError> {
    let mut init = git(repository, &[]);
    init.env("GIT_DEFAULT_REF_FORMAT", "files").env("GIT_DEFAULT_HASH", "sha1").env_remove("GIT_DIR");
    init.args(["init", "--quiet", "--bare", "--template=", "--initial-branch"]).arg(branch).arg(repository);
    run(init, LOCAL).await?;
    let mut head = git(repository, &[]);
    head.args(["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")]);
    run(head, LOCAL).await.map(drop)
}

/// A branch and the commit that it points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its name: `main`, `fix/typo`.
    pub branch: String,
    /// 40 hexadecimal digits.
    pub commit: String,
}

/// Returns every branch of a repository, the one committed to last first.
pub async fn heads(repository: &Path) -> Result<Vec<Head>, GitError> {
    let mut refs = git(repository, &[]);
    refs.args(["for-each-ref", "--sort=-committerdate", "--format=%(objectname) %(refname)", "refs/heads/"]);
    let refs = run(refs, LOCAL).await?;
    let head = |line: &str| {
        let (commit, name) = line.split_once(' ')?;
        Some(Head { branch: name.strip_prefix("refs/heads/")?.into(), commit: commit.into() })
    };
    Ok(String::from_utf8_lossy(&refs).lines().filter_map(head).collect())
}

/// Packs what pushes and fetches have left, if it is much. Nothing that a branch holds, or held within two weeks, goes.
///
/// Collecting is quick when it is done often. It ends before the next command begins.
pub async fn pack(repository: &Path) -> Result<(), GitError> {
    let mut gc = git(repository, &[("gc.auto", "500"), ("gc.autoPackLimit", "20"), ("gc.autoDetach", "false")]);
    gc.args(["gc", "--auto", "--quiet"]);
    run(gc, PACKING).await.map(drop)
}

/// Refuses a repository whose objects or references cannot be read in this process, and one that belongs to a working copy.
pub async fn must_be_readable(repository: &Path) -> Result<(), RepositoryError> {
    let place = repository.display();
    let unusable = |what: String| Err(RepositoryError::Unusable(what));
    if repository.join(".git").exists() {
        return unusable(format!("`{place}` is a working copy, and pushes go to bare repositories\n{PUSH_FROM_IT}"));
    }
    if !repository.join("HEAD").exists() || !repository.join("objects").is_dir() {
        let hint = format!("  hint: `picloud init --bare {place}` makes one, or makes one fit");
        return unusable(format!("`{place}` is no bare repository\n{hint}"));
    }
    if setting(repository, "core.bare").await?.is_none_or(|bare| bare != "true") {
        return unusable(format!("`{place}` belongs to a working copy, and pushes go to bare repositories\n{PUSH_FROM_IT}"));
    }
    for (key, good, what) in [("extensions.objectFormat", "sha1", "object format"), ("extensions.refStorage", "files", "reference format")]
    {
        if let Some(value) = setting(repository, key).await?.filter(|value| value != good) {
            return unusable(format!(
                "the repository `{place}` has the {what} `{value}`, which cannot be read here; `{good}` can\n  hint: make a new one with `picloud \
                 init --bare DIR`, and push to it"
            ));
        }
    }
    Ok(())
}

const PUSH_FROM_IT: &str = "  hint: push from it to a bare one: `picloud init --bare /srv/git/functions.git`";

/// Returns what the repository itself sets for a key.
pub async fn setting(repository: &Path, key: &str) -> Result<Option<String>, GitError> {
    let mut config = git(repository, &[]);
    // As a file, because an old git opens no repository whose format it does not know.
    config.args(["config", "--list", "--null", "--file"]).arg(repository.join("config"));
    let config = run(config, LOCAL).await?;
    // Names are written in lower case; the last value counts.
    let value = |setting: &str| {
        let (name, value) = setting.split_once('\n')?;
        name.eq_ignore_ascii_case(key).then(|| value.to_owned())
    };
    Ok(String::from_utf8_lossy(&config).split('\0').filter_map(value).next_back())
}

/// What does not leave the machine ends soon.
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
    let mut child = spawn(command.kill_on_drop(true))?;
    let mut guard = Group(group(&child));
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
    guard.0 = None;
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

/// Processes that end with this, whoever forgets it.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        kill(self.0, Signal::KILL);
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
