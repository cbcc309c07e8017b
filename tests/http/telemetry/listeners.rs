//! An address of its own for the control plane.

use std::net::SocketAddr;

use crate::{
    kit::{
        api::bearer,
        client::Client,
        node::{Node, Setup, node},
    },
    telemetry::scrape::status,
};

/// What is asked of a node's operators only.
const FOR_OPERATORS: [(&str, &str); 13] = [
    ("GET", "/_picloud"),
    ("GET", "/_picloud/dashboard"),
    ("GET", "/_picloud/dashboard/favicon.svg"),
    ("POST", "/_picloud/session"),
    ("GET", "/_picloud/metrics"),
    ("GET", "/api/admin/status/tail"),
    ("GET", "/api/admin/whoami"),
    ("GET", "/api/admin/status"),
    ("POST", "/api/admin/rollback"),
    ("GET", "/functions.git/info/refs?service=git-upload-pack"),
    ("POST", "/functions.git/git-receive-pack"),
    ("GET", "/_picloud/v/0000000000000/a"),
    ("GET", "/_picloud/preview/main/a"),
];

/// Starts a node with two addresses; the kit knows the one of the control plane, and this returns the other.
fn two(setup: Setup) -> (Node, SocketAddr) {
    let node = setup.argument("--admin-listen").argument("127.0.0.1:0").start();
    let line = node.wait_for_line(&["listening on http://"]);
    let address = line.split("listening on http://").nth(1).unwrap();
    let end = address.find(|c: char| !c.is_ascii_digit() && !".:".contains(c)).unwrap_or(address.len());
    let public = address[..end].parse().unwrap();
    assert_ne!(public, node.address());
    (node, public)
}

#[test]
fn the_control_plane_is_only_where_it_is_told_to_be() {
    let (node, public) = two(node(&[("a.rhai", "1"), ("[...all].rhai", "\"all\"")]));
    let token = bearer(&node);
    for (method, path) in FOR_OPERATORS {
        for headers in [&[][..], &[("authorization", token.as_str())]] {
            let hidden = Client::to(public).send(method, path, headers, b"").unwrap();
            let nothing = Client::to(public).send(method, "/_picloud/nothing", headers, b"").unwrap();
            assert_eq!((hidden.status, &hidden.body), (404, &nothing.body), "{method} {path}");
            let names = |response: &crate::kit::client::Response| response.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&hidden), names(&nothing), "{method} {path}");
        }
    }
    for path in ["/_picloud/metrics", "/api/admin/status"] {
        assert_eq!(
            (status(node.address(), "GET", path, &[]), node.send("GET", path, &[("authorization", &token)], b"").status),
            (401, 200)
        );
    }
    // Functions are served at the other address, and nowhere else.
    assert_eq!(Client::to(public).get("/a").unwrap().text(), "1");
    let answer = Client::to(public).get("/anything").unwrap();
    assert_eq!(answer.text(), "all");
    for path in ["/a", "/anything", "/api/execute/6ba7b810-9dad-11d1-80b4-00c04fd430c8"] {
        assert_eq!(node.get(path).status, 404, "{path}");
    }
    let deployment = answer.header("x-picloud-deployment").unwrap();
    assert_eq!(node.send("GET", &format!("/_picloud/v/{deployment}/a"), &[("authorization", &token)], b"").text(), "1");
    // Both say how the node is.
    for address in [public, node.address()] {
        for path in ["/_picloud/health", "/_picloud/ready"] {
            assert_eq!(status(address, "GET", path, &[]), 200, "{path}");
        }
    }
}

#[test]
fn commands_find_the_control_plane_by_the_data_folder() {
    let (node, _) = two(node(&[("a.rhai", "1")]));
    for command in ["status", "health", "sync"] {
        let mut picloud = std::process::Command::new(env!("CARGO_BIN_EXE_picloud"));
        let said = picloud.arg(command).current_dir(node.folder()).output().unwrap();
        assert!(said.status.success(), "{command}: {}", String::from_utf8_lossy(&said.stderr));
    }
}

#[test]
fn previews_that_are_open_stay_where_everybody_is() {
    let (node, public) = two(node(&[("a.rhai", "1")]).config("[previews]\nopen = true"));
    let deployment = Client::to(public).get("/a").unwrap().header("x-picloud-deployment").unwrap().to_owned();
    for address in [public, node.address()] {
        assert_eq!(status(address, "GET", &format!("/_picloud/v/{deployment}/a"), &[]), 200);
    }
}

#[test]
fn a_branch_s_host_name_never_shows_what_is_live() {
    let (node, public) = two(node(&[("a.rhai", "\"live\"")]).config("[previews]\nhost = \"{branch}.preview.example.org\""));
    let ask = |address, host: &str| {
        let mut client = Client::to(address);
        client.write(format!("GET /a HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).unwrap();
        client.read("GET").unwrap()
    };
    assert_eq!(ask(public, "example.org").text(), "live");
    assert_eq!(ask(public, "main.preview.example.org").status, 404);
    assert_eq!(ask(node.address(), "main.preview.example.org").status, 401);
}

#[test]
fn a_full_data_plane_leaves_the_control_plane_reachable() {
    let (node, public) = two(node(&[("a.rhai", "1")]).config("[server]\nmax_connections = 1"));
    let mut only = Client::to(public);
    assert_eq!(only.get("/a").unwrap().status, 200);
    assert_eq!(node.send("GET", "/api/admin/whoami", &[("authorization", &bearer(&node))], b"").status, 200);
    assert_eq!(only.get("/a").unwrap().status, 200);
}

#[test]
fn who_exposes_the_control_plane_is_told_what_to_do() {
    let warning = "beyond this machine and without TLS";
    let exposed = node(&[("a.rhai", "1")]).argument("--listen").argument("0.0.0.0:0").start();
    assert!(exposed.wait_for_line(&[warning]).contains("admin_listen"));
    // Functions may be open: the control plane is not.
    let kept =
        node(&[("a.rhai", "1")]).argument("--listen").argument("0.0.0.0:0").argument("--admin-listen").argument("127.0.0.1:0").start();
    kept.wait_for_line(&["the control plane is at http://127.0.0.1:"]);
    let mut kept = kept;
    kept.stop();
    assert!(!kept.log().contains(warning), "{}", kept.log());
}
