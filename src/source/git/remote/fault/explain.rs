//! Turns what git says when it cannot fetch into a sentence with a way out.

use super::{
    FetchFault,
    host_key::{HostKey, host_key},
    reason,
};
use crate::{
    function::diagnostic::near_miss,
    source::git::{
        program::GitError,
        settings::Remote,
        url::{RemoteUrl, redact},
    },
};

/// Facts about a remote that help people when a fetch has failed.
#[derive(Debug, Default)]
pub struct RemoteFacts {
    /// Its branches, the one that it shows first.
    pub branches: Vec<String>,
    /// Whether the copy has the branch that is wanted.
    pub has_copy: bool,
    /// Where it says that the repository is.
    pub new_place: Option<String>,
}

/// Branches that are named; of more it is said how many.
const NAMED: usize = 5;

impl RemoteFacts {
    /// Says that a branch is not there, which ones are, and which of them may be meant.
    fn no_branch(&self, branch: &str, url: &str) -> String {
        let stays = if self.has_copy { "; what was fetched of it stays" } else { "" };
        let Some(first) = self.branches.first() else {
            return format!(
                "the remote has no branch `{branch}`{stays}\n  hint: push it to `{url}`, or name another as `branch` in the section `[source]`"
            );
        };
        let mut there = self.branches.iter().take(NAMED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        if self.branches.len() > NAMED {
            there += &format!(" and {} more", self.branches.len() - NAMED);
        }
        // As it is called in a clone.
        let there_as = branch.split_once('/').map(|(_, name)| name).filter(|name| self.branches.iter().any(|known| known == name));
        let meant = there_as.or_else(|| near_miss(branch, self.branches.iter().map(String::as_str))).unwrap_or(first);
        format!(
            "the remote has no branch `{branch}`{stays}; it has {there}\n  hint: did you mean `{meant}`? Set `branch = \"{meant}\"` in the section `[source]`"
        )
    }
}

/// Returns what to tell people of a fetch that failed: what, where, why, and what to do. Nothing of it is secret.
pub fn sentence(error: &GitError, remote: &Remote, branch: &str, known: &RemoteFacts) -> String {
    let secret = remote.token.as_ref().map(|token| token.expose().trim());
    let url = redact(&remote.url, secret);
    let text = match error {
        GitError::NotInstalled | GitError::CannotRun(_) | GitError::CannotMake { .. } => error.to_string(),
        GitError::TimedOut { limit, .. } => format!(
            "fetching from `{url}` took longer than {} s and was stopped\n  hint: a large repository or a slow network needs a longer `timeout` \
             in the section `[source]`",
            limit.as_secs_f64()
        ),
        GitError::Failed { what, said } if what != "fetch" => format!("`git {what}` failed: {said}"),
        GitError::Failed { said, .. } => match FetchFault::of(said) {
            FetchFault::NoBranch => known.no_branch(branch, &url),
            FetchFault::Moved => moved(remote, &url, known.new_place.as_deref()),
            fault => of_fetch(fault, said, remote, &url),
        },
    };
    // The last word: whatever was put together above, no secret leaves.
    redact(&text, secret)
}

fn moved(remote: &Remote, url: &str, new_place: Option<&str>) -> String {
    let host = RemoteUrl::of(&remote.url).authority;
    match new_place {
        Some(place) => {
            format!(
                "`{host}` says that `{url}` is now at `{place}`\n  hint: if you trust that, name it as `repository` in the section `[source]`"
            )
        }
        None => format!(
            "`{host}` says that `{url}` is elsewhere\n  hint: `curl -sI {url}` shows where; name that as `repository` in the section `[source]`"
        ),
    }
}

fn of_fetch(fault: FetchFault, said: &str, remote: &Remote, url: &str) -> String {
    let place = RemoteUrl::of(&remote.url);
    let host = if place.host.is_empty() { url } else { place.authority };
    match fault {
        FetchFault::OtherOwner => format!(
            "`{url}` belongs to another user than that of this node, and git reads no such repository\n  hint: name its path instead of a URL: \
             `repository = \"{}\"`; a repository on this machine is read where it is",
            url.trim_start_matches("file://")
        ),
        FetchFault::UnknownHost => format!(
            "the host of `{url}` is not known\n  hint: check `repository` in the section `[source]`, and whether this machine can look up names"
        ),
        FetchFault::Unreachable => {
            format!("cannot reach `{host}`: {}\n  hint: it is tried again; nothing is to be done if it comes back", reason(said))
        }
        FetchFault::Denied if place.is_ssh() => format!(
            "`{host}` accepts no key of ours\n  hint: add the public key to the repository there as a deploy key (it need not write), and name \
             the private one as `ssh_key` in the section `[source]`"
        ),
        FetchFault::Denied if place.is_http() && remote.token.is_none() => format!(
            "`{host}` wants to know who fetches `{url}`\n  hint: put a token that may read the repository into PICLOUD_GIT_TOKEN in the \
             environment of the node"
        ),
        FetchFault::Denied if place.is_http() => format!(
            "`{host}` does not accept the token for `{url}`\n  hint: the one in PICLOUD_GIT_TOKEN must not have expired and must be allowed to \
             read the repository; some hosts want their own `user` in the section `[source]` with it"
        ),
        FetchFault::Denied => {
            format!("`{url}` may not be read by the user that the node runs as\n  hint: give that user access to its files")
        }
        FetchFault::NotFound => {
            let hint = match (place.is_ssh(), place.is_http()) {
                (true, _) => "check the spelling; a private one is shown only to those with a key (`ssh_key` in the section `[source]`)",
                (_, true) => "check the spelling; a private one is shown only to those with a token (PICLOUD_GIT_TOKEN in the environment)",
                _ => "check `repository` in the section `[source]`",
            };
            format!("there is no repository at `{url}`, or it is hidden from us\n  hint: {hint}")
        }
        FetchFault::UnknownHostKey => {
            let HostKey { scan, file, .. } = host_key(remote, &place);
            format!(
                "the host key of `{host}` is not known here\n  hint: compare what `{scan} | ssh-keygen -lf -` prints with the fingerprint that \
                 the provider publishes; if they are the same: `{scan} >> {file}`"
            )
        }
        FetchFault::ChangedHostKey => {
            let HostKey { scan, file, name } = host_key(remote, &place);
            format!(
                "`{host}` has another host key than before: its provider has replaced it, or somebody is in between\n  hint: compare what \
                 `{scan} | ssh-keygen -lf -` prints with the fingerprint that the provider publishes; if they are the same: `ssh-keygen -R \
                 {name} -f {file}`, then `{scan} >> {file}`"
            )
        }
        FetchFault::BadKeyFile => {
            let file = remote.ssh_key.as_ref().map_or("the private key".into(), |file| format!("`{}`", file.display()));
            format!(
                "ssh cannot use {file}: {}\n  hint: it must be a private key without a passphrase, readable for its owner alone",
                reason(said)
            )
        }
        FetchFault::Certificate => format!(
            "the certificate of `{host}` is not trusted: {}\n  hint: one of your own authority can be named in GIT_SSL_CAINFO in the \
             environment of the node",
            reason(said)
        ),
        FetchFault::OtherHash => format!(
            "the repository at `{url}` has the object format sha256, which cannot be read here; sha1 can\n  hint: follow one made with `git \
             init --object-format=sha1`"
        ),
        FetchFault::Protocol => {
            format!("`{url}` is of a kind that is not fetched from: {}\n  hint: https, http, ssh, git and file are", reason(said))
        }
        FetchFault::DiskFull => "the disk of this machine is full, so nothing can be fetched\n  hint: make room in the data folder".into(),
        FetchFault::RemoteFailed => {
            format!("`{host}` cannot answer just now: {}\n  hint: it is tried again, ever more seldom", reason(said))
        }
        FetchFault::NoBranch | FetchFault::Moved | FetchFault::Other => format!("cannot fetch from `{url}`: {}", reason(said)),
    }
}
