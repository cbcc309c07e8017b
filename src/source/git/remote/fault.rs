//! What git says when it cannot fetch, turned into a sentence with a way out.

use super::url::{Place, redact};
use crate::{
    function::diagnostic::near_miss,
    source::git::{GitError, Remote},
};

/// Why a fetch failed, as far as git's words tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The remote is there, and the branch is not.
    NoBranch,
    /// It says that the repository is elsewhere.
    Moved,
    /// It is on this machine, and another user's: git reads no such repository.
    OtherOwner,
    /// Its name leads nowhere.
    UnknownHost,
    /// Nobody answers, or the connection broke.
    Unreachable,
    /// It wants to know who we are, or does not like the answer.
    Denied,
    /// It is there and is no repository, or hides it.
    NotFound,
    /// ssh does not know its host key.
    UnknownHostKey,
    /// ssh knows another host key.
    ChangedHostKey,
    /// The file of our own key is missing or open to others.
    BadKeyFile,
    /// TLS does not trust it.
    Certificate,
    /// Its objects have names that cannot be read here.
    OtherHash,
    /// A kind of URL that is not used.
    Protocol,
    /// The disk of this machine.
    DiskFull,
    /// It has failed itself.
    RemoteFailed,
    /// Everything else.
    Other,
}

/// What git, ssh and curl write (`LC_ALL=C`). The first that is found counts, so causes come before their consequences.
const SIGNS: [(&str, Fault); 47] = [
    ("couldn't find remote ref", Fault::NoBranch),
    ("detected dubious ownership", Fault::OtherOwner),
    ("returned error: 30", Fault::Moved),
    ("No space left on device", Fault::DiskFull),
    ("mismatched algorithms", Fault::OtherHash),
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", Fault::ChangedHostKey),
    ("Host key verification failed", Fault::UnknownHostKey),
    ("Could not resolve host", Fault::UnknownHost),
    ("Could not resolve proxy", Fault::UnknownHost),
    ("unable to look up", Fault::UnknownHost),
    ("Failed to connect", Fault::Unreachable),
    ("unable to connect", Fault::Unreachable),
    ("Connection refused", Fault::Unreachable),
    ("Connection timed out", Fault::Unreachable),
    ("Operation timed out", Fault::Unreachable),
    ("Operation too slow", Fault::Unreachable),
    ("No route to host", Fault::Unreachable),
    ("Network is unreachable", Fault::Unreachable),
    ("Connection reset", Fault::Unreachable),
    ("Connection closed by", Fault::Unreachable),
    ("Empty reply from server", Fault::Unreachable),
    ("Recv failure", Fault::Unreachable),
    ("hung up unexpectedly", Fault::Unreachable),
    ("early EOF", Fault::Unreachable),
    ("UNPROTECTED PRIVATE KEY FILE", Fault::BadKeyFile),
    ("Identity file", Fault::BadKeyFile),
    ("Load key", Fault::BadKeyFile),
    ("Repository not found", Fault::NotFound),
    ("does not appear to be a git repository", Fault::NotFound),
    ("could not be found or you don't have permission", Fault::NotFound),
    ("info/refs not valid", Fault::NotFound),
    ("' not found", Fault::NotFound),
    ("Permission denied", Fault::Denied),
    ("Too many authentication failures", Fault::Denied),
    ("Authentication failed", Fault::Denied),
    ("could not read Username", Fault::Denied),
    ("could not read Password", Fault::Denied),
    ("returned error: 401", Fault::Denied),
    ("returned error: 403", Fault::Denied),
    ("returned error: 429", Fault::RemoteFailed),
    ("returned error: 5", Fault::RemoteFailed),
    ("certificate", Fault::Certificate),
    ("SSL", Fault::Certificate),
    ("TLS", Fault::Certificate),
    ("gnutls", Fault::Certificate),
    ("not allowed", Fault::Protocol),
    ("remote helper", Fault::Protocol),
];

