//! Clone, fetch and push over HTTP, and everything that is refused there.

use std::{fs, io::Write, time::Duration};

use picloud::clock::monotonic;

use crate::kit::{
    api::admin,
    client::Client,
    command::{picloud, said, token},
    git::{Checkout, git, push_request},
    node::{Node, PATIENCE, node, wait_until},
    story::{hosted, url},
};

const RECEIVE: &str = "application/x-git-receive-pack-request";

fn authorization(token: &str) -> String {
    format!("Bearer {token}")
}

/// Sends the head of a push whose body comes in chunks.
fn begin_push(node: &Node) -> Client {
    let mut client = node.client();
    let head = format!(
        "POST /functions.git/git-receive-pack HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\ncontent-type: {RECEIVE}\r\n\
         transfer-encoding: chunked\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
        admin(node)
    );
    client.write(head.as_bytes()).unwrap();
    client
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// A node whose clients may take a second for anything.
const IMPATIENT: &str = "[server]\nbody_timeout = \"1s\"\nheader_timeout = \"1s\"\nwrite_timeout = \"1s\"\n[source]\nkind = \"git\"\n";

/// Lets time pass: for what must not happen although it does.
fn pass(time: Duration) {
    let began = monotonic();
    wait_until("time has passed", PATIENCE, || began.elapsed() > time);
}

/// Bytes that do not get smaller by compression.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn quarantines(node: &Node) -> usize {
    let objects = fs::read_dir(node.data().join("functions.git/objects")).unwrap();
    objects.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("tmp_objdir")).count()
}

#[test]
fn an_empty_repository_can_be_cloned_and_pushed_to() {
    let node = hosted().start();
    let url = url(&node, &admin(&node));
    let first = Checkout::of(&url);
    let commit = first.commit(&[("functions/hello.rhai", b"\"hi\""), ("large.bin", &noise(3 << 20))]);
    // Larger than git sends at once: it asks first whether it may, then sends chunks.
    first.done(&["push", "--quiet", "origin", "main"]);
    let second = Checkout::of(&url);
    assert_eq!(second.done(&["rev-parse", "HEAD"]).trim(), commit);
    assert_eq!(fs::read(second.folder().join("large.bin")).unwrap(), noise(3 << 20));
    second.commit(&[("functions/hello.rhai", b"\"ho\"")]);
    second.done(&["push", "--quiet", "origin", "HEAD:topic"]);
    first.done(&["fetch", "--quiet"]);
    assert_eq!(first.done(&["show", "origin/topic:functions/hello.rhai"]), "\"ho\"");
}

#[test]
fn a_push_wakes_the_node() {
    let node = hosted().start();
    let checkout = Checkout::with(&[("functions/hello.rhai", b"\"hi\"")]);
    checkout.done(&["push", "--quiet", &url(&node, &admin(&node)), "main"]);
    node.wait_for("/hello", "hi");
}

#[test]
fn without_a_token_git_is_told_what_to_do() {
    let node = hosted().start();
    let answer = node.get("/functions.git/info/refs?service=git-receive-pack");
    assert_eq!((answer.status, answer.header("content-type")), (401, Some("text/plain; charset=utf-8")));
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic realm=\"PiCloud\""));
    insta::assert_snapshot!("no_token", answer.text());
    assert_eq!(node.send("POST", "/functions.git/git-upload-pack", &[], b"0000").status, 401);
}

#[test]
fn a_wrong_revoked_or_expired_token_is_worth_nothing() {
    let node = hosted().start();
    let checkout = Checkout::empty();
    let refused = |token: &str| checkout.refused(&["ls-remote", &url(&node, token)]);
    let told = refused("wrong");
    assert!(told.contains("remote: the token is not known here") && told.contains("Authentication failed"), "{told}");
    let secret = token(&node, &["ci", "--scope", "deploy"]);
    checkout.done(&["ls-remote", &url(&node, &secret)]);
    picloud(&node, &["token", "revoke", "ci"]);
    assert!(refused(&secret).contains("Authentication failed"));
    let expired = token(&node, &["brief", "--scope", "deploy", "--expires", "1us"]);
    assert!(refused(&expired).contains("Authentication failed"));
    let log = node.log();
    assert!(!log.contains(&secret) && !log.contains(&expired), "{log}");
}

