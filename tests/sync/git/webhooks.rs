//! A git host tells the node that a repository has changed.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

use crate::kit::{
    client::Response,
    node::{Node, PATIENCE, node, wait_until},
};

const PATH: &str = "/_picloud/hooks/source";
const BODY: &[u8] = br#"{"ref":"refs/heads/main"}"#;

fn start() -> Node {
    node(&[("a.rhai", "1")]).config("[server]\nbody_timeout = \"1s\"\n").variable("PICLOUD_WEBHOOK_SECRET", "sesame").start()
}

/// Signs as Gitea does.
fn signature(body: &[u8]) -> String {
    let mut hmac = Hmac::<Sha256>::new_from_slice(b"sesame").unwrap();
    hmac.update(body);
    hmac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn told(answer: &Response) -> (u16, String) {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    let told = [&problem["detail"], &problem["hint"]].map(|text| text.as_str().unwrap_or_default().to_owned());
    (answer.status, told.join(": ").trim_end_matches(": ").into())
}

#[test]
fn a_signed_webhook_is_accepted_and_again_does_no_harm() {
    let node = start();
    let before = node.ready();
    for _ in 0..50 {
        let answer = node.send("POST", PATH, &[("x-gitea-signature", &signature(BODY)), ("x-gitea-event", "push")], BODY);
        assert_eq!((answer.status, answer.text().as_str()), (202, r#"{"status":"accepted"}"#));
    }
    assert_eq!(node.ready(), before);
    let ping = node.send("POST", PATH, &[("x-gitea-signature", &signature(BODY)), ("x-github-event", "ping")], BODY);
    assert_eq!((ping.status, ping.body.len()), (204, 0));
    let tag = br#"{"ref":"refs/tags/v1"}"#;
    assert_eq!(node.send("POST", PATH, &[("x-gitea-signature", &signature(tag))], tag).status, 204);
    // So for each host, however it writes that.
    let sent = |body: &serde_json::Value, event: (&str, &str)| {
        let body = body.to_string();
        node.send("POST", PATH, &[("x-gitlab-token", "sesame"), event], body.as_bytes()).status
    };
    let change = |new: serde_json::Value, old: serde_json::Value| json!({ "push": { "changes": [{ "new": new, "old": old }] } });
    let (branch, tag) = (json!({ "type": "branch", "name": "main" }), json!({ "type": "tag", "name": "v1" }));
    let (none, bitbucket) = (serde_json::Value::Null, ("x-event-key", "repo:push"));
    for (body, event, expected) in [
        (change(tag.clone(), none.clone()), bitbucket, 204),
        (change(none.clone(), tag.clone()), bitbucket, 204),
        (change(branch.clone(), none.clone()), bitbucket, 202),
        (change(none.clone(), branch.clone()), bitbucket, 202),
        (json!({ "push": { "changes": [{ "new": tag }, { "new": branch }] } }), bitbucket, 202),
        (json!({ "changes": [{ "ref": { "id": "refs/tags/v1", "type": "TAG" } }] }), ("x-event-key", "repo:refs_changed"), 204),
        (json!({ "changes": [{ "ref": { "id": "refs/heads/main", "type": "BRANCH" } }] }), ("x-event-key", "repo:refs_changed"), 202),
        (json!({ "test": true }), ("x-event-key", "diagnostics:ping"), 204),
        (json!({ "object_kind": "tag_push", "ref": "refs/tags/v1" }), ("x-gitlab-event", "Tag Push Hook"), 204),
        (json!({ "ref": "v1", "ref_type": "tag" }), ("x-gitea-event", "create"), 204),
        (json!({ "ref": "v1", "ref_type": "tag" }), ("x-github-event", "delete"), 204),
        (json!({ "ref": "main", "ref_type": "branch" }), ("x-github-event", "delete"), 202),
        (json!({ "ref": "refs/heads/main", "deleted": true }), ("x-github-event", "push"), 202),
    ] {
        assert_eq!(sent(&body, event), expected, "{event:?}: {body}");
    }
    // A folder that is looked at is told of a save, too.
    node.write("b.rhai", "2");
    assert_eq!(node.send("POST", PATH, &[("x-gitlab-token", "sesame")], b"").status, 202);
    node.wait_for("/b", "2");
}

#[test]
fn others_are_refused_and_told_why() {
    let node = start();
    let wrong = told(&node.send("POST", PATH, &[("x-gitea-signature", &signature(b"other"))], BODY));
    assert_eq!(wrong, (401, "the webhook's signature is wrong: the secret must be the same on both sides".into()));
    let unsigned = told(&node.send("POST", PATH, &[], BODY));
    assert!(unsigned.0 == 401 && unsigned.1.contains("has no signature that is known here"), "{unsigned:?}");
    for header in ["X-Hub-Signature-256", "X-Gogs-Signature", "X-Gitlab-Token", "Webhook-Signature"] {
        assert!(unsigned.1.contains(header), "{unsigned:?}");
    }
    let old = [("webhook-id", "1"), ("webhook-timestamp", "1"), ("webhook-signature", "v1,x")];
    assert_eq!(told(&node.send("POST", PATH, &old, BODY)).0, 401);
    let got = node.get(PATH);
    assert_eq!((got.status, got.header("allow")), (405, Some("POST")));
    for secret in [None, Some("")] {
        let without = node_without(secret);
        let (status, detail) = told(&without.send("POST", PATH, &[("x-gitea-signature", &signature(BODY))], BODY));
        assert_eq!(status, 403);
        assert!(detail.contains("`webhook_secret`") && detail.contains("PICLOUD_WEBHOOK_SECRET"), "{detail}");
    }
}

fn node_without(secret: Option<&str>) -> Node {
    let node = node(&[]);
    secret.into_iter().fold(node, |node, secret| node.variable("PICLOUD_WEBHOOK_SECRET", secret)).start()
}

#[test]
fn a_body_has_limits() {
    let short = start();
    let signed = signature(BODY);
    let head = |length: usize| {
        format!("POST {PATH} HTTP/1.1\r\nhost: test\r\nx-gitea-signature: {signed}\r\ncontent-length: {length}\r\n\r\n").into_bytes()
    };
    let mut large = short.client();
    large.write(&head((25 << 20) + 1)).unwrap();
    assert_eq!(told(&large.read("POST").unwrap()), (413, "the body is larger than the 26214400 bytes that are taken here".into()));
    // Large bodies that do not come are waited for, but not by everybody and not for ever. Small ones take nobody's place.
    for (length, expected) in [(10, [408; 5]), (1 << 20, [408, 408, 503, 503, 503])] {
        let mut slow: Vec<_> = (0..5).map(|_| short.client()).collect();
        slow.iter_mut().for_each(|client| client.write(&head(length)).unwrap());
        let mut statuses: Vec<_> = slow.iter_mut().map(|client| client.read("POST").unwrap().status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, expected, "{length} bytes");
    }
    let body = vec![b' '; 25 << 20];
    let node = node(&[]).variable("PICLOUD_WEBHOOK_SECRET", "sesame").start();
    assert_eq!(node.send("POST", PATH, &[("x-gitlab-token", "sesame")], &body).status, 202);
}

#[test]
fn a_wrong_token_of_gitlab_is_refused_before_its_body_comes() {
    let node = start();
    for (token, length) in [("nobody", 26_000_000), ("nobody", 10), ("", 26_000_000), ("sesame ", 1 << 20)] {
        let mut client = node.client();
        client
            .write(format!("POST {PATH} HTTP/1.1\r\nhost: test\r\nx-gitlab-token: {token}\r\ncontent-length: {length}\r\n\r\n").as_bytes())
            .unwrap();
        assert_eq!(told(&client.read("POST").unwrap()).0, if token.trim() == "sesame" { 408 } else { 401 }, "{token:?}");
    }
}

#[test]
fn senders_that_prove_nothing_keep_no_webhook_out() {
    let node = node(&[("a.rhai", "1")])
        .config("[server]\ntrusted_proxies = [\"127.0.0.1\"]\n")
        .variable("PICLOUD_WEBHOOK_SECRET", "sesame")
        .start();
    let begin = |from: &str| {
        let mut client = node.client();
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: test\r\nx-forwarded-for: {from}\r\nx-gitea-signature: 00\r\ncontent-length: 20000000\r\n\r\n"
        );
        client.write(head.as_bytes()).unwrap();
        client
    };
    // Two of them have a place when a third is told that there is none.
    let mut waiting: Vec<_> = (0..2).map(|_| begin("198.51.100.1")).collect();
    wait_until("one address has all the places that it gets", PATIENCE, || {
        let mut another = begin("198.51.100.1");
        let is_refused = another.is_answered();
        if is_refused {
            assert_eq!(another.read("POST").unwrap().status, 503);
        } else {
            waiting.push(another);
        }
        is_refused
    });
    let large = [br#"{"ref":"refs/heads/main"}"#.as_slice(), &[b' '; 1 << 20]].concat();
    for (from, body) in [("198.51.100.1", BODY), ("198.51.100.2", BODY), ("198.51.100.2", &large)] {
        let answer = node.send("POST", PATH, &[("x-forwarded-for", from), ("x-gitea-signature", &signature(body))], body);
        assert_eq!(answer.status, 202, "{} bytes from {from}: {}", body.len(), answer.text());
    }
}