impl Fault {
    /// Returns what git's words mean. What the other side says is not looked at: it could say anything.
    pub fn of(said: &str) -> Self {
        let own: Vec<&str> = said.lines().filter(|line| !line.starts_with("remote:")).collect();
        let is_said = |sign: &str| own.iter().any(|line| line.contains(sign));
        SIGNS.into_iter().find(|(sign, _)| is_said(sign)).map_or(Self::Other, |(_, fault)| fault)
    }
}

/// What else is known of a remote when a fetch has failed.
#[derive(Debug, Default)]
pub struct Known {
    /// Its branches, the one that it shows first.
    pub branches: Vec<String>,
    /// Whether the copy has the branch that is wanted.
    pub has_copy: bool,
    /// Where it says that the repository is.
    pub new_place: Option<String>,
}

/// Branches that are named; of more it is said how many.
const NAMED: usize = 5;

impl Known {
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
pub fn sentence(error: &GitError, remote: &Remote, branch: &str, known: &Known) -> String {
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
        GitError::Failed { said, .. } => match Fault::of(said) {
            Fault::NoBranch => known.no_branch(branch, &url),
            Fault::Moved => moved(remote, &url, known.new_place.as_deref()),
            fault => of_fetch(fault, said, remote, &url),
        },
    };
    // The last word: whatever was put together above, no secret leaves.
    redact(&text, secret)
}

