//! Events and schedules of a node, beside queues that others use on the same Postgres: how many, how soon, and how exactly.
//!
//! `scripts/with-postgres --durable cargo bench --bench queue` measures SQLite and Postgres; without Postgres SQLite alone. `-- sqlite`, `-- postgres`,
//! `-- graphile`, `-- pg-boss` measure one. The other queues need `benches/queue/setup`, all need `wrk`. Every commit waits for the disk.

#[path = "../support/mod.rs"]
mod support;

mod peers;
mod picloud;

use std::path::Path;

use support::latency::percentile;

/// Callers at once who each emit one event.
const CALLERS: u32 = 64;
/// Events of one call that emits many.
const BULK: usize = 1_000;
/// Events that wait before they are handled.
const BACKLOG: usize = 20_000;
/// Events that are emitted one by one, while nothing else happens.
const PROBES: usize = 200;
const SECONDS: u32 = 5;

/// What was measured of a queue.
struct Figures {
    /// Events a second, each in a call of its own.
    one: f64,
    /// Events a second, in calls of [`BULK`].
    many: f64,
    /// Events a second of a backlog.
    handled: f64,
    /// Milliseconds from the call to the start of the handler.
    times: Vec<f64>,
}

impl Figures {
    fn print(mut self, name: &str) {
        let [p50, p99] = [0.5, 0.99].map(|part| percentile(&mut self.times, part));
        println!("| {name} | {:.0} | {:.0} | {:.0} | {p50:.1} | {p99:.1} |", self.one, self.many, self.handled);
    }
}

fn main() {
    // `cargo test --benches` only wants to see that it builds.
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let asked: Vec<&str> = arguments[1..].iter().map(String::as_str).filter(|argument| !argument.starts_with('-')).collect();
    let is_asked = |name: &str| asked.is_empty() || asked.contains(&name);
    let server = std::env::var("PICLOUD_TEST_POSTGRES").ok();
    let databases = [("sqlite", Some("sqlite".to_owned())), ("postgres", server.clone())];
    println!(
        "| queue | emitted/s, one by one | {BULK} at once | handled/s | emit → start p50 ms | p99 ms |\n|---|---:|---:|---:|---:|---:|"
    );
    for (name, server) in databases.iter().filter_map(|(name, server)| Some((*name, server.as_deref()?))).filter(|(name, _)| is_asked(name))
    {
        picloud::events(server).print(&format!("PiCloud on {name}"));
    }
    for name in ["graphile", "pg-boss"].into_iter().filter(|name| is_asked(name)) {
        if let Some(server) = &server {
            peers::measure(name, &new_database(server)).print(name);
        }
    }
    println!("\n| 1,000 schedules, due | late p50 ms | p99 ms | most ms | p99 of requests beside ms |\n|---|---:|---:|---:|---:|");
    for (name, server) in databases.iter().filter_map(|(name, server)| Some((*name, server.as_deref()?))).filter(|(name, _)| is_asked(name))
    {
        for spread in ["1s", "0s"] {
            picloud::schedules(server, name, spread);
        }
    }
}

/// Returns a folder on a disk: commits wait for it.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap()
}

/// Makes an empty database, and returns its URL.
fn new_database(server: &str) -> String {
    let name = format!("queue_{}", uuid::Uuid::now_v7().simple());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(server).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"))).execute(&mut connection).await.unwrap();
    });
    format!("{}/{name}", server.rsplit_once('/').unwrap().0)
}
