//! Every sentence about a fetch that failed.

use std::time::Duration;

use super::{
    FetchFault, SIGNS,
    explain::{RemoteFacts, sentence},
};
use crate::{
    secret::Secret,
    source::git::{GitError, Remote},
};

fn remote(url: &str) -> Remote {
    Remote { url: url.into(), user: "git".into(), token: None, ssh_key: None, known_hosts: None }
}

fn copied() -> RemoteFacts {
    RemoteFacts { has_copy: true, ..RemoteFacts::default() }
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
        let known = RemoteFacts { branches: branches.iter().map(ToString::to_string).collect(), ..RemoteFacts::default() };
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
        sentence(&error, &remote("https://git.example.org/a.git"), "main", &RemoteFacts { new_place, ..RemoteFacts::default() })
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
        (scp, "No ED25519 host key is known for git.example.org and you have requested strict checking.\nHost key verification failed."),
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
    for (sign, _) in SIGNS.into_iter().chain([("no sign at all", FetchFault::Other)]) {
        let said = format!("fatal: {sign} sesame https://ada:pa55@git.example.org/f.git: sesame");
        for what in ["fetch", "init"] {
            let told = sentence(&GitError::Failed { what: what.into(), said: said.clone() }, &remote, "main", &copied());
            assert!(!told.contains("sesame") && !told.contains("pa55"), "{told}");
        }
    }
}
