//! Sessions: what browsers send instead of a token, and what they may not do with it.

use serde_json::{Value, json};

use crate::{
    api::tail::Tail,
    kit::{
        api::{Api, admin, bearer, token},
        client::Response,
        node::{Node, PATIENCE, Setup, node, wait_until},
        store::on_both_nodes,
    },
};

on_both_nodes! {
    a_session_is_good_for_what_its_token_is_until_somebody_signs_out
    a_session_ends_with_its_token
}

/// A browser with a page of the node.
struct Browser<'a> {
    node: &'a Node,
    cookie: String,
}

fn try_to_sign_in(node: &Node, token: &str, headers: &[(&str, &str)]) -> Response {
    let headers = [&[("content-type", "application/json")], headers].concat();
    node.send("POST", "/_picloud/session", &headers, json!({ "token": token }).to_string().as_bytes())
}

/// What the node is at, for the client of these stories.
const ORIGIN: (&str, &str) = ("origin", "http://test");

impl<'a> Browser<'a> {
    fn sign_in(node: &'a Node, token: &str) -> Self {
        let answer = try_to_sign_in(node, token, &[ORIGIN]);
        assert_eq!(answer.status, 204, "{}", answer.text());
        let (cookie, attributes) = answer.header("set-cookie").unwrap().split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
        assert!(cookie.starts_with("picloud_session=") && !cookie.contains(token) && answer.header("cache-control") == Some("no-store"));
        Self { node, cookie: cookie.into() }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        self.node.send(method, path, &[&[("cookie", self.cookie.as_str())], headers].concat(), b"")
    }

    fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[])
    }
}

#[test]
fn another_admin_token_ends_what_the_one_before_began() {
    let node = node(&[("a.rhai", "1")]).start();
    let before = admin(&node);
    let browser = Browser::sign_in(&node, &before);
    let other = Browser::sign_in(&node, &token(&node, "other", "read", None));
    let mut tail = Tail::at(&node, "/api/admin/status/tail", &format!("authorization: Bearer {before}"));
    // A token of the scope `read` may not, and one that is good for some functions may not either.
    assert_eq!(other.send("POST", "/api/admin/rotate-admin-token", &[ORIGIN]).status, 403);
    let some = token(&node, "some", "admin", Some("shop"));
    let some = format!("Bearer {some}");
    assert_eq!(node.send("POST", "/api/admin/rotate-admin-token", &[("authorization", &some)], b"").status, 403);
    assert_eq!((admin(&node), browser.get("/api/admin/status").status), (before.clone(), 200));

    assert_eq!(browser.send("POST", "/api/admin/rotate-admin-token", &[ORIGIN]).status, 204);
    assert_ne!(admin(&node), before);
    assert!(std::iter::from_fn(|| tail.next()).any(|event| event.name == "ended"));
    assert_eq!(node.send("GET", "/api/admin/status", &[("authorization", &format!("Bearer {before}"))], b"").status, 401);
    assert_eq!((browser.get("/api/admin/status").status, other.get("/api/admin/status").status), (401, 200));
    assert_eq!(Api::of(&node).get("/api/admin/status").status, 200);
}

