//! What an operator's looking costs. Lists of 100,000 executions are read through HTTP, on SQLite and (with PICLOUD_TEST_POSTGRES) on
//! Postgres. 50 live tails run beside a loaded node. 2,000 executions a second come while as many are forgotten.
//! `cargo bench --bench lists`; `-- lists`, `-- million`, `-- statistics`, `-- tails` or `-- retention` for one of them. `million` is the lists of
//! 1,000,000; `statistics` are those of 10,000 functions that ran every ten minutes of a day. The tails need `wrk`.

mod support;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use picloud::{
    clock::{Clock, SharedClock, SystemClock},
    deployment::DeploymentId,
    execution::{Execution, ExecutionId, Failure, LogLevel, LogLine, Outcome, Trigger},
    function::{Digest, FunctionName},
    id::{Ids, NodeNumber, first_id_at},
    stats::{Run, RunKey, RunTally, minute_of},
    store::{Journal, JournalSettings, Retention, Store, Turn, queue::QueueLimits, retention},
};
use support::{Server, median, now, wrk};
use tokio_util::sync::CancellationToken;

const EXECUTIONS: i64 = 100_000;
const MILLION: i64 = 1_000_000;
const QUESTIONS: usize = 300;
/// As many as a node may have.
const FUNCTIONS_OF_A_NODE: i64 = 10_000;
const TAILS: usize = 50;
const ROUNDS: usize = 7;
const SECONDS: u32 = 3;
/// Executions a second while old ones are forgotten, and for how long.
const WRITES: usize = 2_000;
const WRITING: Duration = Duration::from_secs(30);
const FUNCTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/functions");

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only wants to see that it builds.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let is_wanted = |part: &str| arguments.iter().all(|argument| argument.starts_with('-') || argument == part);
    for (part, rows, logs) in [("lists", EXECUTIONS, &[("100 B", 100), ("4 KB", 4_000)][..]), ("million", MILLION, &[("100 B", 100)])] {
        if is_wanted(part) {
            println!(
                "| database | logs | {rows} executions, of these | found | pages | p50 ms | p99 ms | longest ms |\n|---|---|---|---:|---:|---:|---:|---:|"
            );
            for (what, log_bytes) in logs {
                lists(("SQLite", None), rows, what, *log_bytes);
                if let Ok(server) = std::env::var("PICLOUD_TEST_POSTGRES") {
                    lists(("Postgres", Some(&server)), rows, what, *log_bytes);
                }
            }
        }
    }
    if is_wanted("statistics") {
        println!("| database | statistics of 10,000 functions | p50 ms | p99 ms | longest ms |\n|---|---|---:|---:|---:|");
        statistics(("SQLite", None));
        if let Ok(server) = std::env::var("PICLOUD_TEST_POSTGRES") {
            statistics(("Postgres", Some(&server)));
        }
    }
    if is_wanted("tails") {
        tails();
    }
    if is_wanted("retention") {
        println!(
            "\n| database | logs | written/s | removed/s | most waiting | longest until written, ms | longest between two writes, ms |\n|---|---|---:|---:|---:|---:|---:|"
        );
        for (what, log_bytes) in [("100 B", 100), ("4 KB", 4_000)] {
            keep_up("SQLite", what, log_bytes, None);
            if let Ok(server) = std::env::var("PICLOUD_TEST_POSTGRES") {
                keep_up("Postgres", what, log_bytes, Some(&server));
            }
        }
    }
}

/// One of many: two thirds are of one function, a third has logs, one of 100 has failed, one of 20 has a request id.
fn execution(number: i64, begin_us: i64, log_bytes: usize) -> Execution {
    let id = first_id_at(begin_us + number * 36_000);
    let function = FunctionName::new(match number % 3 {
        0 => format!("orders/function{}", number / 3 % 1_000),
        _ => "hello".to_owned(),
    });
    let has_failed = number % 100 == 50;
    let line = |message: String| LogLine { at_us: 12, level: LogLevel::Info, message };
    Execution {
        id: ExecutionId(id),
        version: Digest::of(function.as_str().as_bytes()).into(),
        deployment: DeploymentId(id),
        trigger: if number % 50 == 0 { Trigger::Execute } else { Trigger::Http },
        replay_of: None,
        request_id: (number % 20 == 0).then(|| format!("request-{number}")),
        method: "GET".into(),
        path: format!("/{function}").into(),
        function,
        status: if has_failed { 502 } else { 200 },
        response_type: None,
        response_bytes: None,
        outcome: if has_failed { Outcome::Failed } else { Outcome::Ok },
        duration_us: 55,
        operations: 120,
        peak_memory_bytes: 2048,
        logs: if number % 3 == 1 { vec![line(format!("greeting number {number}")), line("x".repeat(log_bytes))] } else { Vec::new() },
        logs_dropped: 0,
        effects: Vec::new(),
        effects_dropped: 0,
        events: Vec::new(),
        failure: has_failed.then(|| {
            Box::new(Failure { message: format!("no order {number}"), file: "hello.rhai".into(), position: None, calls: Vec::new() })
        }),
        captured: false,
        capture: None,
    }
}

