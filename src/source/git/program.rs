//! The `git` program: it does everything that writes to a repository or talks to a network, because a process can be stopped.

use std::{
    ffi::OsStr,
    io::{self, ErrorKind},
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

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

/// Runs it to its end and returns what it printed. If it takes longer than `limit`, it is killed with every process that it started.
pub async fn run(mut command: Command, limit: Duration) -> Result<Vec<u8>, GitError> {
    let output = output(&mut command, limit).await?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(GitError::Failed { what: name(&command), said: said.trim().to_owned() })
}

async fn output(command: &mut Command, limit: Duration) -> Result<Output, GitError> {
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn();
    let child = child.map_err(|error| match error.kind() {
        ErrorKind::NotFound => GitError::NotInstalled,
        _ => GitError::CannotRun(error),
    })?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    match tokio::time::timeout(limit, child.wait_with_output()).await {
        Ok(output) => output.map_err(GitError::CannotRun),
        Err(_) => {
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
            Err(GitError::TimedOut { what: name(command), limit })
        }
    }
}

fn name(command: &Command) -> String {
    command.as_std().get_args().next().map(OsStr::to_string_lossy).unwrap_or_default().into_owned()
}