fn a_session_is_good_for_what_its_token_is_until_somebody_signs_out(on: impl Fn(Setup) -> Setup) {
    let node = on(node(&[("shop/a.rhai", "1"), ("b.rhai", "1")])).start();
    let nobody = json!({ "who": null });
    assert_eq!(node.get("/_picloud/session").json(), nobody);
    let all = Browser::sign_in(&node, &admin(&node));
    let whoami = all.get("/api/admin/whoami").json();
    assert_eq!(all.get("/_picloud/session").json(), json!({ "who": whoami }));
    assert_eq!((&whoami["name"], &whoami["scope"], whoami["session"]["ends"].is_string()), (&json!("admin"), &json!("admin"), true));
    assert_eq!((all.get("/api/admin/status").status, all.send("POST", "/api/admin/sync", &[ORIGIN]).status), (200, 200));
    // A token in the request counts, and not the session.
    assert_eq!(all.send("GET", "/api/admin/whoami", &[("authorization", &bearer(&node))]).json()["session"], Value::Null);
    assert_eq!(all.send("GET", "/api/admin/whoami", &[("authorization", "Bearer sesame")]).status, 401);

    let some = Browser::sign_in(&node, &token(&node, "some", "read", Some("shop")));
    let whoami = some.get("/api/admin/whoami").json();
    assert_eq!((&whoami["scope"], &whoami["functions"]), (&json!("read"), &json!("shop")));
    assert_eq!((some.get("/api/admin/scripts?prefix=shop/").status, some.get("/api/admin/scripts").status), (200, 403));
    assert_eq!((some.get("/api/admin/status").status, some.send("POST", "/api/admin/sync", &[ORIGIN]).status), (403, 403));

    // Who signs in anew has left the session before.
    let again = try_to_sign_in(&node, &token(&node, "again", "read", None), &[ORIGIN, ("cookie", &some.cookie)]);
    assert_eq!((again.status, some.get("/api/admin/whoami").status), (204, 401));
    let some = Browser { cookie: again.header("set-cookie").unwrap().split_once("; ").unwrap().0.into(), ..some };

    let mut tail = Tail::at(&node, "/api/admin/status/tail", &format!("cookie: {}", all.cookie));
    let left = all.send("DELETE", "/_picloud/session", &[ORIGIN]);
    assert_eq!((left.status, left.header("set-cookie").unwrap().starts_with("picloud_session=; Path=/; Max-Age=0;")), (204, true));
    assert!(std::iter::from_fn(|| tail.next()).any(|event| event.name == "ended"));
    let refused = all.get("/api/admin/status");
    assert_eq!((refused.status, refused.json()["hint"].as_str().unwrap().contains("/_picloud/dashboard")), (401, true));
    let asked = all.get("/_picloud/session");
    assert_eq!((asked.status, asked.json(), asked.header("cache-control")), (200, nobody, Some("no-store")));
    // A wrong token is an error here, too.
    assert_eq!(node.send("GET", "/_picloud/session", &[("authorization", "Bearer sesame")], b"").status, 401);
    assert_eq!((all.send("DELETE", "/_picloud/session", &[ORIGIN]).status, some.get("/api/admin/whoami").status), (204, 200));

    let log = Api::of(&node).get("/api/admin/audit").json();
    let told = |at: usize| format!("{} {}", log["entries"][at]["action"].as_str().unwrap(), log["entries"][at]["who"].as_str().unwrap());
    // Between them are the entries of the tokens that were made.
    let last = [told(0), told(1), told(2), told(4), told(6)];
    assert_eq!(last, ["sign_out admin", "sign_out some", "sign_in again", "sign_in some", "sign_in admin"]);
    assert_eq!(log["entries"][4]["detail"], json!({ "scope": "read", "functions": "shop" }));
}

fn a_session_ends_with_its_token(on: impl Fn(Setup) -> Setup) {
    let node = on(node(&[("a.rhai", "1")])).start();
    let api = Api::of(&node);
    let revoked = Browser::sign_in(&node, &token(&node, "ann", "read", None));
    let mut tail = Tail::at(&node, "/api/admin/status/tail", &format!("cookie: {}", revoked.cookie));
    assert_eq!(revoked.get("/api/admin/status").status, 200);
    assert_eq!(api.send("DELETE", "/api/admin/tokens/ann", &[], b"").status, 204);
    assert_eq!(revoked.get("/api/admin/status").status, 401);
    assert!(std::iter::from_fn(|| tail.next()).any(|event| event.name == "ended"));
    // Another token of the same name is another token.
    token(&node, "ann", "read", None);
    assert_eq!(revoked.get("/api/admin/status").status, 401);

    let brief = Browser::sign_in(&node, &api.token(&json!({ "name": "brief", "scope": "read", "expires": "5s" })));
    wait_until("its token has expired", PATIENCE, || brief.get("/api/admin/whoami").status == 401);
}

