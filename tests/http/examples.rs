//! Every function that a fresh clone serves does what it shows.

use std::{collections::BTreeSet, fs, path::Path};

use crate::kit::{
    client::{Client, Response},
    node::{Node, node},
};
use picloud::execution::LogLevel;
use serde_json::json;

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A request, and what to see in its answer.
type Case = fn(&mut Client);

/// The cases by file. A module's are those of the functions that import it.
const CASES: [(&str, Case); 20] = [
    ("index.get.rhai", |client| {
        let page = client.get("/").unwrap();
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        let text = page.text();
        let links: Vec<&str> = text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(links.len() >= 10, "{links:?}");
        for link in links {
            let expected = match link {
                "/go" => 303,
                "/admin" => 401,
                "/fail?how=throw" => 502,
                _ => 200,
            };
            assert_eq!(client.get(link).unwrap().status, expected, "{link}");
        }
    }),
    ("hello.rhai", |client| {
        assert_eq!(client.get("/hello?name=Ada").unwrap().json(), json!({ "message": "hello Ada" }));
        assert_eq!(client.get("/hello").unwrap().json(), json!({ "message": "hello world" }));
        assert_eq!(post(client, "/hello", JSON, "{}").status, 405);
    }),
    ("echo.post.rhai", |client| {
        let good = r#"{"age":36,"email":"ada@example.org","name":"Ada"}"#;
        assert_eq!(post(client, "/echo", JSON, good).text(), good);
        let wrong = post(client, "/echo", JSON, r#"{"name":"","email":"nowhere","age":"old"}"#);
        let mistakes = ["`name` must have 1 to 80 characters", "`age` must be a whole number from 0 to 150", "`email` must contain an @"];
        assert_eq!((wrong.status, wrong.json()), (422, json!({ "mistakes": mistakes })));
        assert_eq!(post(client, "/echo", JSON, "[]").status, 422);
        assert_eq!(post(client, "/echo", JSON, "{").status, 400);
        assert_eq!(post(client, "/echo", JSON, &format!("\"{}\"", "x".repeat(16 << 10))).status, 413);
    }),
    ("_lib/validate.rhai", |client| {
        let mistakes = json!({ "mistakes": ["`name` must have 1 to 80 characters", "`message` must be a text"] });
        assert_eq!(post(client, "/guestbook", FORM, "name=").json(), mistakes);
    }),
    ("orders/[id=int].get.rhai", |client| {
        assert_eq!(client.get("/orders/42").unwrap().json(), json!({ "id": 42, "status": "shipped", "items": 3 }));
        assert_eq!(client.get("/orders/7").unwrap().json(), json!({ "id": 7, "status": "packed", "items": 3 }));
        assert_eq!(client.get("/orders/0").unwrap().json(), json!({ "message": "there is no order 0" }));
        let other = client.get("/orders/first").unwrap();
        assert_eq!((other.status, other.header("content-type")), (404, Some("application/problem+json")));
    }),
    ("orders/index.post.rhai", |client| {
        assert_eq!(post(client, "/orders", JSON, "[1, 2]").json(), json!({ "orders": 2 }));
        assert_eq!(post(client, "/orders", JSON, "{}").status, 422);
    }),
    ("files/[...path].get.rhai", |client| {
        let seen = client.get("/files/photos/2026/caf%C3%A9.png").unwrap().json();
        assert_eq!(seen, json!({ "folders": ["photos", "2026"], "name": "café.png", "depth": 3 }));
        assert_eq!(client.get("/files/one").unwrap().json(), json!({ "folders": [], "name": "one", "depth": 1 }));
        assert_eq!(client.get("/files").unwrap().status, 404);
    }),
    ("guestbook.get.rhai", |client| {
        let page = client.get("/guestbook").unwrap();
        assert!(page.text().contains("<form method=\"post\">"), "{}", page.text());
    }),
    ("guestbook.post.rhai", |client| {
        let page = post(client, "/guestbook", FORM, "name=Ada+%26+Co&message=%3Cb%3Ehi%3C%2Fb%3E");
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(page.text().contains("Ada &amp; Co wrote:") && page.text().contains("&lt;b&gt;hi&lt;/b&gt;"), "{}", page.text());
        assert_eq!(post(client, "/guestbook", ("content-type", "text/plain"), "hi").status, 415);
    }),
    ("_lib/html.rhai", |client| {
        assert!(client.get("/guestbook").unwrap().text().starts_with("<!doctype html><meta charset=\"utf-8\"><title>Guestbook</title>"));
        assert!(post(client, "/guestbook", FORM, "name=%22&message=x").text().contains("&quot; wrote"));
    }),
    ("_lib/temperature.rhai", |client| {
        let mistake = json!({ "mistake": "`warm` is not a number of degrees" });
        for scale in ["celsius", "fahrenheit"] {
            assert_eq!(client.get(&format!("/temperature/{scale}/warm")).unwrap().json(), mistake);
        }
    }),
    ("temperature/celsius/[degrees].get.rhai", |client| {
        assert_eq!(client.get("/temperature/celsius/21.5").unwrap().json(), json!({ "celsius": 21.5, "fahrenheit": 70.7 }));
        assert_eq!(client.get("/temperature/celsius/warm").unwrap().status, 400);
    }),
    ("temperature/fahrenheit/[degrees].get.rhai", |client| {
        assert_eq!(client.get("/temperature/fahrenheit/-40").unwrap().json(), json!({ "fahrenheit": -40.0, "celsius": -40.0 }));
    }),
    ("go.get.rhai", |client| {
        let first = client.get("/go").unwrap();
        assert_eq!((first.status, first.header("location")), (303, Some("/hello?name=visitor+1")));
        assert_eq!(
            first.all("set-cookie"),
            ["visits=1; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax", "theme=dark; Path=/; SameSite=Lax"]
        );
        let again = client.send("GET", "/go", &[("cookie", "theme=dark; visits=1")], b"").unwrap();
        assert_eq!(again.header("location"), Some("/hello?name=visitor+2"));
        let odd = client.send("GET", "/go", &[("cookie", "visits=many")], b"").unwrap();
        assert_eq!(odd.header("location"), Some("/hello?name=visitor+1"));
    }),
    ("pixel.bmp.get.rhai", |client| {
        let image = client.get("/pixel.bmp?color=FF8800").unwrap();
        assert_eq!((image.status, image.header("content-type"), image.body.len()), (200, Some("image/bmp"), 58));
        let number = |at: usize| u32::from_le_bytes(image.body[at..at + 4].try_into().unwrap());
        assert_eq!((&image.body[..2], number(2), number(10), number(14)), (&b"BM"[..], 58, 54, 40));
        assert_eq!((number(18), number(22), number(26), number(30), number(34)), (1, 1, 1 | 24 << 16, 0, 4));
        assert_eq!(image.body[54..], [0x00, 0x88, 0xff, 0]);
        for wrong in ["red", "-12345", "gggggg"] {
            assert_eq!(client.get(&format!("/pixel.bmp?color={wrong}")).unwrap().status, 400, "{wrong}");
        }
    }),
    ("fail.get.rhai", |client| {
        for (how, status) in [("status", 409), ("throw", 502), ("mistake", 502), ("limit", 507), ("", 400)] {
            assert_eq!(client.get(&format!("/fail?how={how}")).unwrap().status, status, "{how}");
        }
    }),
    ("admin/_middleware.rhai", |client| {
        let refused = client.send("GET", "/admin", &[("x-api-key", "guess")], b"").unwrap();
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("ApiKey")));
    }),
    ("admin/index.get.rhai", |client| {
        let seen = client.send("GET", "/admin", &[("x-api-key", "open-sesame"), ("x-request-id", "r-1")], b"").unwrap();
        let header = |name| seen.header(name).unwrap();
        let expected = json!({
            "function": "admin/index.get",
            "version": header("x-picloud-version"),
            "deployment": header("x-picloud-deployment"),
            "execution": header("x-picloud-execution"),
            "request": "r-1",
        });
        assert_eq!(seen.json(), expected);
    }),
    ("transform.post.rhai", |client| {
        let items = r#"{"items":[{"name":"a","value":1.5},{"name":"b","value":2}]}"#;
        assert_eq!(post(client, "/transform", JSON, items).json(), json!({ "sum": 3.5, "count": 2, "first": "a" }));
    }),
    ("compute.get.rhai", |client| assert_eq!(client.get("/compute").unwrap().json(), json!({ "fib": 17_711 }))),
];