#[test]
fn a_token_to_read_clones_and_does_not_push() {
    let node = hosted().start();
    let reader = url(&node, &token(&node, &["reader", "--scope", "read"]));
    let checkout = Checkout::of(&reader);
    checkout.commit(&[("functions/hello.rhai", b"1")]);
    let told = checkout.refused(&["push", "origin", "main"]);
    let (remote, _) = told.split_once("fatal").unwrap();
    insta::assert_snapshot!("scope_too_small", remote);
    let pusher = token(&node, &["pusher", "--scope", "deploy"]);
    checkout.done(&["push", "--quiet", &url(&node, &pusher), "main"]);
    // A token is taken as the user's name, too, and as a header.
    let as_user = format!("http://{pusher}@{}/functions.git", node.address());
    let header = format!("http.extraHeader=Authorization: Bearer {pusher}");
    let plain = format!("http://{}/functions.git", node.address());
    let git = |arguments: &[&str]| git(checkout.folder()).args(arguments).env("GIT_ASKPASS", "true").output().unwrap();
    for output in [git(&["ls-remote", &as_user]), git(&["-c", &header, "ls-remote", &plain])] {
        assert!(String::from_utf8_lossy(&output.stdout).contains("refs/heads/main"), "{}", said(&output));
    }
}

#[test]
fn what_does_not_speak_the_smart_protocol_is_refused() {
    let node = hosted().start();
    let bearer = authorization(&admin(&node));
    let bearer = ("authorization", bearer.as_str());
    for query in ["", "?service=git-upload-archive", "?service=upload-pack", "?other=git-upload-pack"] {
        let answer = node.send("GET", &format!("/functions.git/info/refs{query}"), &[bearer], b"");
        assert_eq!(answer.status, 403, "{query}");
        assert!(answer.text().contains("smart protocol"));
    }
    let push = "/functions.git/git-receive-pack";
    for media_type in ["application/x-www-form-urlencoded", "application/x-git-upload-pack-request", "text/plain"] {
        assert_eq!(node.send("POST", push, &[bearer, ("content-type", media_type)], b"0000").status, 415, "{media_type}");
    }
    assert_eq!(node.send("POST", push, &[bearer], b"0000").status, 415);
    assert_eq!(node.send("POST", push, &[bearer, ("content-type", RECEIVE), ("content-encoding", "br")], b"0000").status, 415);
    let probed = node.send("POST", push, &[bearer, ("content-type", RECEIVE)], b"0000");
    assert_eq!((probed.status, probed.body.len()), (200, 0));
    assert_eq!(probed.header("content-type"), Some("application/x-git-receive-pack-result"));
    // A wish that cannot be one is no wish.
    for (wish, is_second) in [("version=2", true), ("version=2;x", false), ("", false)] {
        let headers = [bearer, ("git-protocol", wish)];
        let answer = node.send("GET", "/functions.git/info/refs?service=git-upload-pack", &headers, b"");
        assert_eq!((answer.status, answer.text().starts_with("000eversion 2\n")), (200, is_second), "{wish}");
    }
}

#[test]
fn a_node_without_a_repository_says_so() {
    let node = node(&[("a.rhai", "1")]).start();
    let answer = node.get("/functions.git/info/refs?service=git-upload-pack");
    assert_eq!(answer.status, 404);
    insta::assert_snapshot!("not_hosted", answer.text());
}