/// Makes an empty database, and returns its URL.
async fn new_database(server: Option<&str>) -> String {
    let Some(server) = server else { return "sqlite".to_owned() };
    let name = format!("lists_{}", uuid::Uuid::now_v7().simple());
    let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(server).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"))).execute(&mut connection).await.unwrap();
    format!("{}/{name}", server.rsplit_once('/').unwrap().0)
}

fn lists((database, server): (&str, Option<&str>), executions: i64, logs: &str, log_bytes: usize) {
    let folder = tempfile::tempdir().unwrap();
    let begin_us = SystemClock.now_us() - executions * 36_000 - 1_000_000;
    let url = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let url = new_database(server).await;
        let store = Store::open(&url, &folder.path().join("data")).await.unwrap();
        for begin in (0..executions).step_by(1_000) {
            let batch: Vec<Execution> = (begin..begin + 1_000).map(|number| execution(number, begin_us, log_bytes)).collect();
            store.append_executions(&batch, Turn::First).await.unwrap();
        }
        store.close().await;
        url
    });
    let node = Server::picloud(folder.path(), Path::new(FUNCTIONS), &format!("[database]\nurl = {url:?}"));
    let mut asker = Asker::of(&node, folder.path());
    let middle = ExecutionId(first_id_at(begin_us + executions / 2 * 36_000));
    for (what, query) in [
        ("all", String::new()),
        ("all, 1,000 at once", "limit=1000".into()),
        ("all, from the middle", format!("cursor={middle}")),
        ("a function of two thirds", "function=hello".into()),
        ("a function of one in 3,000", "function=orders/function500".into()),
        ("a function that never ran", "function=never".into()),
        ("functions below orders/", "prefix=orders/".into()),
        ("functions below orders/function50", "prefix=orders/function50".into()),
        ("status 2xx", "status=2xx".into()),
        ("status 5xx", "status=5xx".into()),
        ("status 404: none", "status=404".into()),
        ("status 201: none", "status=201".into()),
        ("outcome failed", "outcome=failed".into()),
        ("outcome timed_out: none", "outcome=timed_out".into()),
        ("run by id", "trigger=execute".into()),
        ("replayed: none", "trigger=replay".into()),
        ("a request id, old", "request_id=request-1000".into()),
        ("a time of 10 minutes", "since=40m&until=30m".into()),
        ("text in many", "text=greeting".into()),
        ("text in one, old", "text=number+1000".into()),
        ("text in none", "text=nowhere".into()),
        ("text of failures", "text=no+order&status=5xx".into()),
        ("a function and a text in none", "function=orders/function500&text=nowhere".into()),
    ] {
        let mut times = Vec::new();
        let (found, pages) = asker.through(&query);
        while times.len() < QUESTIONS {
            times.extend(asker.once(&query));
        }
        let (p50, p99, longest) = spread(times);
        println!("| {database} | {logs} | {what} | {found} | {pages} | {p50:.1} | {p99:.1} | {longest:.1} |");
    }
    node.stop();
}

