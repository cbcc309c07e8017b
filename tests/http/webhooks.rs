//! Functions that services call: each provider's signature, as it comes over HTTP.

use std::{fs, time::UNIX_EPOCH};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use picloud::{
    execution::LogLevel,
    hex::Hex,
    signature::{Hash, hmac},
};
use serde_json::json;

use crate::kit::{
    api::Api,
    command::picloud,
    node::{Node, PATIENCE, wait_until},
};

const BODY: &[u8] = b"{ \"id\": 7,  \"spaces\": \"stay\" }\n";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

fn start(provider: &str, secret: &str, options: &str) -> Node {
    let script = format!(
        "+++\ncapture = true\n+++\nif !webhook::verify(\"{provider}\", \"{secret}\"{options}) {{ return #{{ statusCode: 401 }}; }} `believed ${{ctx.request.raw_body.len()}}`"
    );
    Node::start_with(&[("hook.post.rhai", &script)])
}

fn now() -> i64 {
    UNIX_EPOCH.elapsed().map(|since| since.as_secs() as i64).unwrap()
}

fn digits(key: &[u8], parts: &[&[u8]]) -> String {
    Hex(hmac(Hash::Sha256, key, parts).as_ref()).to_string()
}

/// Headers and a body.
type Sent<'a> = (&'a [(&'a str, &'a str)], &'a [u8]);