#[test]
fn a_page_from_elsewhere_does_nothing_with_a_session() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let browser = Browser::sign_in(&node, &admin(&node));
    for headers in [
        &[][..],
        &[("origin", "http://evil")],
        &[("origin", "null")],
        &[("origin", "http://test:81")],
        &[("sec-fetch-site", "same-site"), ORIGIN],
        &[("sec-fetch-site", "cross-site"), ORIGIN],
        &[("sec-fetch-site", "none")],
    ] {
        let refused = browser.send("POST", "/api/admin/source/suspend", headers);
        assert_eq!((refused.status, refused.text().contains("no page of this node")), (403, true), "{headers:?}");
        assert_eq!(browser.send("DELETE", "/_picloud/session", headers).status, 403, "{headers:?}");
    }
    assert_eq!(browser.get("/api/admin/status").json()["held"], Value::Null);
    for (headers, status) in [
        (&[][..], 200),
        (&[("sec-fetch-site", "same-origin")], 200),
        (&[("sec-fetch-site", "none")], 200),
        (&[("sec-fetch-site", "same-site")], 403),
        (&[("origin", "http://evil")], 403),
    ] {
        assert_eq!(browser.send("GET", "/api/admin/status", headers).status, status, "{headers:?}");
    }
    // Nor does it sign its visitor in as somebody else.
    assert_eq!(try_to_sign_in(&node, &admin(&node), &[("origin", "http://evil")]).status, 403);
    assert_eq!(browser.send("POST", "/api/admin/sync", &[("sec-fetch-site", "same-origin")]).status, 200);
    let secure = try_to_sign_in(&node, &admin(&node), &[("origin", "https://test"), ("sec-fetch-site", "same-origin")]);
    let cookie = secure.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-picloud_session=") && cookie.ends_with("; Secure"), "{cookie}");
    let secure = Browser { node: &node, cookie: cookie.split(';').next().unwrap().into() };
    assert_eq!(secure.get("/api/admin/status").status, 200);
}

#[test]
fn a_function_neither_sees_a_session_nor_is_run_by_one() {
    let node = Node::start_with(&[("a.rhai", "ctx.request.headers"), ("b.rhai", "+++\nauth = \"token\"\n+++\n1")]);
    let browser = Browser::sign_in(&node, &admin(&node));
    assert_eq!(browser.get("/a").json()["cookie"], Value::Null);
    let cookie = format!("x=1; {}; y=2", browser.cookie);
    assert_eq!(node.send("GET", "/a", &[("cookie", &cookie)], b"").json()["cookie"], "x=1; y=2");
    assert_eq!(browser.send("GET", "/b", &[ORIGIN]).status, 401);
}

#[test]
fn wrong_tokens_do_not_sign_in_and_too_many_are_not_looked_at() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    let browser = Browser::sign_in(&node, &admin(&node));
    let send = |body: &[u8]| node.send("POST", "/_picloud/session", &[ORIGIN], body).status;
    assert_eq!((send(b"{}"), send(b""), send(&[b' '; 5_000])), (400, 400, 413));
    let unknown = format!("picloud_{}", "0".repeat(64));
    let tried = |token: &str| try_to_sign_in(&node, token, &[ORIGIN]);
    for token in ["sesame", &unknown].into_iter().cycle().take(10) {
        let refused = tried(token);
        assert_eq!((refused.status, refused.header("set-cookie")), (401, None), "{token}");
        assert!(!refused.text().contains(token));
    }
    let refused = tried(&unknown);
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (429, true));
    assert_eq!((browser.get("/api/admin/status").status, tried(&admin(&node)).status), (200, 204), "whoever is right is let in");
    assert!(!node.log().contains(&admin(&node)));
}

#[test]
fn the_admin_signs_in_while_the_database_is_away() {
    let node = node(&[("a.rhai", "1")]).argument("--database").argument("postgres://nobody@127.0.0.1:1/none").start();
    let browser = Browser::sign_in(&node, &admin(&node));
    assert_eq!(browser.get("/api/admin/status").status, 200);
    node.wait_for_line(&["`sign_in` by `admin` from 127.0.0.1 is not in the audit log"]);
}

#[test]
fn a_restart_ends_every_session() {
    let mut node = Node::start_with(&[("a.rhai", "1")]);
    let cookie = Browser::sign_in(&node, &admin(&node)).cookie;
    node.restart();
    assert_eq!(Browser { node: &node, cookie }.get("/api/admin/status").status, 401);
}