/// Asks for statistics of a node that has as many functions as it may.
fn statistics((database, server): (&str, Option<&str>)) {
    let folder = tempfile::tempdir().unwrap();
    let functions = folder.path().join("many");
    for number in 0..FUNCTIONS_OF_A_NODE {
        let file = functions.join(format!("of{}/function{number}.rhai", number % 100));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("{number}")).unwrap();
    }
    let runs: Vec<Run> = (0..FUNCTIONS_OF_A_NODE)
        .map(|number| {
            let function = FunctionName::new(format!("of{}/function{number}", number % 100));
            Run::of(&Execution { version: Digest::of(number.to_string().as_bytes()).into(), function, ..execution(number, 0, 0) })
        })
        .collect();
    let url = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let url = new_database(server).await;
        let store = Store::open(&url, &folder.path().join("data")).await.unwrap();
        let now_us = SystemClock.now_us();
        for ago in (1..24 * 60).step_by(10) {
            let mut tally = RunTally::default();
            for run in &runs {
                tally.add(RunKey { minute: minute_of(now_us) - ago, ..run.key.clone() }, run);
            }
            store.count_runs(&tally).await.unwrap();
        }
        store.roll_up_stats(now_us).await.unwrap();
        store.close().await;
        if server.is_some() {
            // All was rolled up at once here. Over a day, Postgres does this by itself.
            let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
            sqlx::query("VACUUM ANALYZE stats").execute(&mut connection).await.unwrap();
        }
        url
    });
    let node = Server::picloud(folder.path(), &functions, &format!("[database]\nurl = {url:?}"));
    let mut asker = Asker::of(&node, folder.path());
    for (what, path) in [
        ("the node, 24 hours", "stats?since=24h&step=15m"),
        ("one function, 24 hours", "stats?function=of1/function1&since=24h"),
        ("functions in trouble, 24 hours", "stats/functions"),
        ("functions in trouble, 1 hour", "stats/functions?since=1h"),
        ("200 functions by requests", "stats/functions?sort=requests&limit=200"),
        ("functions below of1/", "stats/functions?prefix=of1/"),
    ] {
        let times = (0..QUESTIONS / 10).map(|_| asker.get(path).0).collect();
        let (p50, p99, longest) = spread(times);
        println!("| {database} | {what} | {p50:.1} | {p99:.1} | {longest:.1} |");
    }
    node.stop();
}

fn spread(mut times: Vec<Duration>) -> (f64, f64, f64) {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1_000.0;
    (at(50), at(99), at(100))
}

/// One connection to the control plane.
struct Asker {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Asker {
    fn of(node: &Server, folder: &Path) -> Self {
        let stream = TcpStream::connect(&node.address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), token: token(folder) }
    }

    fn get(&mut self, path: &str) -> (Duration, serde_json::Value) {
        let began = now();
        let request = format!("GET /api/admin/{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", self.token);
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut line, mut length, mut head) = (String::new(), 0, String::new());
        while line != "\r\n" {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            length = line.strip_prefix("content-length: ").map_or(length, |length| length.trim().parse().unwrap());
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        let took = began.elapsed();
        assert!(head.contains(" 200 "), "{path}: {head}");
        (took, serde_json::from_slice(&body).unwrap())
    }

    /// Asks for pages until one has something or there are no more; returns the time of each answer.
    fn once(&mut self, query: &str) -> Vec<Duration> {
        let (mut times, mut cursor) = (Vec::new(), String::new());
        loop {
            let (took, page) = self.get(&format!("executions?{query}{cursor}"));
            times.push(took);
            match page["next"].as_str() {
                Some(next) if page["executions"].as_array().unwrap().is_empty() => cursor = format!("&cursor={next}"),
                _ => return times,
            }
        }
    }

    /// Returns how many a first page with something has, and how many answers it took.
    fn through(&mut self, query: &str) -> (usize, usize) {
        let (mut pages, mut cursor) = (0, String::new());
        loop {
            let (_, page) = self.get(&format!("executions?{query}{cursor}"));
            pages += 1;
            let found = page["executions"].as_array().unwrap().len();
            match page["next"].as_str() {
                Some(next) if found == 0 => cursor = format!("&cursor={next}"),
                _ => return (found, pages),
            }
        }
    }
}

fn token(folder: &Path) -> String {
    fs::read_to_string(folder.join("data/admin-token")).unwrap().trim().to_owned()
}

