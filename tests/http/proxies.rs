//! Who a request comes from, where proxies stand in front.

use crate::kit::{
    client::Response,
    node::{Node, node},
};

const WHO: &str = "ctx.request.remote_addr";

fn trusting(config: &str) -> Node {
    node(&[("who.rhai", WHO)]).config(&format!("[server]\n{config}\n")).start()
}

fn ask(node: &Node, headers: &[(&str, &str)]) -> String {
    node.send("GET", "/who", headers, b"").text()
}

fn try_token(node: &Node, client: &str) -> Response {
    let wrong = format!("Bearer picloud_{}", "0".repeat(64));
    node.send("GET", "/api/admin/whoami", &[("authorization", &wrong), ("x-forwarded-for", client)], b"")
}

#[test]
fn a_trusted_proxy_says_who_asks() {
    let node = trusting("trusted_proxies = [\"127.0.0.1\", \"::1\", \"10.0.0.0/8\"]");
    assert_eq!(ask(&node, &[]), "127.0.0.1");
    assert_eq!(ask(&node, &[("x-forwarded-for", "198.51.100.1")]), "198.51.100.1");
    assert_eq!(ask(&node, &[("x-forwarded-for", "1.2.3.4, 2001:db8::1"), ("x-forwarded-for", "10.9.8.7")]), "2001:db8::1");
    assert_eq!(ask(&node, &[("x-forwarded-for", "198.51.100.1, nonsense")]), "127.0.0.1");
    assert_eq!(ask(&node, &[("forwarded", "for=198.51.100.1"), ("x-real-ip", "198.51.100.1")]), "127.0.0.1", "one header counts");
}

#[test]
fn another_header_can_be_the_one() {
    let node = trusting("trusted_proxies = [\"127.0.0.0/8\"]\nforwarded_header = \"Forwarded\"");
    let forwarded = "for=1.2.3.4, for=\"[2001:db8::1]:4711\";proto=https";
    assert_eq!(ask(&node, &[("forwarded", forwarded), ("x-forwarded-for", "198.51.100.1")]), "2001:db8::1");
    let node = trusting("trusted_proxies = [\"127.0.0.0/8\"]\nforwarded_header = \"x-real-ip\"");
    assert_eq!(ask(&node, &[("x-real-ip", "198.51.100.1"), ("x-forwarded-for", "198.51.100.2")]), "198.51.100.1");
}

#[test]
fn nobody_else_is_believed() {
    for config in ["", "trusted_proxies = []", "trusted_proxies = [\"127.0.0.2\", \"::/0\"]"] {
        let node = trusting(config);
        assert_eq!(ask(&node, &[("x-forwarded-for", "198.51.100.1")]), "127.0.0.1", "{config}");
    }
}

#[test]
fn wrong_tokens_count_for_the_client_and_not_for_the_proxy() {
    let node = trusting("trusted_proxies = [\"127.0.0.1\"]");
    for _ in 0..10 {
        assert_eq!(try_token(&node, "198.51.100.1").status, 401);
    }
    assert_eq!(try_token(&node, "198.51.100.1").status, 429);
    assert_eq!(try_token(&node, "1.2.3.4, 198.51.100.1").status, 429, "what it says of itself does not help");
    assert_eq!(try_token(&node, "198.51.100.2").status, 401);
    // Where the proxy is not trusted it is one client.
    let node = trusting("");
    let statuses: Vec<u16> = (0..11).map(|number| try_token(&node, &format!("198.51.100.{number}")).status).collect();
    assert_eq!(statuses[9..], [401, 429]);
}
