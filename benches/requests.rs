//! Requests a second, latency and CPU of the functions F1 (hello), F2 (JSON of 50 objects), F3 (fib(22)) and F4 (an order to a page).
//! Bare axum does the same work in the same run. `cargo bench --bench requests`. Needs `wrk`. Look at the ratios: they hold on a busy machine,
//! figures do not.

#[path = "support/order.rs"]
mod order;
mod support;

use std::{collections::HashMap, fs, path::Path, process::Command};

use axum::{Json, Router, extract::Query, middleware, response::Response, routing};
use order::Order;
use picloud::store::{ExecutionFilter, Store};
use serde::Deserialize;
use serde_json::json;
use support::{Load, Server, get, median, wrk};

/// F1 to F4 and `slow`; benches/peers serves them, too, and F5.
const FUNCTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/functions");
/// Makes `wrk` post a file.
const POST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/support/post.lua");
/// The first argument that makes this program bare axum: `bare-axum ADDRESS FILE` listens at ADDRESS and writes the real one into FILE.
const BARE: &str = "bare-axum";
/// Below this, bare axum's answers have the headers that PiCloud's have: reading them is work for the client, which has the same cores.
const LABELLED: &str = "/labelled";
/// What PiCloud tells of a run in its headers.
const LABELS: [(&str, &str); 4] = [
    ("x-picloud-execution", "3628emenq75q5"),
    ("x-picloud-version", "0899a5a7a77e1182cd2f424c0c527769"),
    ("x-picloud-deployment", "3628emc9h3fq5"),
    ("x-request-id", "3628emenq75q5"),
];
const ROUNDS: usize = 5;
const SECONDS: u32 = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, address, file] = &arguments[..]
        && role == BARE
    {
        return bare_axum(address, Path::new(file));
    }
    // `cargo test --benches` only wants to see that it builds.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bare = bare(folder.path());
    let start = |name: &str, record: &str| {
        let folder = folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        Server::picloud(
            &folder,
            Path::new(FUNCTIONS),
            &format!("[journal]\nrecord = \"{record}\"\n[retention]\nmax_count = 1_000_000_000\n"),
        )
    };
    let (silent, recording) = (start("silent", "none"), start("recording", "all"));
    let servers = [
        ("bare axum", &bare, ""),
        ("bare axum, with as many headers", &bare, LABELLED),
        ("PiCloud, recording off", &silent, ""),
        ("PiCloud, every run in SQLite", &recording, ""),
    ];

    let mut recorded = 0;
    println!("| function | server | req/s | × axum | p99 ms | CPU µs/req | × axum |\n|---|---|---:|---:|---:|---:|---:|");
    for (function, path, script, connections) in
        // F3 is all computing: more connections than cores only wait.
        [
            ("F1", "/hello?name=Ada", &[][..], 64),
            ("F2", "/transform", &[POST, "body.json"][..], 64),
            ("F3", "/compute", &[], 4),
            ("F4", "/order", &[POST, "order.json"], 64),
        ]
    {
        let mut rounds: Vec<Vec<(Load, f64)>> = vec![Vec::new(); servers.len()];
        for _ in 0..ROUNDS {
            for (at, (name, server, prefix)) in servers.iter().enumerate() {
                let url = format!("http://{}{prefix}{path}", server.address);
                let warm = wrk(&url, connections, 1, script);
                let before = server.cpu_us();
                let load = wrk(&url, connections, SECONDS, script);
                let cpu = (server.cpu_us() - before) as f64 / load.requests as f64;
                assert_eq!(load.errors, None, "{name} on {function}");
                if at == servers.len() - 1 {
                    recorded += warm.requests + load.requests;
                }
                rounds[at].push((load, cpu));
            }
        }
        let figure = |at: usize, of: fn(&(Load, f64)) -> f64| median(rounds[at].iter().map(of).collect());
        for (at, (name, ..)) in servers.iter().enumerate() {
            let (per_second, cpu) = (figure(at, |round| round.0.per_second), figure(at, |round| round.1));
            println!(
                "| {function} | {name} | {per_second:.0} | {:.2} | {:.2} | {cpu:.1} | {:.2} |",
                per_second / figure(0, |round| round.0.per_second),
                figure(at, |round| round.0.p99_ms),
                cpu / figure(0, |round| round.1),
            );
        }
    }
    beside_slow(&recording);
    recording.stop();
    rows(&folder.path().join("recording/data"), recorded);
}