/// Requests a second of F1 with and without tails, alternating on one node.
fn tails() {
    let folder = tempfile::tempdir().unwrap();
    let node = Server::picloud(folder.path(), Path::new(FUNCTIONS), "[retention]\nmax_count = 1_000_000_000\n");
    let url = format!("http://{}/hello?name=Ada", node.address);
    let token = token(folder.path());
    wrk(&url, 64, 1, &[]);
    let (mut without, mut with, mut bytes_a_second) = (Vec::new(), Vec::new(), Vec::new());
    let measure = || {
        wrk(&url, 64, 1, &[]);
        let before = node.cpu_us();
        let load = wrk(&url, 64, SECONDS, &[]);
        let cpu_us = (node.cpu_us() - before) as f64 / load.requests as f64;
        (load, cpu_us)
    };
    for _ in 0..ROUNDS {
        without.push(measure());
        let (stop, read) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..TAILS {
                let mut stream = TcpStream::connect(&node.address).unwrap();
                stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
                let head = format!("GET /api/admin/executions/tail HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
                stream.write_all(head.as_bytes()).unwrap();
                let (stop, read) = (&stop, &read);
                scope.spawn(move || {
                    let mut part = vec![0; 64 * 1024];
                    while !stop.load(Ordering::Relaxed) {
                        read.fetch_add(stream.read(&mut part).unwrap_or(0) as u64, Ordering::Relaxed);
                    }
                });
            }
            with.push(measure());
            stop.store(true, Ordering::Relaxed);
        });
        bytes_a_second.push(read.into_inner() as f64 / f64::from(SECONDS + 1));
    }
    let ratio =
        |of: fn(&(support::Load, f64)) -> f64| median(with.iter().zip(&without).map(|(with, without)| of(with) / of(without)).collect());
    let figure = |rounds: &[(support::Load, f64)], of: fn(&(support::Load, f64)) -> f64| median(rounds.iter().map(of).collect());
    println!("\n| F1 | req/s | p99 ms | CPU µs/req |\n|---|---:|---:|---:|");
    for (what, rounds) in [("nobody follows", &without), ("50 follow", &with)] {
        let (rate, p99, cpu) =
            (figure(rounds, |round| round.0.per_second), figure(rounds, |round| round.0.p99_ms), figure(rounds, |round| round.1));
        println!("| {what} | {rate:.0} | {p99:.2} | {cpu:.1} |");
    }
    let rates = ratio(|round| round.0.per_second);
    println!("requests a second × {rates:.3}, middle of {ROUNDS} rounds; read by the 50: {:.1} MB/s", median(bytes_a_second) / 1e6);
    node.stop();
}

/// Writes executions at an even pace through the journal of a full store, while what is too many goes.
fn keep_up(database: &str, logs: &str, log_bytes: usize, server: Option<&str>) {
    const TICK: Duration = Duration::from_millis(10);
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(&new_database(server).await, folder.path()).await.unwrap();
        let begin_us = SystemClock.now_us() - EXECUTIONS * 36_000 - 1_000_000;
        for batch in (0..EXECUTIONS).collect::<Vec<_>>().chunks(1_000) {
            let batch: Vec<Execution> = batch.iter().map(|number| execution(*number, begin_us, log_bytes)).collect();
            store.append_executions(&batch, Turn::First).await.unwrap();
        }
        let clock: SharedClock = Arc::new(SystemClock);
        let ids = Ids::new(clock.clone(), NodeNumber::drawn());
        let journal = Journal::open(folder.path(), JournalSettings::default()).unwrap();
        journal.connect(store.clone());
        let stop = CancellationToken::new();
        let settings = Retention { max_age: Duration::from_secs(1 << 30), max_count: EXECUTIONS as u64, max_bytes: u64::MAX };
        let forgetting =
            tokio::spawn(retention::run(store.clone(), settings, QueueLimits::default(), clock, journal.written(), stop.clone()));
        let writing = tokio::spawn(journal.clone().run(stop.clone()));

        let (began, mut sent, mut most, mut longest, mut slowest) = (now(), 0_usize, 0, Duration::ZERO, Duration::ZERO);
        let (mut waiting, mut written_before, mut written_at) = (std::collections::VecDeque::new(), 0, now());
        let mut ticks = tokio::time::interval(TICK);
        loop {
            ticks.tick().await;
            let written = journal.stats().written as usize;
            if written > written_before {
                slowest = slowest.max(written_at.elapsed());
                (written_before, written_at) = (written, now());
            }
            while waiting.front().is_some_and(|(upto, _)| *upto <= written) {
                let (_, since): (usize, std::time::Instant) = waiting.pop_front().unwrap();
                longest = longest.max(since.elapsed());
            }
            most = most.max(sent - written);
            if began.elapsed() >= WRITING {
                break;
            }
            let due = (began.elapsed().as_secs_f64() * WRITES as f64) as usize;
            for number in sent..due {
                journal.record(Execution { id: ExecutionId(ids.next()), ..execution(number as i64, begin_us, log_bytes) });
            }
            sent = due;
            waiting.push_back((sent, now()));
        }
        let took = began.elapsed().as_secs_f64();
        stop.cancel();
        writing.await.unwrap();
        forgetting.await.unwrap();
        let stats = journal.stats();
        assert_eq!((stats.written, stats.dropped, stats.spooled_bytes), (sent as u64, 0, 0), "nothing is lost or put off");
        let left = store.prune_executions(0, EXECUTIONS as u64, u64::MAX).await.unwrap();
        store.close().await;
        println!(
            "| {database} | {logs} | {:.0} | {:.0} | {most} | {:.0} | {:.0} |",
            sent as f64 / took,
            (sent as u64 - left) as f64 / took,
            longest.as_secs_f64() * 1e3,
            slowest.as_secs_f64() * 1e3,
        );
    });
}
