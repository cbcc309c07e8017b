//! Everything at once, for as long as one likes: a deployment every second, functions that are fast, slow, failing and over each limit, and
//! clients that ask for them. At the end nothing may have failed, grown or been lost.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use picloud::{
    clock::monotonic,
    id::ExecutionId,
    store::{ExecutionFilter, Store},
};
use serde_json::Value;

use crate::kit::{
    api::admin,
    client::{Client, Response},
    git::Checkout,
    node::{Node, PATIENCE, node},
    store::Fresh,
    story::url,
};

/// Where functions come from, and where executions go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Saves into a folder, and SQLite.
    FolderAndSqlite,
    /// Pushes to a hosted repository, and Postgres.
    GitAndPostgres,
}

/// What may grow between the first and the last third of a round, after its warm-up: pools, caches and the allocator take some MiB to settle.
/// In ten minutes (350,000 requests, 590 deployments) it is 60 bytes a request or 40 KiB a deployment.
const MAY_GROW_MIB: f64 = 12.0;
/// The load goes on for so many rounds while memory has grown by more: what settles ends growing, what leaks goes on.
const ROUNDS: usize = 4;
/// Handles beyond those before the load: connections of the pool to the database come and go.
const MAY_STAY_HANDLES: usize = 8;
/// Failures that are told; more are counted.
const TOLD: usize = 20;
const PAGE: u32 = 10_000;

const FILES: [(&str, &str); 10] = [
    ("version.rhai", "import \"word\" as word; `${word::word()} 0`"),
    ("_lib/word.rhai", "fn word() { \"version\" }"),
    ("fast.rhai", "log::info(\"asked\"); #{ message: `hello ${ctx.request.query.name ?? \"world\"}` }"),
    // Neither this nor `busy` is to meet the limit of time: on a busy machine they wait for a processor.
    ("slow.rhai", "+++\ntimeout = \"120s\"\n+++\nlet i = 0; while i < 400_000 { i += 1; } \"slow\""),
    ("throws.rhai", "throw \"on purpose\""),
    ("time.rhai", "+++\ntimeout = \"50ms\"\n[limits]\noperations = 5_000_000_000\n+++\nloop {}"),
    ("operations.rhai", "+++\n[limits]\noperations = 20_000\n+++\nloop {}"),
    (
        "memory.rhai",
        "+++\n[limits]\nmemory = \"4MiB\"\nstring = \"16MiB\"\n+++\nlet all = []; loop { let s = \"\"; s.pad(100_000, \"x\"); all.push(s); }",
    ),
    ("response.rhai", "+++\n[limits]\nresponse = \"64KiB\"\n+++\nlet s = \"\"; s.pad(100_000, \"x\"); s"),
    ("busy.rhai", "+++\ntimeout = \"120s\"\n[limits]\nconcurrency = 1\n+++\nlet i = 0; while i < 50_000 { i += 1; } \"busy\""),
];

/// Who asks for what, how many of them, and the pause that each makes in between.
const CLIENTS: [(&str, usize, Duration); 9] = [
    ("/fast?name=Ada", 4, Duration::from_millis(5)),
    ("/version", 2, Duration::from_millis(10)),
    ("/slow", 1, Duration::from_millis(400)),
    ("/throws", 1, Duration::from_millis(50)),
    ("/time", 1, Duration::from_millis(500)),
    ("/operations", 1, Duration::from_millis(100)),
    ("/memory", 1, Duration::from_millis(200)),
    ("/response", 1, Duration::from_millis(200)),
    ("/busy", 3, Duration::from_millis(50)),
];

/// Returns whether a function may answer so. What `/version` says is looked at more closely.
fn is_allowed(path: &str, response: &Response) -> bool {
    let is_problem = response.header("content-type") == Some("application/problem+json");
    match (path, response.status) {
        ("/fast?name=Ada", 200) => response.body == b"{\"message\":\"hello Ada\"}",
        ("/version", 200) => true,
        ("/slow", 200) => response.body == b"slow",
        ("/busy", 200) => response.body == b"busy",
        ("/busy", 503) => is_problem && response.header("retry-after").is_some(),
        ("/throws", 502) | ("/time", 504) | ("/operations" | "/memory" | "/response", 507) => is_problem,
        _ => false,
    }
}

/// What the clients and the deployer know of each other, and what they have seen.
#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    /// The last version that was saved, and the last that was seen live.
    saved: AtomicU64,
    live: AtomicU64,
    /// By path and status.
    answers: Mutex<BTreeMap<(&'static str, u16), u64>>,
    /// Runs that were answered; refused requests have none.
    executions: Mutex<HashSet<ExecutionId>>,
    failures: Mutex<Vec<String>>,
    deployments: Mutex<Vec<Duration>>,
    samples: Mutex<Vec<Sample>>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    rss_mib: f64,
    handles: usize,
    threads: usize,
}