fn moved(remote: &Remote, url: &str, new_place: Option<&str>) -> String {
    let host = Place::of(&remote.url).authority;
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

fn of_fetch(fault: Fault, said: &str, remote: &Remote, url: &str) -> String {
    let place = Place::of(&remote.url);
    let host = if place.host.is_empty() { url } else { place.authority };
    match fault {
        Fault::OtherOwner => format!(
            "`{url}` belongs to another user than that of this node, and git reads no such repository\n  hint: name its path instead of a URL: \
             `repository = \"{}\"`; a repository on this machine is read where it is",
            url.trim_start_matches("file://")
        ),
        Fault::UnknownHost => format!(
            "the host of `{url}` is not known\n  hint: check `repository` in the section `[source]`, and whether this machine can look up names"
        ),
        Fault::Unreachable => {
            format!("cannot reach `{host}`: {}\n  hint: it is tried again; nothing is to be done if it comes back", reason(said))
        }
        Fault::Denied if place.is_ssh() => format!(
            "`{host}` accepts no key of ours\n  hint: add the public key to the repository there as a deploy key (it need not write), and name \
             the private one as `ssh_key` in the section `[source]`"
        ),
        Fault::Denied if place.is_http() && remote.token.is_none() => format!(
            "`{host}` wants to know who fetches `{url}`\n  hint: put a token that may read the repository into PICLOUD_GIT_TOKEN in the \
             environment of the node"
        ),
        Fault::Denied if place.is_http() => format!(
            "`{host}` does not accept the token for `{url}`\n  hint: the one in PICLOUD_GIT_TOKEN must not have expired and must be allowed to \
             read the repository; some hosts want their own `user` in the section `[source]` with it"
        ),
        Fault::Denied => format!("`{url}` may not be read by the user that the node runs as\n  hint: give that user access to its files"),
        Fault::NotFound => {
            let hint = match (place.is_ssh(), place.is_http()) {
                (true, _) => "check the spelling; a private one is shown only to those with a key (`ssh_key` in the section `[source]`)",
                (_, true) => "check the spelling; a private one is shown only to those with a token (PICLOUD_GIT_TOKEN in the environment)",
                _ => "check `repository` in the section `[source]`",
            };
            format!("there is no repository at `{url}`, or it is hidden from us\n  hint: {hint}")
        }
        Fault::UnknownHostKey => {
            let HostKey { scan, file, .. } = host_key(remote, &place);
            format!(
                "the host key of `{host}` is not known here\n  hint: compare what `{scan} | ssh-keygen -lf -` prints with the fingerprint that \
                 the provider publishes; if they are the same: `{scan} >> {file}`"
            )
        }
        Fault::ChangedHostKey => {
            let HostKey { scan, file, name } = host_key(remote, &place);
            format!(
                "`{host}` has another host key than before: its provider has replaced it, or somebody is in between\n  hint: compare what \
                 `{scan} | ssh-keygen -lf -` prints with the fingerprint that the provider publishes; if they are the same: `ssh-keygen -R \
                 {name} -f {file}`, then `{scan} >> {file}`"
            )
        }
        Fault::BadKeyFile => {
            let file = remote.ssh_key.as_ref().map_or("the private key".into(), |file| format!("`{}`", file.display()));
            format!(
                "ssh cannot use {file}: {}\n  hint: it must be a private key without a passphrase, readable for its owner alone",
                reason(said)
            )
        }
        Fault::Certificate => format!(
            "the certificate of `{host}` is not trusted: {}\n  hint: one of your own authority can be named in GIT_SSL_CAINFO in the \
             environment of the node",
            reason(said)
        ),
        Fault::OtherHash => format!(
            "the repository at `{url}` has the object format sha256, which cannot be read here; sha1 can\n  hint: follow one made with `git \
             init --object-format=sha1`"
        ),
        Fault::Protocol => {
            format!("`{url}` is of a kind that is not fetched from: {}\n  hint: https, http, ssh, git and file are", reason(said))
        }
        Fault::DiskFull => "the disk of this machine is full, so nothing can be fetched\n  hint: make room in the data folder".into(),
        Fault::RemoteFailed => format!("`{host}` cannot answer just now: {}\n  hint: it is tried again, ever more seldom", reason(said)),
        Fault::NoBranch | Fault::Moved | Fault::Other => format!("cannot fetch from `{url}`: {}", reason(said)),
    }
}

/// How to learn and to keep a host key.
struct HostKey {
    scan: String,
    file: String,
    name: String,
}

fn host_key(remote: &Remote, place: &Place<'_>) -> HostKey {
    let file = remote.known_hosts.as_ref().map_or("~/.ssh/known_hosts".into(), |file| {
        let file = file.display().to_string();
        let is_plain = file.chars().all(|c| c.is_alphanumeric() || "/._-+".contains(c));
        if is_plain { file } else { quoted(&file) }
    });
    let host = place.host;
    let (scan, name) = match place.port {
        Some(port) => (format!("ssh-keyscan -p {port} {host}"), format!("'[{host}]:{port}'")),
        None => (format!("ssh-keyscan {host}"), host.to_owned()),
    };
    HostKey { scan, file, name }
}

/// Returns the line that says most: the first of git's own that is fatal or an error, else the last one.
fn reason(said: &str) -> &str {
    let said_by_us = || said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("remote:"));
    let is_cause = |line: &&str| {
        let is_known = Fault::of(line) != Fault::Other || line.starts_with("fatal:") || line.starts_with("error:");
        is_known && !line.ends_with(':')
    };
    let line = said_by_us().find(is_cause).or_else(|| said_by_us().next_back()).unwrap_or("git gave no reason");
    let line = line.trim_start_matches("fatal: ").trim_start_matches("error: ");
    // `unable to access 'URL': …` repeats what the sentence says.
    line.strip_prefix("unable to access '").and_then(|rest| rest.split_once("': ")).map_or(line, |(_, why)| why)
}