fn post(client: &mut Client, path: &str, content_type: (&str, &str), body: &str) -> Response {
    client.send("POST", path, &[content_type], body.as_bytes()).unwrap()
}

/// The examples, served as in a fresh clone.
fn examples() -> Node {
    let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("functions");
    node(&[]).argument("--functions").argument(functions.to_str().unwrap()).start()
}

fn files() -> BTreeSet<String> {
    fn below(folder: &Path, root: &Path, files: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                below(&entry, root, files);
            } else {
                files.insert(entry.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("functions");
    let mut files = BTreeSet::new();
    below(&root, &root, &mut files);
    files
}

#[test]
fn every_example_does_what_it_shows() {
    let node = examples();
    assert_eq!(node.ready()["status"], "ready", "{}", node.log());
    let mut client = node.client();
    for (file, case) in CASES {
        eprintln!("{file}");
        case(&mut client);
    }
}

#[test]
fn no_example_fails_on_what_a_visitor_types() {
    let node = examples();
    let mut client = node.client();
    let long = "9".repeat(200);
    for (path, status) in [
        ("/orders/99999999999999999999".to_owned(), 404),
        (format!("/orders/{long}"), 404),
        ("/orders/9223372036854775807".to_owned(), 200),
        ("/temperature/celsius/inf".to_owned(), 400),
        ("/temperature/celsius/NaN".to_owned(), 400),
        ("/temperature/fahrenheit/-1e308".to_owned(), 400),
        (format!("/temperature/celsius/{long}"), 400),
        ("/pixel.bmp?color=%F0%9F%A6%80".to_owned(), 400),
        ("/hello?name=%00%F0%9F%A6%80".to_owned(), 200),
        (format!("/files/{long}"), 200),
    ] {
        assert_eq!(client.get(&path).unwrap().status, status, "{path}");
    }
    let odd = [
        "{}",
        "[]",
        "1",
        "null",
        "\"x\"",
        "{\"items\":[]}",
        "{\"items\":{}}",
        "{\"items\":[{}]}",
        "{\"items\":[1]}",
        "{\"items\":[{\"value\":\"x\"}]}",
        "{\"statusCode\":1}",
        "{\"statusCode\":1,\"name\":\"a\",\"email\":\"a@b\",\"age\":1}",
        "[9223372036854775808]",
    ];
    for path in ["/transform", "/echo", "/orders", "/guestbook"] {
        for content_type in ["application/json", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream"] {
            for body in odd {
                let status = post(&mut client, path, ("content-type", content_type), body).status;
                assert!([200, 415, 422].contains(&status), "{path} {content_type} {body}: {status}");
            }
        }
    }
    let large = r#"{"items":[{"name":"a","value":9223372036854775807},{"name":"b","value":1}]}"#;
    assert_eq!(post(&mut client, "/transform", JSON, large).status, 200);
}

#[test]
fn every_example_has_a_case_and_a_description() {
    let tested: BTreeSet<String> = CASES.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(tested, files());
    for file in files().into_iter().filter(|file| !file.split('/').any(|part| part.starts_with('_'))) {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("functions").join(&file)).unwrap();
        assert!(text.starts_with("+++\ndescription = \""), "{file}");
    }
}

#[test]
fn what_the_examples_log_is_kept() {
    let node = examples();
    post(&mut node.client(), "/orders", JSON, "[1, \"x\"]");
    let execution = node.wait_for_execution("the orders", |execution| execution.function.as_str() == "orders/index.post");
    let lines: Vec<(LogLevel, &str)> = execution.logs.iter().map(|line| (line.level, line.message.as_str())).collect();
    let expected = [
        (LogLevel::Trace, "got 2 orders"),
        (LogLevel::Info, "order 1 taken"),
        (LogLevel::Warn, r#"{"message":"not an order number","value":"x"}"#),
    ];
    assert_eq!(lines, expected);
    post(&mut node.client(), "/orders", JSON, "[]");
    node.wait_for_execution("an empty list", |execution| execution.logs.iter().any(|line| line.level == LogLevel::Error));
}
