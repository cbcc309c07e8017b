//! One fetch: which settings, which references, how we prove who we are, and what is left when it was killed.

use std::{
    fs, io,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::process::Command;

use super::fault::{
    FetchFault,
    explain::{RemoteFacts, sentence},
    host_key::quoted,
};
use crate::source::git::{
    hosted,
    own::OwnRepository,
    program::{self, GitError},
    refs::{self, HEADS, Head},
    settings::{GitSettings, Remote},
    url::RemoteUrl,
};

/// Settings of every fetch.
const SETTINGS: [(&str, &str); 3] = [
    // A remote that leads elsewhere would have the node ask inside its own network.
    ("http.followRedirects", "false"),
    // Slower than a byte a second for half a minute: nobody is there any more. Keep-alives are faster.
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "30"),
];
/// Allowed protocols. `ext` is not among them: it would run a program that the URL names.
const PROTOCOLS: [&str; 5] = ["https", "http", "ssh", "git", "file"];

/// Tells git the token, which is in the environment: a command line can be seen by everybody on the machine.
const CREDENTIAL_HELPER: &str =
    r#"!f() { if test "$1" = get; then printf 'username=%s\npassword=%s\n' "$PICLOUD_GIT_USER" "$PICLOUD_GIT_TOKEN"; fi; }; f"#;

