//! Every function that a fresh clone serves does what it shows.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::Mutex,
    thread,
    time::UNIX_EPOCH,
};

use crate::kit::{
    api::Api,
    client::{Client, Response},
    node::{Node, PATIENCE, node, wait_until},
};
use picloud::{
    execution::LogLevel,
    hex::Hex,
    signature::{Hash, hmac},
};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// What GitHub and Stripe sign with.
const GITHUB_SECRET: &str = "a secret of GitHub";
const STRIPE_SECRET: &str = "whsec_of_Stripe";

/// A request, and what to see in its answer.
type Case = fn(&mut Client);

/// The cases by file. A module's are those of the functions that import it.
const CASES: [(&str, Case); 38] = [
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
    ("hooks/github.post.rhai", |client| {
        let body = r#"{"zen":"Keep it logically awesome.","repository":{"full_name":"ada/engine"}}"#;
        let signature = format!("sha256={}", digits(GITHUB_SECRET, &[body]));
        let mut send = |body: &str, signature: &str| {
            let headers = [JSON, ("x-github-event", "ping"), ("x-hub-signature-256", signature)];
            client.send("POST", "/hooks/github", &headers, body.as_bytes()).unwrap()
        };
        assert_eq!(send("{}", &signature).status, 401);
        assert_eq!(send(body, &digits("another", &[body])).status, 401);
        assert_eq!(send(body, &signature).json(), json!({ "seen": false }));
        assert_eq!(send(body, &signature).json(), json!({ "seen": true }));
    }),
    ("hooks/stripe.post.rhai", |client| {
        let mut send = |body: &str, secret: &str| {
            let now = UNIX_EPOCH.elapsed().unwrap().as_secs().to_string();
            let signature = format!("t={now},v1={}", digits(secret, &[&now, ".", body]));
            client.send("POST", "/hooks/stripe", &[JSON, ("stripe-signature", &signature)], body.as_bytes()).unwrap()
        };
        let paid = r#"{"id":"evt_1","type":"checkout.session.completed","data":{"object":{"client_reference_id":"42"}}}"#;
        assert_eq!(send(paid, "whsec_of_another").status, 401);
        for _ in 0..2 {
            assert_eq!(send(paid, STRIPE_SECRET).json(), json!({ "paid": "42" }));
        }
        assert_eq!(send(r#"{"id":"evt_2","type":"charge.failed"}"#, STRIPE_SECRET).json(), json!({ "paid": null }));
    }),
    // The webhook above has emitted what it handles, twice, with one id.
    ("_events/order.paid.rhai", |_| {
        wait_until("the chat is told", PATIENCE, || CHAT.lock().unwrap().contains(&json!({ "text": "order 42 is paid" })));
        assert_eq!(CHAT.lock().unwrap().len(), 1);
    }),
    ("links/index.post.rhai", |client| {
        let made = post(client, "/links", JSON, r#"{"url":"https://example.org/a/long/path"}"#);
        let link = made.json()["link"].as_str().unwrap().to_owned();
        assert_eq!((made.status, made.header("location")), (201, Some(link.as_str())));
        assert_ne!(post(client, "/links", JSON, r#"{"url":"https://example.org/"}"#).json()["link"], *link);
        for wrong in ["[]", "{}", r#"{"url":"javascript:alert(1)"}"#, r#"{"url":"https://example.org/\r\nset-cookie: a=b"}"#] {
            assert_eq!(post(client, "/links", JSON, wrong).status, 422, "{wrong}");
        }
    }),
    ("links/[code].get.rhai", |client| {
        let made = post(client, "/links", JSON, r#"{"url":"https://example.org/b"}"#);
        let followed = client.get(made.header("location").unwrap()).unwrap();
        assert_eq!((followed.status, followed.header("location")), (302, Some("https://example.org/b")));
        for unknown in ["nothing".to_owned(), "9".repeat(2000)] {
            assert_eq!(client.get(&format!("/links/{unknown}")).unwrap().status, 404);
        }
    }),
    ("_sql/notes/0001_notes.sql", |client| {
        assert_eq!(client.get("/notes?q=nothing+is+called+so").unwrap().json(), json!([]));
    }),
    ("notes/index.post.rhai", |client| {
        let made = post(client, "/notes", JSON, r#"{"title":"milk"}"#);
        assert_eq!((made.status, made.header("location").unwrap()), (201, format!("/notes/{}", made.json()["id"]).as_str()));
    }),
    ("notes/index.get.rhai", |client| {
        for title in ["bread, white", "bread, 100% rye"] {
            post(client, "/notes", JSON, &json!({ "title": title }).to_string());
        }
        let titles = |client: &mut Client, q: &str| {
            let found = client.get(&format!("/notes?q={q}")).unwrap().json();
            found.as_array().unwrap().iter().map(|note| note["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(titles(client, "bread"), ["bread, 100% rye", "bread, white"]);
        assert_eq!(titles(client, "%25"), ["bread, 100% rye"]);
        assert_eq!(titles(client, "%27%3B+DROP+TABLE+notes"), [""; 0]);
    }),
    ("notes/[id=int].get.rhai", |client| {
        let note = note(client);
        let id: i64 = note.strip_prefix("/notes/").unwrap().parse().unwrap();
        assert_eq!(client.get(&note).unwrap().json(), json!({ "id": id, "title": "eggs", "body": "six" }));
        assert_eq!(client.get("/notes/9223372036854775807").unwrap().status, 404);
    }),
    ("notes/[id=int].put.rhai", |client| {
        let note = note(client);
        let mut put = |path: &str, body: &str| client.send("PUT", path, &[JSON], body.as_bytes()).unwrap().status;
        assert_eq!(put(&note, r#"{"title":"eggs","body":"ten"}"#), 204);
        assert_eq!(put(&note, r#"{"title":""}"#), 422);
        assert_eq!(put("/notes/9223372036854775807", r#"{"title":"eggs"}"#), 404);
        assert_eq!(client.get(&note).unwrap().json()["body"], "ten");
    }),
    ("notes/[id=int].delete.rhai", |client| {
        let note = note(client);
        for status in [204, 404] {
            assert_eq!(client.send("DELETE", &note, &[], b"").unwrap().status, status);
        }
        assert_eq!(client.get(&note).unwrap().status, 404);
    }),
    ("_lib/note.rhai", |client| {
        let mistakes = json!({ "mistakes": ["`title` must be a text", "`body` must be a text"] });
        assert_eq!(post(client, "/notes", JSON, r#"{"body":1}"#).json(), mistakes);
        assert_eq!(post(client, "/notes", JSON, "[]").status, 422);
    }),
    ("weather.get.rhai", |client| {
        for (path, cached) in [("/weather?lat=52.52&lon=13.41", false), ("/weather?lat=52.49&lon=13.38", true)] {
            assert_eq!(client.get(path).unwrap().json(), json!({ "celsius": 21.5, "cached": cached }));
        }
        // The service of the test knows no other place.
        assert_eq!(client.get("/weather?lat=0&lon=0").unwrap().status, 502);
        for wrong in ["", "?lat=here&lon=there", "?lat=inf&lon=0", "?lat=NaN&lon=0", "?lat=91&lon=0"] {
            assert_eq!(client.get(&format!("/weather{wrong}")).unwrap().status, 400, "{wrong}");
        }
    }),
    ("signup.get.rhai", |client| {
        assert!(client.get("/signup").unwrap().text().contains("<form method=\"post\">"));
    }),
    ("signup.post.rhai", |client| {
        let page = post(client, "/signup", FORM, "email=%3Cb%3E%40example.org&password=correct+horse");
        assert!(page.status == 200 && page.text().contains("&lt;b&gt;@example.org is signed up"), "{}", page.text());
        let again = post(client, "/signup", FORM, "email=%3CB%3E%40example.org&password=battery+staple");
        assert!(again.status == 409 && again.text().contains("somebody has signed up with this address"), "{}", again.text());
        assert_eq!(post(client, "/signup", FORM, "email=a%40b&password=short").status, 422);
    }),
    ("_templates/page.html", |client| {
        assert!(client.get("/signup").unwrap().text().contains("<title>Sign up</title>\n<h1>Sign up</h1>"));
    }),
    ("_templates/signup.html", |client| {
        let wrong = post(client, "/signup", FORM, "email=%22nowhere&password=correct+horse");
        assert!(wrong.status == 422 && wrong.text().contains("<p role=\"alert\">`email` must contain an @</p>"), "{}", wrong.text());
        assert!(wrong.text().contains("value=\"&quot;nowhere\""), "{}", wrong.text());
    }),
    ("_templates/welcome.html", |client| {
        let page = post(client, "/signup", FORM, "email=ada%40example.org&password=correct+horse");
        assert!(page.text().contains("<h1>Welcome</h1>"), "{}", page.text());
    }),
    ("compute.get.rhai", |client| assert_eq!(client.get("/compute").unwrap().json(), json!({ "fib": 17_711 }))),
];

fn post(client: &mut Client, path: &str, content_type: (&str, &str), body: &str) -> Response {
    client.send("POST", path, &[content_type], body.as_bytes()).unwrap()
}

/// A new note.
fn note(client: &mut Client) -> String {
    let made = post(client, "/notes", JSON, r#"{"title":"eggs","body":"six"}"#);
    made.header("location").unwrap().to_owned()
}

fn digits(key: &str, parts: &[&str]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    Hex(hmac(Hash::Sha256, key.as_bytes(), &parts).as_ref()).to_string()
}

/// What the chat was told.
static CHAT: Mutex<Vec<Value>> = Mutex::new(Vec::new());

/// Stands for the chat, which takes every message.
fn chat_service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = |mut stream: TcpStream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let lines: Vec<String> = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let length = lines.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap()];
        reader.read_exact(&mut body).unwrap();
        CHAT.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        let _ = write!(stream, "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
    };
    thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(answer));
    address
}

/// Stands for the weather service, which knows one place.
fn weather_service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = |mut stream: TcpStream| {
        let lines: Vec<String> = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let is_known = lines.first().is_some_and(|line| {
            line.starts_with("GET /v1/forecast?")
                && ["latitude=52.5", "longitude=13.4", "current=temperature_2m"].iter().all(|part| line.contains(part))
        });
        let (status, body) = if is_known { ("200 OK", r#"{"current":{"temperature_2m":21.5}}"#) } else { ("400 Bad Request", "{}") };
        let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    };
    thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(answer));
    address
}

/// The examples, served as in a fresh clone, with secrets that are set and a weather service of their own.
fn examples() -> Node {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let service = format!("http://{}", weather_service());
    let chat = format!("http://{}", chat_service());
    let texts: Vec<(String, String)> = files()
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(root.join("functions").join(&file)).unwrap();
            (file, text.replace("https://api.open-meteo.com", &service).replace("https://chat.example.org", &chat))
        })
        .collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let config = fs::read_to_string(root.join("picloud.toml")).unwrap();
    let node = node(&texts).config(&config.replace("private = []", "private = [\"127.0.0.1\"]")).start();
    // A migration that was written a moment ago is applied when its file has settled.
    node.wait_for_status("/notes", 200);
    let secrets = json!({ "values": { "GITHUB_SECRET": GITHUB_SECRET, "STRIPE_SECRET": STRIPE_SECRET } });
    assert_eq!(Api::of(&node).json("PUT", "/api/admin/secrets", &secrets).status, 200);
    node
}

#[test]
fn without_a_database_the_other_examples_are_served() {
    let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("functions");
    let node = node(&[]).argument("--functions").argument(functions.to_str().unwrap()).start();
    for (path, status) in [("/hello", 200), ("/signup", 200), ("/notes", 502)] {
        assert_eq!(node.get(path).status, status, "{path}");
    }
    assert_eq!(node.ready()["status"], "degraded");
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
        ("/notes?q=%00%F0%9F%A6%80".to_owned(), 200),
        ("/links/%00".to_owned(), 404),
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
    for path in ["/transform", "/echo", "/orders", "/guestbook", "/links", "/notes", "/signup"] {
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
    // What runs at times has a story of its own.
    let called: BTreeSet<String> = files().into_iter().filter(|file| !file.starts_with("_cron/")).collect();
    assert_eq!(tested, called);
    for file in files().into_iter().filter(|file| !file.split('/').any(|part| part.starts_with('_'))) {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("functions").join(&file)).unwrap();
        assert!(text.starts_with("+++\ndescription = \""), "{file}");
    }
}

#[test]
fn counts_of_links_that_are_gone_are_forgotten_at_night() {
    let node = examples();
    let api = Api::of(&node);
    let keys = || {
        let entries = api.get("/api/admin/kv/links").json()["entries"].take();
        let keys = entries.as_array().unwrap().iter().map(|entry| entry["key"].as_str().unwrap().to_owned());
        keys.collect::<Vec<String>>()
    };
    for (key, value) in [("link%3Aa", "\"https://example.org\""), ("hits%3Aa", "3"), ("hits%3Ab", "7"), ("hits%3Ac", "1")] {
        assert_eq!(api.send("PUT", &format!("/api/admin/kv/links/{key}"), &[], value.as_bytes()).status, 200);
    }
    let ran = api.json("POST", "/api/admin/schedules/_cron%2Flinks/run", &json!({})).json();
    assert_eq!(ran["response"]["body"].as_str(), Some("{\"removed\":2}"), "{ran}");
    assert_eq!(keys(), ["hits:a", "link:a"]);
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