impl Seen {
    fn fails(&self, what: String) {
        self.failures.lock().unwrap().push(what);
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Asks once, and looks at the answer.
    fn ask(&self, client: &mut Client, path: &'static str) -> Option<Response> {
        let oldest = self.live.load(Ordering::SeqCst);
        let response = match client.get(path) {
            Ok(response) => response,
            Err(error) => {
                self.fails(format!("{path}: {error}"));
                return None;
            }
        };
        let newest = self.saved.load(Ordering::SeqCst);
        *self.answers.lock().unwrap().entry((path, response.status)).or_default() += 1;
        if response.status != 503 {
            match response.header("x-picloud-execution").and_then(|id| id.parse().ok()) {
                Some(id) => drop(self.executions.lock().unwrap().insert(id)),
                None => self.fails(format!("{path}: {} without an execution", response.status)),
            }
        }
        let number = || response.text().strip_prefix("version ")?.parse::<u64>().ok();
        if !is_allowed(path, &response) {
            self.fails(format!("{path}: {} {}", response.status, response.text()));
        } else if path == "/version" && !number().is_some_and(|number| (oldest..=newest).contains(&number)) {
            self.fails(format!("{path}: `{}` while versions {oldest} to {newest} may answer", response.text()));
        }
        Some(response)
    }

    fn go_on_asking(&self, node: &Node, path: &'static str, pause: Duration) {
        // What is slow comes last where everybody wants a processor.
        let patient = || {
            let client = node.client();
            client.socket().set_read_timeout(Some(4 * PATIENCE)).unwrap();
            client
        };
        let mut client = patient();
        while self.goes_on() {
            if self.ask(&mut client, path).is_none() {
                client = patient();
            }
            std::thread::sleep(pause);
        }
    }

    /// A client with a new connection for each request.
    fn go_on_connecting(&self, node: &Node) {
        while self.goes_on() {
            self.ask(&mut node.client(), "/fast?name=Ada");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Deploys once a second, in turn the function, and the module that it imports with it; now and then something broken first.
    fn go_on_deploying(&self, node: &Node, checkout: Option<&Checkout>) {
        let mut client = node.client();
        for number in 1.. {
            let began = monotonic();
            let function = format!("import \"word\" as word; `${{word::word()}} {number}`");
            let module = format!("fn word() {{ let number = {number}; \"version\" }}");
            if number % 5 == 0 {
                self.break_once(node, checkout);
            }
            self.saved.store(number, Ordering::SeqCst);
            match checkout {
                None => {
                    if number % 2 == 0 {
                        node.replace("_lib/word.rhai", &module);
                    }
                    node.replace("version.rhai", &function);
                }
                Some(checkout) => {
                    let files = [("functions/version.rhai", function.as_bytes()), ("functions/_lib/word.rhai", module.as_bytes())];
                    checkout.commit(&files[..1 + (number % 2) as usize]);
                    let pushed = checkout.run(&["push", "--quiet", "origin", "main"]);
                    if !pushed.status.success() {
                        self.fails(format!("push {number}: {}", String::from_utf8_lossy(&pushed.stderr)));
                    }
                }
            }
            let pushed = monotonic();
            let expected = format!("version {number}");
            while self.ask(&mut client, "/version").is_none_or(|response| response.text() != expected) {
                if pushed.elapsed() > PATIENCE {
                    return self.fails(format!("version {number} is not live after {PATIENCE:?}"));
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            self.live.store(number, Ordering::SeqCst);
            self.deployments.lock().unwrap().push(pushed.elapsed());
            while self.goes_on() && began.elapsed() < Duration::from_secs(1) {
                std::thread::sleep(Duration::from_millis(10));
            }
            if !self.goes_on() {
                return;
            }
        }
    }

    /// Deploys what must not go live.
    fn break_once(&self, node: &Node, checkout: Option<&Checkout>) {
        let broken = "let x = ;";
        match checkout {
            None => node.replace("version.rhai", broken),
            Some(checkout) => {
                checkout.commit(&[("functions/version.rhai", broken.as_bytes())]);
                if checkout.run(&["push", "--quiet", "origin", "main"]).status.success() {
                    self.fails("a broken push was taken".into());
                }
                checkout.done(&["reset", "--quiet", "--hard", "HEAD^"]);
            }
        }
    }

    /// Waits for the first round in which memory has not grown, or for the last that there is.
    fn last_round(&self, span: Duration) -> Round {
        let mut begin = 0;
        for number in 1.. {
            let began = monotonic();
            while began.elapsed() < span {
                std::thread::sleep(Duration::from_millis(50));
            }
            let samples = self.samples.lock().unwrap();
            let round = Round::new(number, &samples[begin..]);
            if number == ROUNDS || round.grown_mib() <= MAY_GROW_MIB {
                return round;
            }
            begin = samples.len();
        }
        unreachable!("one of them is the last")
    }

    fn go_on_sampling(&self, node: &Node) {
        while self.goes_on() {
            self.samples.lock().unwrap().push(sample(node));
            std::thread::sleep(Duration::from_millis(250));
        }
    }
}

/// What was seen in one round after its first fifth, which is warm-up: its first and its last third.
struct Round {
    number: usize,
    first: Vec<Sample>,
    last: Vec<Sample>,
}

impl Round {
    fn new(number: usize, samples: &[Sample]) -> Self {
        let warm = &samples[samples.len() / 5..];
        let third = warm.len() / 3;
        Self { number, first: warm[..third].to_vec(), last: warm[warm.len() - third..].to_vec() }
    }

    fn grown_mib(&self) -> f64 {
        floor(&self.last) - floor(&self.first)
    }
}

fn process(node: &Node, file: &str) -> String {
    fs::read_to_string(format!("/proc/{}/{file}", node.pid())).unwrap()
}

fn sample(node: &Node) -> Sample {
    let status = process(node, "status");
    let figure = |name: &str| -> f64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    Sample { rss_mib: figure("VmRSS:") / 1024.0, handles: node.handles(), threads: figure("Threads:") as usize }
}

/// CPU time of a node, in hundredths of a second.
fn cpu_ticks(node: &Node) -> u64 {
    let stat = process(node, "stat");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Loads a node for so long, and longer while its memory grows. Prints what happened, and returns what should not have.
pub fn run(kind: Kind, span: Duration) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fresh = (kind == Kind::GitAndPostgres).then(|| runtime.block_on(Fresh::postgres()));
    let database = fresh.as_ref().map_or("sqlite".to_owned(), |fresh| fresh.url.clone());
    let source = if fresh.is_some() { "[source]\nkind = \"git\"\n" } else { "" };
    let files: &[_] = if fresh.is_some() { &[] } else { &FILES };
    // Every run is to be found afterwards.
    let config = format!("{source}[retention]\nmax_count = 1_000_000_000\n");
    let mut node = node(files).config(&config).variable("PICLOUD_DATABASE_URL", &database).start();
    let checkout = fresh.as_ref().map(|_| first_push(&node));
    node.wait_for_status("/fast", 200);
    let before = sample(&node);

    let (seen, began) = (Seen::default(), monotonic());
    let last_round = std::thread::scope(|scope| {
        let (seen, node, checkout) = (&seen, &node, checkout.as_ref());
        for (path, count, pause) in CLIENTS {
            for _ in 0..count {
                scope.spawn(move || seen.go_on_asking(node, path, pause));
            }
        }
        scope.spawn(move || seen.go_on_connecting(node));
        scope.spawn(move || seen.go_on_deploying(node, checkout));
        scope.spawn(move || seen.go_on_sampling(node));
        let last_round = seen.last_round(span);
        seen.stop.store(true, Ordering::Relaxed);
        last_round
    });
    let took = began.elapsed();

    let rest = comes_to_rest(&node, &before, &seen);
    let journal = journal(&node);
    for lost in ["queued", "spooled_bytes", "dropped", "refused"] {
        if journal[lost] != 0 {
            seen.fails(format!("{lost} in the journal: {}", journal[lost]));
        }
    }
    let (log, data) = (node.log(), node.data());
    if log.contains("panicked") {
        seen.fails("something panicked: see the log".into());
    }
    node.stop();
    let missing = runtime.block_on(missing(&seen, &database, &data));
    if missing > 0 {
        seen.fails(format!("{missing} executions were answered and are not in the store"));
    }
    report(kind, took, &seen, &last_round, before, rest, missing)
}

fn first_push(node: &Node) -> Checkout {
    let checkout = Checkout::empty();
    checkout.done(&["remote", "add", "origin", &url(node, &admin(node))]);
    let files: Vec<(String, &str)> = FILES.iter().map(|(path, text)| (format!("functions/{path}"), *text)).collect();
    checkout.commit(&files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect::<Vec<_>>());
    checkout.done(&["push", "--quiet", "origin", "main"]);
    checkout
}

fn journal(node: &Node) -> Value {
    let authorization = format!("Bearer {}", admin(node));
    node.send("GET", "/api/admin/status", &[("authorization", &authorization)], b"").json()["journal"].clone()
}

/// Waits until the load's connections, threads and work are gone, and the journal is empty; tells what does not go.
fn comes_to_rest(node: &Node, before: &Sample, seen: &Seen) -> Sample {
    let limit = monotonic() + 2 * PATIENCE;
    let in_time = || monotonic() < limit;
    while in_time() && (journal(node)["queued"] != 0 || journal(node)["spooled_bytes"] != 0) {
        std::thread::sleep(Duration::from_millis(20));
    }
    // The pool's threads end when they had nothing to do for ten seconds.
    let has_left = |now: &Sample| now.threads <= before.threads + 2 && now.handles <= before.handles + MAY_STAY_HANDLES;
    let mut now = sample(node);
    while in_time() && !has_left(&now) {
        std::thread::sleep(Duration::from_millis(100));
        now = sample(node);
    }
    if !has_left(&now) {
        seen.fails(format!("before the load {before:?}, long after it {now:?}"));
    }
    let is_idle = || {
        let ticks = cpu_ticks(node);
        std::thread::sleep(Duration::from_secs(1));
        cpu_ticks(node) <= ticks + 1
    };
    let mut idle = is_idle();
    while !idle && in_time() {
        idle = is_idle();
    }
    if !idle {
        seen.fails("the node works on although nobody asks".into());
    }
    now
}

/// Returns how many of the answered executions are not in the store.
async fn missing(seen: &Seen, database: &str, data: &Path) -> usize {
    let mut wanted = seen.executions.lock().unwrap().clone();
    let store = Store::open_read_only(database, data).await.unwrap();
    let mut before = None;
    loop {
        let page = store.executions(&ExecutionFilter { before, limit: PAGE, ..ExecutionFilter::default() }).await.unwrap();
        for execution in &page {
            wanted.remove(&execution.id);
        }
        before = page.last().map(|execution| execution.id);
        if page.len() < PAGE as usize {
            break;
        }
    }
    store.close().await;
    wanted.len()
}

/// Prints the table, and returns what does not hold.
fn report(kind: Kind, took: Duration, seen: &Seen, round: &Round, before: Sample, rest: Sample, missing: usize) -> Vec<String> {
    let (first, last) = (&round.first[..], &round.last[..]);
    let most = |part: &[Sample], of: fn(&Sample) -> usize| part.iter().map(of).max().unwrap_or(0);
    let grown = round.grown_mib();
    if grown > MAY_GROW_MIB {
        seen.fails(format!("memory has grown in each of {} rounds, in the last by {grown:.1} MiB", round.number));
    }
    for (what, of) in [("handles", (|sample| sample.handles) as fn(&Sample) -> usize), ("threads", |sample| sample.threads)] {
        let (first, last) = (most(first, of), most(last, of));
        if last > first + MAY_STAY_HANDLES {
            seen.fails(format!("{what} have become {last} from {first}"));
        }
    }
    let answers = seen.answers.lock().unwrap();
    let total: u64 = answers.values().sum();
    let mut deployments = seen.deployments.lock().unwrap().clone();
    deployments.sort();
    if deployments.is_empty() {
        seen.fails("nothing was deployed".into());
    }
    let part = |of: f64| deployments.get((deployments.len() as f64 * of) as usize).copied().unwrap_or_default().as_secs_f64() * 1e3;
    println!("\n{kind:?}, {:.0} s:\n\n| what | figure |\n|---|---:|", took.as_secs_f64());
    println!("| requests | {total} ({:.0}/s) |", total as f64 / took.as_secs_f64());
    for ((path, status), count) in answers.iter() {
        println!("| `{path}` {status} | {count} |");
    }
    println!("| deployments | {} |", deployments.len());
    println!("| saved or pushed → live, p50, p99 | {:.0} ms, {:.0} ms |", part(0.5), part(0.99));
    println!("| executions answered, of them missing | {}, {missing} |", seen.executions.lock().unwrap().len());
    println!(
        "| memory before, in first third, in last third of round {} | {:.0}, {:.0}, {:.0} MiB |",
        round.number,
        before.rss_mib,
        floor(first),
        floor(last)
    );
    println!(
        "| handles before, most in first and last third, after | {}, {}, {}, {} |",
        before.handles,
        most(first, |sample| sample.handles),
        most(last, |sample| sample.handles),
        rest.handles
    );
    println!(
        "| threads before, most in first and last third, after | {}, {}, {}, {} |",
        before.threads,
        most(first, |sample| sample.threads),
        most(last, |sample| sample.threads),
        rest.threads
    );
    let mut failures = seen.failures.lock().unwrap().clone();
    println!("| what does not hold | {} |", failures.len());
    let more = failures.len().saturating_sub(TOLD);
    failures.truncate(TOLD);
    if more > 0 {
        failures.push(format!("and {more} more"));
    }
    failures
}

/// The memory that is held when no run holds much: the tenth percentile.
fn floor(samples: &[Sample]) -> f64 {
    let mut figures: Vec<f64> = samples.iter().map(|sample| sample.rss_mib).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 10).copied().unwrap_or_default()
}