/// Returns a word as a shell takes it whole.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::secret::Secret;

    fn remote(url: &str) -> Remote {
        Remote { url: url.into(), user: "git".into(), token: None, ssh_key: None, known_hosts: None }
    }

    fn copied() -> Known {
        Known { has_copy: true, ..Known::default() }
    }

    #[test]
    fn a_branch_that_is_not_there_is_told_with_those_that_are() {
        let error = GitError::Failed { what: "fetch".into(), said: "fatal: couldn't find remote ref refs/heads/x".into() };
        let many: Vec<String> = (0..8).map(|number| format!("b{number}")).collect();
        let mut told = Vec::new();
        for (wanted, branches) in [
            ("main", &["trunk"][..]),
            ("main", &["trunk", "mian"]),
            ("origin/main", &["trunk", "main"]),
            ("x", &many.iter().map(String::as_str).collect::<Vec<_>>()),
            ("main", &[]),
        ] {
            let known = Known { branches: branches.iter().map(ToString::to_string).collect(), ..Known::default() };
            told.push(sentence(&error, &remote("https://git.example.org/a.git"), wanted, &known));
        }
        insta::assert_snapshot!(told.join("\n"), @r#"
        the remote has no branch `main`; it has `trunk`
          hint: did you mean `trunk`? Set `branch = "trunk"` in the section `[source]`
        the remote has no branch `main`; it has `trunk`, `mian`
          hint: did you mean `mian`? Set `branch = "mian"` in the section `[source]`
        the remote has no branch `origin/main`; it has `trunk`, `main`
          hint: did you mean `main`? Set `branch = "main"` in the section `[source]`
        the remote has no branch `x`; it has `b0`, `b1`, `b2`, `b3`, `b4` and 3 more
          hint: did you mean `b0`? Set `branch = "b0"` in the section `[source]`
        the remote has no branch `main`
          hint: push it to `https://git.example.org/a.git`, or name another as `branch` in the section `[source]`
        "#);
    }

    #[test]
    fn a_repository_that_has_moved_is_told_with_its_new_place() {
        let error = GitError::Failed {
            what: "fetch".into(),
            said: "fatal: unable to access 'https://git.example.org/a.git/': The requested URL returned error: 301".into(),
        };
        let told = ["https://ada:x@new.example.org/b.git", ""].map(|place| {
            let new_place = Some(place.to_owned()).filter(|place| !place.is_empty());
            sentence(&error, &remote("https://git.example.org/a.git"), "main", &Known { new_place, ..Known::default() })
        });
        insta::assert_snapshot!(told.join("\n"), @r#"
        `git.example.org` says that `https://git.example.org/a.git` is now at `https://…@new.example.org/b.git`
          hint: if you trust that, name it as `repository` in the section `[source]`
        `git.example.org` says that `https://git.example.org/a.git` is elsewhere
          hint: `curl -sI https://git.example.org/a.git` shows where; name that as `repository` in the section `[source]`
        "#);
    }

    const SSH_TAIL: &str = "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the \
                            repository exists.";

    #[test]
    fn every_known_failure_has_its_sentence() {
        let (https, ssh, file) = ("https://git.example.org/a/f.git", "ssh://git@git.example.org/a/f.git", "file:///srv/f.git");
        let port = "ssh://git@git.example.org:2222/a/f.git";
        let scp = "git@git.example.org:a/f.git";
        let mut told = String::new();
        for (url, said) in [
            (https, "fatal: couldn't find remote ref refs/heads/main"),
            (https, "fatal: unable to access 'https://git.example.org/a/f.git/': Could not resolve host: git.example.org"),
            (scp, "ssh: Could not resolve hostname git.example.org: Name or service not known"),
            ("git://git.example.org/f", "fatal: unable to look up git.example.org (port 9418) (Name or service not known)"),
            (
                "https://git.example.org:8443/f",
                "fatal: unable to access 'https://git.example.org:8443/f/': Failed to connect to git.example.org port 8443 after 0 ms: \
                 Couldn't connect to server",
            ),
            (ssh, "ssh: connect to host git.example.org port 22: Connection timed out"),
            (
                "git://git.example.org/f",
                "fatal: unable to connect to git.example.org:\ngit.example.org[0: 192.0.2.1]: errno=Connection refused",
            ),
            (
                https,
                "error: RPC failed; curl 28 Operation too slow. Less than 1 bytes/sec transferred the last 30 seconds\nfatal: expected flush \
                 after ref listing",
            ),
            (https, "fatal: could not read Username for 'https://git.example.org': terminal prompts disabled"),
            (https, "fatal: unable to access 'https://git.example.org/a/f.git/': The requested URL returned error: 403"),
            (ssh, "git@git.example.org: Permission denied (publickey)."),
            (file, "fatal: failed to open '/srv/f.git/HEAD': Permission denied"),
            (https, "remote: Repository not found.\nfatal: repository 'https://git.example.org/a/f.git/' not found"),
            (ssh, "ERROR: Repository not found."),
            (file, "fatal: detected dubious ownership in repository at '/srv/f.git'\nTo add an exception for this directory, call:"),
            (file, "fatal: '/srv/f.git' does not appear to be a git repository"),
            (
                scp,
                "No ED25519 host key is known for git.example.org and you have requested strict checking.\nHost key verification failed.",
            ),
            (
                port,
                "No ED25519 host key is known for [git.example.org]:2222 and you have requested strict checking.\nHost key verification failed.",
            ),
            (
                port,
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nIT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\nHost key \
                 verification failed.",
            ),
            (
                ssh,
                "Warning: Identity file /keys/none not accessible: No such file or directory.\ngit@git.example.org: Permission denied (publickey).",
            ),
            (
                https,
                "fatal: unable to access 'https://git.example.org/a/f.git/': server certificate verification failed. CAfile: none CRLfile: none",
            ),
            (https, "fatal: mismatched algorithms: client sha1; server sha256"),
            ("ext::sh -c id", "fatal: transport 'ext' not allowed"),
            (https, "fatal: write error: No space left on device"),
            (https, "fatal: unable to access 'https://git.example.org/a/f.git/': The requested URL returned error: 503"),
            (https, "remote: Authentication failed, says the remote\nfatal: something else"),
            (https, ""),
        ] {
            let said = if url.contains("ssh") || url == scp { format!("{said}\n{SSH_TAIL}") } else { said.to_owned() };
            told += &sentence(&GitError::Failed { what: "fetch".into(), said }, &remote(url), "main", &copied());
            told.push('\n');
        }
        let known = Remote { known_hosts: Some("/etc/known hosts".into()), ..remote(scp) };
        let unknown_key = GitError::Failed { what: "fetch".into(), said: "Host key verification failed.".into() };
        let token = Remote { token: Some(Secret::new("sesame")), ..remote(https) };
        let refused = GitError::Failed { what: "fetch".into(), said: format!("fatal: Authentication failed for '{https}/'") };
        let late = GitError::TimedOut { what: "fetch".into(), limit: Duration::from_secs(60) };
        let init = GitError::Failed { what: "init".into(), said: "fatal: cannot mkdir /data/functions.git: Permission denied".into() };
        for (error, remote) in [(&unknown_key, &known), (&refused, &token), (&late, &token), (&init, &token)] {
            told += &sentence(error, remote, "main", &copied());
            told.push('\n');
        }
        insta::assert_snapshot!(told);
    }

    #[test]
    fn no_sentence_shows_a_secret() {
        let remote = Remote { token: Some(Secret::new("sesame\n")), ..remote("https://ada:pa55@git.example.org/f.git") };
        for (sign, _) in SIGNS.into_iter().chain([("no sign at all", Fault::Other)]) {
            let said = format!("fatal: {sign} sesame https://ada:pa55@git.example.org/f.git: sesame");
            for what in ["fetch", "init"] {
                let told = sentence(&GitError::Failed { what: what.into(), said: said.clone() }, &remote, "main", &copied());
                assert!(!told.contains("sesame") && !told.contains("pa55"), "{told}");
            }
        }
    }
}