/// A fast function's latency while two clients keep a slow one running.
fn beside_slow(node: &Server) {
    let url = format!("http://{}/hello", node.address);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(wrk(&url, 8, SECONDS, &[]).p99_ms);
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        get(&node.address, "/slow");
                    }
                });
            }
            beside.push(wrk(&url, 8, SECONDS, &[]).p99_ms);
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
    let (alone, beside) = (median(alone), median(beside));
    println!(
        "\np99 of F1 (8 connections): alone {alone:.2} ms, beside two clients of a 100 ms function {beside:.2} ms, × {:.2}",
        beside / alone
    );
}

/// Counts what was recorded against what was answered. Requests that `wrk` had under way at its end are recorded and not counted by it.
fn rows(data: &Path, answered: u64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rows = runtime.block_on(async {
        let store = Store::open_read_only("sqlite", data).await.unwrap();
        store.executions(&ExecutionFilter { limit: u32::MAX, ..ExecutionFilter::default() }).await.unwrap().len()
    });
    println!("\n{answered} requests answered, {rows} rows recorded");
    assert!(rows as u64 >= answered, "rows were lost");
}

fn bare(folder: &Path) -> Server {
    let address = folder.join("address");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([BARE, "127.0.0.1:0"]).arg(&address);
    Server::start(command, "/hello", move || fs::read_to_string(&address).ok().filter(|text| !text.is_empty()))
}

#[derive(Deserialize)]
struct Item {
    name: String,
    value: i64,
}

#[derive(Deserialize)]
struct Items {
    items: Vec<Item>,
}

/// What F5 asks another service for.
const USER: &str = include_str!("support/user.json");

#[derive(Deserialize)]
struct User {
    name: String,
    address: Address,
}

#[derive(Deserialize)]
struct Address {
    city: String,
}

fn client() -> reqwest::Client {
    // It asks by http only, and is not built without somebody who could do TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn fib(n: u64) -> u64 {
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

fn bare_axum(address: &str, file: &Path) {
    let hello = async |Query(query): Query<HashMap<String, String>>| {
        Json(json!({ "message": format!("hello {}", query.get("name").map_or("world", String::as_str)) }))
    };
    let transform = async |Json(Items { items }): Json<Items>| {
        let sum: i64 = items.iter().map(|item| item.value).sum();
        Json(json!({ "sum": sum, "count": items.len(), "first": items[0].name }))
    };
    let page = async |Json(order): Json<Order>| order.page();
    let compute = async || Json(json!({ "fib": fib(std::hint::black_box(22)) }));
    let user = async || ([("content-type", "application/json")], USER);
    let (client, url) = (client(), format!("{}/user", std::env::var("UPSTREAM").unwrap_or_default()));
    let profile = async move || {
        let answer = client.get(url).send().await.unwrap().bytes().await.unwrap();
        let user: User = serde_json::from_slice(&answer).unwrap();
        Json(json!({ "name": user.name, "city": user.address.city }))
    };
    let router = Router::new()
        .route("/hello", routing::get(hello))
        .route("/transform", routing::post(transform))
        .route("/compute", routing::get(compute))
        .route("/order", routing::post(page))
        .route("/user", routing::get(user))
        .route("/profile", routing::get(profile));
    let labelled = router.clone().layer(middleware::map_response(async |response: Response| (LABELS, response)));
    let router = router.nest(LABELLED, labelled);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        fs::write(file, listener.local_addr().unwrap().to_string()).unwrap();
        axum::serve(listener, router).await.unwrap();
    });
}
