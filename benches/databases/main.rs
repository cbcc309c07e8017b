//! Functions with one statement of `sql` or one call of `kv`, beside axum and sqlx that do the same: requests a second and CPU time.
//!
//! `cargo bench --bench databases` measures SQLite, and with PICLOUD_TEST_POSTGRES (`scripts/with-postgres`) Postgres. `-- /kv/write` measures one
//! call. Needs `wrk`. The servers take turns, there and back. CPU time is that of the server alone, without Postgres. Look at the ratios.

#[path = "../support/mod.rs"]
mod support;

mod bare;

use std::{fs, path::Path, process::Command};

use support::{Load, Server, get, wrk};

const FUNCTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/databases/functions");
/// Makes `wrk` ask for one of [`ROWS`] each time.
const IDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/databases/ids.lua");
const ROWS: usize = 1_000;
const CONNECTIONS: u32 = 64;
const SECONDS: u32 = 2;
const CALLS: [(&str, &str); 4] =
    [("`sql::one`", "/sql/read"), ("`sql::exec`, update", "/sql/write"), ("`kv::get`", "/kv/read"), ("`kv::set`", "/kv/write")];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, url, before_use, file] = &arguments[..]
        && role == bare::ROLE
    {
        return bare::serve(url, before_use, Path::new(file));
    }
    // `cargo test --benches` only wants to see that it builds.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    // On a disk: the writes of `kv` wait for it.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let server = std::env::var("PICLOUD_TEST_POSTGRES").ok();
    let servers = [
        ("axum + sqlx, trusts its connections", bare(folder.path(), server.as_deref(), "trust")),
        ("axum + sqlx, by default", bare(folder.path(), server.as_deref(), "ask")),
        ("PiCloud, every run recorded", picloud(folder.path(), server.as_deref())),
    ];
    for (_, server) in &servers {
        (1..=ROWS).for_each(|id| assert!(get(&server.address, &format!("/kv/write?id={id}&turn=0")).unwrap().contains(" 200 ")));
    }
    let asked = arguments.iter().skip(1).find(|argument| argument.starts_with('/'));
    println!("| call | server | req/s | × first | p99 ms | CPU µs/req | × first |\n|---|---|---:|---:|---:|---:|---:|");
    for (call, path) in CALLS.into_iter().filter(|(_, path)| asked.is_none_or(|asked| asked == path)) {
        measure(call, path, &servers);
    }
}

fn measure(call: &str, path: &str, servers: &[(&str, Server)]) {
    let body =
        |server: &Server| get(&server.address, &format!("{path}?id=42&turn=0")).unwrap().split_once("\r\n\r\n").unwrap().1.to_owned();
    assert!(servers.iter().all(|(_, server)| body(server) == body(&servers[0].1)), "{call} has different answers");
    for (_, server) in servers {
        load(server, path, 1);
    }
    let mut rounds: Vec<Vec<(Load, f64)>> = vec![Vec::new(); servers.len()];
    for at in (0..servers.len()).chain((0..servers.len()).rev()) {
        rounds[at].push(load(&servers[at].1, path, SECONDS));
    }
    let figure = |at: usize, of: fn(&(Load, f64)) -> f64| rounds[at].iter().map(of).sum::<f64>() / rounds[at].len() as f64;
    for (at, (name, _)) in servers.iter().enumerate() {
        let (per_second, cpu) = (figure(at, |round| round.0.per_second), figure(at, |round| round.1));
        println!(
            "| {call} | {name} | {per_second:.0} | {:.2} | {:.2} | {cpu:.1} | {:.2} |",
            per_second / figure(0, |round| round.0.per_second),
            figure(at, |round| round.0.p99_ms),
            cpu / figure(0, |round| round.1),
        );
    }
}

/// Returns what `wrk` measured, and the server's CPU time for a request in microseconds.
fn load(server: &Server, path: &str, seconds: u32) -> (Load, f64) {
    let before = server.cpu_us();
    let load = wrk(&format!("http://{}{path}", server.address), CONNECTIONS, seconds, &[IDS]);
    assert_eq!(load.errors, None, "{path} at {}", server.address);
    let cpu_us = (server.cpu_us() - before) as f64 / load.requests as f64;
    (load, cpu_us)
}

fn bare(folder: &Path, server: Option<&str>, before_use: &str) -> Server {
    let folder = folder.join(before_use);
    fs::create_dir(&folder).unwrap();
    let url = server.map_or_else(|| format!("sqlite:{}", folder.display()), new_database);
    let address = folder.join("address");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([bare::ROLE, &url, before_use]).arg(&address);
    Server::start(command, "/sql/read?id=1", move || fs::read_to_string(&address).ok().filter(|text| !text.is_empty()))
}

fn picloud(folder: &Path, server: Option<&str>) -> Server {
    let url = || server.map_or_else(|| "sqlite".to_owned(), new_database);
    let config = format!("[database]\nurl = {:?}\n[databases.app]\nurl = {:?}\n", url(), url());
    Server::picloud(folder, Path::new(FUNCTIONS), &config)
}

/// Makes an empty database, and returns its URL.
fn new_database(server: &str) -> String {
    let name = format!("databases_{}", uuid::Uuid::now_v7().simple());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(server).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"))).execute(&mut connection).await.unwrap();
    });
    format!("{}/{name}", server.rsplit_once('/').unwrap().0)
}