/// Variables of the node that say how to get out of its network, and whom to trust there.
const OF_THE_NETWORK: [&str; 10] = [
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "GIT_SSL_CAINFO",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
/// Variables of the node that ssh needs for its user's settings and keys.
const OF_SSH: [&str; 2] = ["HOME", "SSH_AUTH_SOCK"];

/// Fetches from one remote into one repository.
pub struct Fetch {
    remote: Remote,
    branch: String,
    /// Whether branches that do not deploy are wanted too.
    wants_others: bool,
    limit: Duration,
    repository: OwnRepository,
    /// Whether git was killed while it was writing here, as far as we know.
    may_be_littered: AtomicBool,
}

impl Fetch {
    pub fn new(settings: &GitSettings, remote: Remote, repository: OwnRepository) -> Self {
        Self {
            remote,
            branch: settings.branch.clone(),
            wants_others: settings.previews > 0,
            limit: settings.timeout,
            repository,
            may_be_littered: AtomicBool::new(true),
        }
    }

    /// Brings the copy in line with the remote, or says why not.
    pub async fn run(&self) -> Result<(), String> {
        let fetched = self.try_run().await;
        if matches!(fetched, Err(GitError::TimedOut { .. })) {
            self.may_be_littered.store(true, Ordering::Relaxed);
        }
        match fetched {
            Ok(()) => Ok(()),
            Err(error) => Err(sentence(&error, &self.remote, &self.branch, &self.facts(&error).await)),
        }
    }

    /// Asks for what helps people when a fetch has failed so.
    async fn facts(&self, error: &GitError) -> RemoteFacts {
        let GitError::Failed { said, .. } = error else { return RemoteFacts::default() };
        let has_copy = || self.branches().is_ok_and(|heads| heads.iter().any(|head| head.branch == self.branch));
        match FetchFault::of(said) {
            FetchFault::NoBranch => RemoteFacts { branches: self.listed().await, has_copy: has_copy(), new_place: None },
            FetchFault::Moved => RemoteFacts { new_place: self.new_place().await, ..RemoteFacts::default() },
            _ => RemoteFacts::default(),
        }
    }

    /// Returns the branches that the remote has, the one that it shows first.
    async fn listed(&self) -> Vec<String> {
        let mut list = self.command();
        list.args(["ls-remote", "--quiet", "--symref", "--", &self.remote.url, "HEAD", "refs/heads/*"]);
        let Ok(listed) = program::run(list, self.limit).await else { return Vec::new() };
        let listed = String::from_utf8_lossy(&listed).into_owned();
        let shown = listed.lines().find_map(|line| line.strip_prefix("ref: ")?.strip_suffix("\tHEAD")?.strip_prefix(HEADS));
        let mut names: Vec<String> = listed.lines().filter_map(|line| Some(line.split_once('\t')?.1.strip_prefix(HEADS)?.into())).collect();
        names.sort_by_key(|name| shown != Some(name));
        names
    }

    /// Returns where the remote says that the repository is now.
    async fn new_place(&self) -> Option<String> {
        let mut ask = self.command();
        ask.args(["ls-remote", "--quiet", "--", &self.remote.url]).env("GIT_TRACE_CURL", "1");
        let Err(GitError::Failed { said, .. }) = program::run(ask, self.limit).await else { return None };
        let place = said.lines().filter_map(|line| line.split_once("<= Recv header: ")?.1.split_once(": ")).rfind(is_location)?.1;
        Some(place.trim().split_once("/info/refs").map_or(place.trim(), |(repository, _)| repository).to_owned())
    }

    async fn try_run(&self) -> Result<(), GitError> {
        if !self.repository.path().join("HEAD").exists() {
            hosted::make(self.repository.path(), &self.branch)?;
        }
        if self.may_be_littered.swap(false, Ordering::Relaxed) {
            let repository = self.repository.path().to_owned();
            let swept = tokio::task::spawn_blocking(move || sweep(&repository)).await;
            swept.unwrap_or_else(|gone| Err(gone.into())).map_err(GitError::CannotRun)?;
        }
        let branch = format!("+refs/heads/{0}:refs/heads/{0}", self.branch);
        if !self.wants_others {
            return self.fetch(&[&branch]).await;
        }
        // Named by itself, the branch must be there: otherwise this fails before it prunes.
        let fetched = self.fetch(&[&branch, "+refs/heads/*:refs/heads/*"]).await;
        if matches!(&fetched, Err(GitError::Failed { said, .. }) if FetchFault::of(said) == FetchFault::NoBranch) {
            self.fetch(&["+refs/heads/*:refs/heads/*", &format!("^refs/heads/{}", self.branch)]).await?;
        }
        fetched
    }

    async fn fetch(&self, references: &[&str]) -> Result<(), GitError> {
        let mut command = self.command();
        command.args(["fetch", "--quiet", "--no-tags", "--prune", "--no-recurse-submodules", "--no-write-fetch-head"]);
        command.args(["--force", "--no-auto-gc", "--", &self.remote.url]).args(references);
        program::run(command, self.limit).await.map(drop)
    }

    /// Returns the branches of the copy and where they point to.
    pub fn branches(&self) -> io::Result<Vec<Head>> {
        refs::heads(self.repository.path())
    }

    /// Packs what many fetches brought, if it is much.
    pub async fn pack(&self) {
        if let Err(error) = program::pack(&self.repository).await {
            tracing::warn!("cannot pack the copy of the remote repository: {error}");
            self.may_be_littered.store(true, Ordering::Relaxed);
        }
    }

    /// Prepares git with what opens the remote.
    fn command(&self) -> Command {
        let (remote, place) = (&self.remote, RemoteUrl::of(&self.remote.url));
        // For this host alone: a redirection elsewhere gets nothing.
        let helper = format!("credential.{}://{}.helper", place.scheme, place.authority);
        let token = remote.token.as_ref().filter(|_| place.is_http());
        let allowed = PROTOCOLS.iter().find(|protocol| **protocol == place.protocol()).map(|protocol| format!("protocol.{protocol}.allow"));
        let mut settings = SETTINGS.to_vec();
        settings.extend(allowed.as_deref().map(|allowed| (allowed, "always")));
        settings.extend(token.map(|_| (helper.as_str(), CREDENTIAL_HELPER)));
        let mut command = program::git(&self.repository, &settings);
        if let Some(token) = token {
            command.env("PICLOUD_GIT_USER", &remote.user).env("PICLOUD_GIT_TOKEN", token.expose().trim());
        }
        let mut passed = OF_THE_NETWORK.to_vec();
        if place.is_ssh() {
            command.env("GIT_SSH_COMMAND", ssh_command(remote)).env("GIT_SSH_VARIANT", "ssh");
            passed.extend(OF_SSH);
        }
        command.envs(passed.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command
    }
}

/// Returns the command line of ssh. It asks nobody anything, so an unknown host key is refused.
fn ssh_command(remote: &Remote) -> String {
    let mut command = "ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=10".to_owned();
    // `%` begins a token of ssh's.
    let escaped = |path: &Path| path.to_string_lossy().replace('%', "%%");
    if let Some(key) = &remote.ssh_key {
        command += &format!(" -i {} -o IdentitiesOnly=yes", quoted(&escaped(key)));
    }
    if let Some(file) = &remote.known_hosts {
        // Without double quotes a space would end it and begin another file.
        let option = format!("UserKnownHostsFile=\"{}\"", escaped(file).replace('"', "\\\""));
        command += &format!(" -o {}", quoted(&option));
    }
    command
}

fn is_location((name, _): &(&str, &str)) -> bool {
    name.eq_ignore_ascii_case("location")
}

/// Removes the locks and the half packs of a git that was killed. They would stop every later one, or fill the disk.
fn sweep(repository: &Path) -> io::Result<()> {
    remove(repository, Depth::Folder, |name| name.ends_with(".lock") || name == "gc.pid")?;
    remove(&repository.join("refs"), Depth::Tree, |name| name.ends_with(".lock"))?;
    remove(&repository.join("objects/pack"), Depth::Folder, |name| name.starts_with("tmp_"))
}

/// Whether folders below are looked at, too.
#[derive(Clone, Copy, PartialEq)]
enum Depth {
    Folder,
    Tree,
}

fn remove(folder: &Path, depth: Depth, is_litter: fn(&str) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if depth == Depth::Tree {
                remove(&entry.path(), depth, is_litter)?;
            }
        } else if is_litter(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_gets_paths_whole() {
        let mut remote = Remote { url: "git@example.org:a".into(), user: "git".into(), token: None, ssh_key: None, known_hosts: None };
        assert_eq!(ssh_command(&remote), "ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=10");
        remote.ssh_key = Some("/keys/ada's key%h".into());
        remote.known_hosts = Some("/etc/known hosts".into());
        let command = ssh_command(&remote);
        assert!(command.contains(r" -i '/keys/ada'\''s key%%h' -o IdentitiesOnly=yes "), "{command}");
        assert!(command.ends_with(r#" -o 'UserKnownHostsFile="/etc/known hosts"'"#), "{command}");
    }

    #[test]
    fn what_a_killed_git_leaves_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["HEAD", "refs/heads/a/main", "objects/pack/pack-1.pack"];
        let litter = ["packed-refs.lock", "refs/heads/a/main.lock", "objects/pack/tmp_pack_x", "gc.pid", "shallow.lock"];
        for file in files.iter().chain(&litter) {
            fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
            fs::write(folder.path().join(file), "").unwrap();
        }
        sweep(folder.path()).unwrap();
        assert!(files.iter().all(|file| folder.path().join(file).exists()));
        assert!(!litter.iter().any(|file| folder.path().join(file).exists()));
        sweep(&folder.path().join("nowhere")).unwrap();
    }
}
