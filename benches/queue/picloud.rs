//! A node with handlers and schedules. What happened when is read from the ids in its database, which are made from the time.

use std::{fs, thread, time::Duration};

use picloud::id::id_time_us;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, sqlite::SqliteConnectOptions};

use super::{
    BACKLOG, BULK, CALLERS, Figures, PROBES, SECONDS, folder, new_database,
    support::{
        Server, get,
        latency::{ask, percentile},
        wrk,
    },
};

const FUNCTIONS: [(&str, &str); 6] = [
    ("one.rhai", "emit(\"bench.later\", #{ n: 1 }, #{ delay: \"1h\" }); ()"),
    ("many.rhai", "for n in 0..1000 { emit(\"bench.later\", #{ n: n }, #{ delay: \"1h\" }); } ()"),
    ("soon.rhai", "for n in 0..1000 { emit(\"bench.soon\", #{ n: n }, #{ delay: \"6s\" }); } ()"),
    ("now.rhai", "emit(\"bench.now\", #{ n: 1 }); ()"),
    ("hello.rhai", "\"hello\""),
    ("_events/bench.rhai", "+++\n[[on]]\ntopic = \"bench.*\"\nname = \"all\"\n+++\n()"),
];
const SCHEDULES: usize = 1_000;

/// A node that can be stopped and started again.
struct Node {
    folder: tempfile::TempDir,
    url: String,
}

impl Node {
    fn new(server: &str, functions: &[(String, String)]) -> Self {
        let folder = folder();
        for (file, text) in functions {
            let path = folder.path().join("functions").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let url = if server == "sqlite" { server.to_owned() } else { new_database(server) };
        Self { folder, url }
    }

    fn start(&self) -> Server {
        Server::picloud(self.folder.path(), &self.folder.path().join("functions"), &format!("[database]\nurl = {:?}\n", self.url))
    }

    /// Returns the rows of a query, each of two numbers.
    fn rows(&self, sql: &str) -> Vec<(i64, i64)> {
        let sql = AssertSqlSafe(sql.to_owned());
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            if self.url == "sqlite" {
                let file = self.folder.path().join("data/picloud.db");
                let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(10));
                let mut connection = options.connect().await.unwrap();
                return sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
            }
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
        })
    }

    /// Waits until a query has a row.
    fn wait_for(&self, sql: &str) {
        while self.rows(sql).is_empty() {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Measures how events are emitted and handled.
pub fn events(server: &str) -> Figures {
    let functions = FUNCTIONS.map(|(file, text)| (file.to_owned(), text.to_owned()));
    let node = Node::new(server, &functions);
    let mut running = node.start();
    let load = |path: &str, callers: u32| {
        let load = wrk(&format!("http://{}{path}", running.address), callers, SECONDS, &[]);
        assert_eq!(load.errors, None, "{path} failed");
        load.per_second
    };
    let (one, many) = (load("/one", CALLERS), load("/many", 4) * BULK as f64);
    let times = latencies(&node, &running);
    // A node of its own, so that nothing else is in its tables.
    drop(running);
    let node = Node::new(server, &functions);
    running = node.start();
    for _ in 0..BACKLOG / BULK {
        assert!(get(&running.address, "/soon").unwrap().contains(" 200 "));
    }
    running.stop();
    node.wait_for(&format!("SELECT MAX(due_us), CAST(0 AS bigint) FROM deliveries HAVING MAX(due_us) < {}", now_us_sql(&node.url)));
    let running = node.start();
    node.wait_for("SELECT COUNT(*), CAST(0 AS bigint) FROM deliveries HAVING COUNT(*) = 0");
    let ended_us = node.rows(&format!("SELECT {0}, {0}", now_us_sql(&node.url)))[0].0;
    let first = "SELECT MIN(executions.id), COUNT(*) FROM executions JOIN words ON key = function_key WHERE word LIKE '_events/%'";
    node.wait_for(&format!("{first} HAVING COUNT(*) = {BACKLOG}"));
    let began_us = id_time_us(node.rows(first)[0].0);
    drop(running);
    Figures { one, many, handled: BACKLOG as f64 * 1e6 / (ended_us - began_us) as f64, times }
}

/// Returns how a database writes the time in microseconds.
fn now_us_sql(url: &str) -> &'static str {
    match url {
        "sqlite" => "CAST(unixepoch('subsec') * 1000000 AS integer)",
        _ => "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)",
    }
}

/// Emits an event now and then, and returns how long each took to start.
fn latencies(node: &Node, running: &Server) -> Vec<f64> {
    let executions = "SELECT executions.id, CAST(0 AS bigint) FROM executions JOIN words ON key = function_key";
    let handled = format!("{executions} WHERE word LIKE '_events/%'");
    for _ in 0..PROBES {
        assert!(get(&running.address, "/now").unwrap().contains(" 200 "));
        thread::sleep(Duration::from_millis(50));
    }
    node.wait_for(&format!("SELECT COUNT(*), CAST(0 AS bigint) FROM ({handled}) AS handled HAVING COUNT(*) = {PROBES}"));
    // One is handled before the next is emitted, so they are in the same order.
    let times = |sql: String| -> Vec<i64> { node.rows(&sql).into_iter().map(|(id, _)| id_time_us(id)).collect() };
    let emitted = times("SELECT seq, CAST(0 AS bigint) FROM events WHERE topic = 'bench.now' ORDER BY seq".into());
    let started = times(format!("{handled} ORDER BY executions.id"));
    started.iter().zip(emitted).map(|(started, emitted)| (started - emitted) as f64 / 1e3).collect()
}

/// Measures how late schedules start, while requests run.
pub fn schedules(server: &str, database: &str, spread: &str) {
    let schedule = format!("+++\n[[schedule]]\nevery = \"10s\"\nspread = {spread:?}\n+++\n()");
    let mut functions: Vec<(String, String)> = (0..SCHEDULES).map(|number| (format!("_cron/job{number}.rhai"), schedule.clone())).collect();
    functions.push(("hello.rhai".into(), "\"hello\"".into()));
    let node = Node::new(server, &functions);
    let running = node.start();
    // Due three times, at most: the first may come while the node still starts.
    let mut requests = ask(&running.address, "/hello", Duration::from_secs(28));
    thread::sleep(Duration::from_secs(2));
    let rows = node.rows("SELECT due_us, execution FROM schedule_runs");
    assert_eq!(rows.len(), SCHEDULES);
    let mut late: Vec<f64> = rows.iter().map(|(due_us, execution)| (id_time_us(*execution) - due_us) as f64 / 1e3).collect();
    let [p50, p99, most] = [0.5, 0.99, 1.0].map(|part| percentile(&mut late, part));
    let when = if spread == "0s" { "at one moment" } else { "within one second" };
    println!("| {when}, {database} | {p50:.1} | {p99:.1} | {most:.1} | {:.1} |", percentile(&mut requests, 0.99));
}