#[test]
fn too_large_a_push_hears_why() {
    let node = hosted().config("[source]\nkind = \"git\"\nmax_push = \"1MiB\"\n").start();
    let checkout = Checkout::with(&[("large.bin", &noise(8 << 20))]);
    let told = checkout.refused(&["push", &url(&node, &admin(&node)), "main"]);
    assert!(told.contains("remote: fatal: pack exceeds maximum allowed size"), "{told}");
    wait_until("the quarantine is gone", PATIENCE, || quarantines(&node) == 0);
    checkout.done(&["ls-remote", &url(&node, &admin(&node))]);
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() {
    let node = hosted().start();
    let checkout = Checkout::empty();
    let commit = checkout.commit(&[("large.bin", &noise(1 << 20))]);
    let request = push_request(&checkout, &commit);
    let mut client = begin_push(&node);
    client.write(&chunk(&request[..request.len() / 2])).unwrap();
    wait_until("git unpacks", PATIENCE, || quarantines(&node) == 1);
    drop(client);
    wait_until("git has given up", PATIENCE, || quarantines(&node) == 0);
    assert_eq!(checkout.done(&["ls-remote", &url(&node, &admin(&node))]), "");
}

#[test]
fn a_slow_push_arrives_and_one_that_stands_still_does_not() {
    let node =
        hosted().config("[server]\nbody_timeout = \"1s\"\nheader_timeout = \"1s\"\nwrite_timeout = \"1s\"\n[source]\nkind = \"git\"\n");
    let node = node.start();
    let checkout = Checkout::empty();
    let commit = checkout.commit(&[("functions/hello.rhai", b"1"), ("large.bin", &noise(1 << 16))]);
    let request = push_request(&checkout, &commit);

    let mut client = begin_push(&node);
    client.write(&chunk(&request[..request.len() / 2])).unwrap();
    let answer = String::from_utf8(client.rest().unwrap()).unwrap();
    assert!(answer.contains("HTTP/1.1 200") && !answer.contains("unpack ok"), "{answer}");
    assert_eq!(quarantines(&node), 0);
    let answer = String::from_utf8(begin_push(&node).rest().unwrap()).unwrap();
    assert!(answer.contains("HTTP/1.1 408"), "{answer}");

    let mut client = begin_push(&node);
    let began = monotonic();
    for part in request.chunks(request.len() / 8) {
        client.write(&chunk(part)).unwrap();
        pass(Duration::from_millis(300));
    }
    client.write(b"0\r\n\r\n").unwrap();
    let answer = String::from_utf8(client.rest().unwrap()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n"), "{answer}");
    assert!(answer.contains("unpack ok") && answer.contains("ok refs/heads/main"), "{answer}");
    assert!(began.elapsed() > Duration::from_secs(2));
}

#[test]
fn a_push_that_comes_in_drops_is_cut() {
    let node = hosted().config(IMPATIENT).start();
    let checkout = Checkout::empty();
    let commit = checkout.commit(&[("large.bin", &noise(1 << 16))]);
    let request = push_request(&checkout, &commit);
    let mut client = begin_push(&node);
    let mut drops = request.iter();
    // Always something within the limit, and in all far less than the least rate.
    wait_until("the node ends the connection", PATIENCE, || {
        pass(Duration::from_millis(20));
        client.write(&chunk(&[*drops.next().unwrap()])).is_err()
    });
    assert_eq!(quarantines(&node), 0);
}

#[test]
fn a_hook_may_think_longer_than_a_client_may() {
    let node = hosted().config(IMPATIENT).start();
    let (hook, thinking, go_on) =
        (node.data().join("functions.git/hooks/pre-receive"), node.folder().join("thinking"), node.folder().join("go-on"));
    assert!(std::process::Command::new("mkfifo").arg(&go_on).status().unwrap().success());
    fs::write(hook, format!("#!/bin/sh\ntouch {}; cat {}\n", thinking.display(), go_on.display())).unwrap();
    let checkout = Checkout::with(&[("functions/hello.rhai", b"1")]);
    let mut push = git(checkout.folder()).args(["push", "--quiet", &url(&node, &admin(&node)), "main"]).spawn().unwrap();
    wait_until("the hook thinks", PATIENCE, || thinking.exists());
    pass(Duration::from_millis(2_500));
    fs::write(go_on, "").unwrap();
    assert!(push.wait().unwrap().success());
    node.wait_for("/hello", "1");
}

#[test]
fn a_long_negotiation_is_sent_compressed() {
    let node = hosted().start();
    let url = url(&node, &admin(&node));
    let checkout = Checkout::empty();
    for number in 0..40 {
        checkout.commit(&[("functions/hello.rhai", number.to_string().as_bytes())]);
        checkout.done(&["branch", &format!("branch-{number}")]);
    }
    checkout.done(&["push", "--quiet", "--all", &url]);
    let other = Checkout::empty();
    let output = git(other.folder()).args(["fetch", "--quiet", &url, "refs/heads/*:refs/heads/x/*"]).env("GIT_TRACE_CURL", "1").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).to_lowercase().contains("content-encoding: gzip"), "git no longer compresses this");
    assert_eq!(other.done(&["for-each-ref", "--format=%(refname)"]).lines().count(), 41);
}