/// Sends a request that is signed and some that are not, and says what the log has of each of these.
fn is_believed_alone(node: &Node, kind: (&str, &str), signed: &[(&str, &str)], body: &[u8], not_signed: &[Sent<'_>]) {
    let send = |headers: &[(&str, &str)], body: &[u8]| node.send("POST", "/hook", &[&[kind], headers].concat(), body);
    let answer = send(signed, body);
    assert_eq!((answer.status, answer.text()), (200, format!("believed {}", body.len())));
    for (headers, body) in not_signed.iter().copied().chain([(&[][..], body), (signed, &b"{}"[..])]) {
        let answer = send(headers, body);
        assert_eq!((answer.status, answer.text().as_str()), (401, ""), "{headers:?}");
        let id = answer.header("x-picloud-execution").unwrap().to_owned();
        let execution = node.wait_for_execution("it is recorded", |execution| execution.id.to_string() == id);
        // For the author, not for the caller.
        let line = &execution.logs[0];
        assert!(line.level == LogLevel::Trace && line.message.starts_with("webhook::verify: the "), "{line:?}");
    }
}

#[test]
fn github_signs_the_body() {
    let node = start("github", "sesame", "");
    for (kind, body) in [(JSON, BODY), (FORM, &b"payload=%7B%22id%22%3A7%7D"[..])] {
        let [right, wrong] = ["sesame", "other"].map(|secret| format!("sha256={}", digits(secret.as_bytes(), &[body])));
        is_believed_alone(&node, kind, &[("x-hub-signature-256", &right)], body, &[(&[("x-hub-signature-256", &wrong)], body)]);
    }
}

#[test]
fn stripe_signs_time_and_body() {
    let node = start("stripe", "whsec_sesame", "");
    let header = |time: i64, secret: &str| {
        let time = time.to_string();
        let [right, old] = [secret, "whsec_old"].map(|secret| digits(secret.as_bytes(), &[time.as_bytes(), b".", BODY]));
        format!("t={time},v1={old},v1={right},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39")
    };
    let signed = header(now(), "whsec_sesame");
    let [other, early, late] =
        [(0, "whsec_other"), (-400, "whsec_sesame"), (400, "whsec_sesame")].map(|(age, secret)| header(now() + age, secret));
    is_believed_alone(
        &node,
        JSON,
        &[("stripe-signature", &signed)],
        BODY,
        &[(&[("stripe-signature", &other)], BODY), (&[("stripe-signature", &early)], BODY), (&[("stripe-signature", &late)], BODY)],
    );
}

#[test]
fn slack_signs_time_and_body() {
    let node = start("slack", "sesame", "");
    let body = b"token=x&command=%2Fweather&text=94070";
    let headers = |time: i64| {
        let time = time.to_string();
        (format!("v0={}", digits(b"sesame", &[b"v0:", time.as_bytes(), b":", body])), time)
    };
    let ((right, time), (of_old, old)) = (headers(now()), headers(now() - 400));
    is_believed_alone(
        &node,
        FORM,
        &[("x-slack-signature", &right), ("x-slack-request-timestamp", &time)],
        body,
        &[
            (&[("x-slack-signature", &of_old), ("x-slack-request-timestamp", &old)], body),
            (&[("x-slack-signature", &right), ("x-slack-request-timestamp", &old)], body),
            (&[("x-slack-signature", &right)], body),
        ],
    );
}

#[test]
fn gitlab_sends_the_secret() {
    let node = start("gitlab", "sesame", "");
    let answer = |token: &str| node.send("POST", "/hook", &[JSON, ("x-gitlab-token", token)], BODY).status;
    assert_eq!([answer("sesame"), answer("sesam"), answer("")], [200, 401, 401]);
    assert_eq!(node.send("POST", "/hook", &[JSON], BODY).status, 401);
}

#[test]
fn standard_webhooks_sign_id_time_and_body() {
    let node = start("standard", "whsec_c2VzYW1l", "");
    let sign = |time: &str| {
        let signature = hmac(Hash::Sha256, b"sesame", &[b"msg_1.", time.as_bytes(), b".", BODY]);
        format!("v1,AAAA v1,{}", BASE64_STANDARD.encode(signature))
    };
    let (time, old) = (now().to_string(), (now() - 400).to_string());
    let (right, of_old) = (sign(&time), sign(&old));
    is_believed_alone(
        &node,
        JSON,
        &[("webhook-id", "msg_1"), ("webhook-timestamp", &time), ("webhook-signature", &right)],
        BODY,
        &[
            (&[("webhook-id", "msg_2"), ("webhook-timestamp", &time), ("webhook-signature", &right)], BODY),
            (&[("webhook-id", "msg_1"), ("webhook-timestamp", &old), ("webhook-signature", &of_old)], BODY),
        ],
    );
}

#[test]
fn others_sign_in_a_header_of_their_own() {
    let node = start("hmac", "sesame", ", #{ header: \"X-Shop-Hmac\", encoding: \"base64\", algorithm: \"sha512\" }");
    let [right, wrong] = ["sesame", "other"].map(|secret| BASE64_STANDARD.encode(hmac(Hash::Sha512, secret.as_bytes(), &[BODY])));
    is_believed_alone(&node, JSON, &[("x-shop-hmac", &right)], BODY, &[(&[("x-shop-hmac", &wrong)], BODY)]);
}

#[test]
fn while_a_secret_is_rotated_both_of_its_values_are_believed() {
    let node = Node::start_with(&[]);
    let set = |value: &str, options: &[&str]| {
        fs::write(node.folder().join("value"), value).unwrap();
        picloud(&node, &[&["secret", "set", "HOOK", "--from", "value"], options].concat())
    };
    set("first value", &[]);
    node.write(
        "hook.post.rhai",
        "+++\nsecrets = [\"HOOK\"]\n+++\n#{ statusCode: if webhook::verify(\"github\", secret(\"HOOK\")) { 200 } else { 401 } }",
    );
    node.wait_for_status("/hook", 405);
    let answers = || {
        ["first value", "second value", "third value"].map(|value| {
            let signature = format!("sha256={}", digits(value.as_bytes(), &[BODY]));
            node.send("POST", "/hook", &[JSON, ("x-hub-signature-256", &signature)], BODY).status
        })
    };
    assert_eq!(answers(), [200, 401, 401]);
    set("second value", &[]);
    assert_eq!(answers(), [200, 200, 401]);
    // One value before is kept, not two.
    set("third value", &[]);
    assert_eq!(answers(), [401, 200, 200]);
    picloud(&node, &["secret", "set", "HOOK", "--final"]);
    assert_eq!(answers(), [401, 401, 200]);
    // What has leaked is not kept at all.
    set("first value", &["--keep-previous", "0s"]);
    assert_eq!(answers(), [200, 401, 401]);
}

#[test]
fn a_replay_is_told_what_was_found() {
    let node = start("github", "sesame", "");
    let signature = format!("sha256={}", digits(b"sesame", &[BODY]));
    let api = Api::of(&node);
    for (headers, status) in [(&[("x-hub-signature-256", &*signature)][..], 200), (&[], 401)] {
        let answer = node.send("POST", "/hook", &[&[JSON], headers].concat(), BODY);
        assert_eq!(answer.status, status);
        let path = format!("/api/admin/executions/{}", answer.header("x-picloud-execution").unwrap());
        wait_until("it is recorded", PATIENCE, || api.get(&path).status == 200);
        let replayed = api.json("POST", &format!("{path}/replay"), &json!({})).json();
        assert_eq!(replayed["response"]["status"], status, "{replayed}");
        // What happens again for real is told it, too: the signature is not kept.
        let again = api.json("POST", &format!("{path}/replay"), &json!({ "live": true })).json();
        assert_eq!(again["response"]["status"], status, "{again}");
    }
}
