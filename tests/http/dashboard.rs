//! The dashboard: its page, its files, and what browsers are told of them.

use std::io::Read as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};

use crate::kit::{
    client::Response,
    node::{Node, PATIENCE, wait_until},
};

const HOME: &str = "/_picloud/dashboard";
/// A function that answers wherever functions may.
const EVERYWHERE: [(&str, &str); 1] = [("[...all].rhai", "\"all\"")];

/// The paths of files that the page names.
fn named(page: &str) -> Vec<&str> {
    let quoted = page.split('"').skip(1).step_by(2);
    let mut paths: Vec<&str> = quoted.filter(|text| text.starts_with("/_picloud/dashboard/")).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

fn policy(answer: &Response) -> &str {
    answer.header("content-security-policy").unwrap()
}

#[test]
fn every_path_below_it_is_its_page_but_those_of_files() {
    let node = Node::start_with(&EVERYWHERE);
    let page = node.get(HOME);
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for path in ["/", "/signin", "/functions/shop%2F%5Bid%5D.get", "/executions/0a1b", "/kv?namespace=a", "/%ff"] {
        let answer = node.get(&format!("{HOME}{path}"));
        assert_eq!((answer.status, &answer.body), (200, &page.body), "{path}");
    }
    assert_eq!(node.send("HEAD", HOME, &[], b"").status, 200);
    for path in ["/_picloud", "/_picloud/"] {
        assert_eq!((node.get(path).status, node.get(path).header("location")), (303, Some(HOME)), "{path}");
    }
    for path in ["/_app/immutable/bundle.gone.js", "/_app/", "/_app/../index.html"] {
        let answer = node.get(&format!("{HOME}{path}"));
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/problem+json")), "{path}");
    }
    assert_eq!(node.send("POST", HOME, &[], b"").status, 405);
    // No function takes its place.
    assert_eq!((node.get("/_picloud/dashboards").status, node.get("/%5Fpicloud/dashboard").status), (404, 404));
    node.write("_picloud/dashboard.rhai", "\"mine\"");
    node.write("after.rhai", "1");
    wait_until("what was saved is live", PATIENCE, || node.get("/after").status == 200);
    assert_eq!(node.get(HOME).body, page.body);
}

#[test]
fn the_page_is_asked_for_each_time_and_files_with_a_digest_in_their_name_once() {
    let node = Node::start_with(&[]);
    let page = node.get(HOME);
    let text = page.text();
    let files = named(&text);
    assert!(files.iter().any(|path| path.ends_with(".js")) && files.iter().any(|path| path.ends_with(".css")), "{files:?}");
    for path in [HOME].iter().chain(&files) {
        let plain = node.get(path);
        let is_immutable = path.contains("/immutable/");
        let cache = if is_immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
        assert_eq!(
            (plain.status, plain.header("cache-control"), plain.header("vary")),
            (200, Some(cache), Some("accept-encoding")),
            "{path}"
        );
        // As it is known, it is not sent again.
        let tag = plain.header("etag").unwrap();
        let known = node.send("GET", path, &[("if-none-match", tag)], b"");
        assert_eq!((known.status, known.header("etag"), known.body.len()), (304, Some(tag), 0), "{path}");
        assert_eq!(node.send("GET", path, &[("if-none-match", "\"another\"")], b"").status, 200, "{path}");
        // Packed once, and the same each time.
        let packed = || node.send("GET", path, &[("accept-encoding", "gzip, br")], b"");
        let (first, second) = (packed(), packed());
        assert_eq!((first.header("content-encoding"), &first.body), (Some("gzip"), &second.body), "{path}");
        let mut unpacked = Vec::new();
        GzDecoder::new(&*first.body).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == plain.body && first.header("etag") == Some(tag), "{path}");
    }
    for (end, media_type) in [(".js", "text/javascript; charset=utf-8"), (".css", "text/css; charset=utf-8"), (".svg", "image/svg+xml")] {
        let path = files.iter().find(|path| path.ends_with(end)).unwrap();
        assert_eq!(node.get(path).header("content-type"), Some(media_type));
    }
}

#[test]
fn the_page_runs_its_own_scripts_only_and_speaks_to_its_own_node_only() {
    let node = Node::start_with(&[]);
    let page = node.get(HOME);
    let text = page.text();
    let script = text.split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
    let hash = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script)));
    let expected = format!(
        "default-src 'none'; script-src 'self' {hash}; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    assert_eq!(policy(&page), expected, "nothing inline, nothing from elsewhere, no frame, no place for reports");
    assert!(!text.contains(" style=") && !text.contains("<style"), "{text}");
    let files = named(&text);
    for path in [HOME].iter().chain(&files) {
        let answer = node.get(path);
        assert_eq!(policy(&answer), expected, "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
}