#[test]
fn a_body_that_swells_is_not_read_to_its_end() {
    let node = hosted().config("[source]\nkind = \"git\"\nmax_push = \"1MiB\"\n").start();
    let mut bomb = std::process::Command::new("sh")
        .args(["-c", "head -c 30000000 /dev/zero | tr '\\0' 0 | gzip -1"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut body = Vec::new();
    std::io::Read::read_to_end(&mut bomb.stdout.take().unwrap(), &mut body).unwrap();
    bomb.wait().unwrap();
    let bearer = authorization(&admin(&node));
    let mut client = node.client();
    let head = format!(
        "POST /functions.git/git-receive-pack HTTP/1.1\r\nhost: test\r\nauthorization: {bearer}\r\ncontent-type: {RECEIVE}\r\n\
         content-encoding: gzip\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    client.write(head.as_bytes()).unwrap();
    let written = client.socket().try_clone().unwrap().write_all(&body);
    let answer = client.rest().unwrap();
    assert!(written.is_err() || answer.starts_with(b"HTTP/1.1 200"), "{written:?}");
    assert_eq!(node.get("/_picloud/health").status, 200);
}

#[test]
fn two_hundred_wrong_tokens_are_too_many() {
    let node = hosted().start();
    let good = token(&node, &["ci", "--scope", "deploy"]);
    let mut client = node.client();
    let mut whoami = |token: &str| client.send("GET", "/api/admin/whoami", &[("authorization", &authorization(token))], b"").unwrap();
    assert_eq!(whoami(&good).status, 200);
    let statuses: Vec<u16> = (0..200).map(|number| whoami(&format!("picloud_{number:064x}")).status).collect();
    assert_eq!(statuses, [[401; 10].as_slice(), &[429; 190]].concat());
    let refused = whoami("wrong");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // Behind a proxy everybody has one address: who was let in before is so again.
    assert_eq!((whoami(&good).status, whoami(&admin(&node)).status), (200, 200));
    assert_eq!(node.get("/functions.git/info/refs?service=git-upload-pack").status, 401);
}

#[test]
fn git_lfs_is_told_that_no_files_of_it_are_kept() {
    let story = hosted().start();
    for path in ["objects/batch", "locks/verify", "locks"] {
        let answer = story.send("POST", &format!("/functions.git/info/lfs/{path}"), &[("accept", "application/vnd.git-lfs+json")], b"{}");
        assert_eq!((answer.status, answer.header("content-type")), (501, Some("application/vnd.git-lfs+json")), "{path}");
        assert!(answer.json()["message"].as_str().unwrap().contains("GIT_LFS_SKIP_PUSH=1"), "{}", answer.text());
    }
    let other = node(&[("a.rhai", "1")]).start();
    assert_eq!(other.send("POST", "/functions.git/info/lfs/objects/batch", &[], b"{}").status, 404);
}

#[test]
fn what_a_push_that_was_cut_off_has_left_is_removed_at_the_start() {
    let mut node = hosted().start();
    let url = |node: &Node| url(node, &admin(node));
    let checkout = Checkout::of(&url(&node));
    checkout.commit(&[("functions/hello.rhai", b"\"hi\"")]);
    checkout.done(&["push", "--quiet", "origin", "main"]);
    node.kill();
    let objects = node.data().join("functions.git/objects");
    for left in ["tmp_objdir-incoming-K6FMXB/pack", "incoming-zm3C5f/ab", "tmp_objdir-incoming-abcdef.gone/pack"] {
        fs::create_dir_all(objects.join(left)).unwrap();
        fs::write(objects.join(left).join("tmp_pack_x"), noise(1000)).unwrap();
    }
    node.start();
    assert_eq!((quarantines(&node), objects.join("incoming-zm3C5f").exists()), (0, false));
    assert!(objects.join("pack").exists());
    let again = Checkout::of(&url(&node));
    assert_eq!(fs::read(again.folder().join("functions/hello.rhai")).unwrap(), b"\"hi\"");
}
