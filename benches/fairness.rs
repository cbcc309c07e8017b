//! What one function under 10,000 requests a second does to another's latency: `cargo bench --bench fairness`.
//!
//! The clients take their part of the same cores. What that costs shows beside it: the same requests to bare axum, which answers each of
//! them at once. So look at the last column: how many times more the neighbour's 99th percentile grows than by the clients alone.

mod support;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use axum::{Router, http::StatusCode, routing};
use support::{
    Server,
    latency::{self, percentile},
    median, now,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The noisy neighbours.
const NOISY: [(&str, &str, &str); 4] = [
    ("fast", "hello", "#{ message: `hello ${ctx.request.query.name ?? \"world\"}` }"),
    ("5 ms of CPU each", "slow", "let i = 0;\nwhile i < 20_000 { i += 1; }\ni"),
    ("fails at its limit of operations", "failing", "+++\n[limits]\noperations = 5_000\n+++\nloop {}"),
    ("over its concurrency of 1", "busy", "+++\n[limits]\nconcurrency = 1\n+++\nlet i = 0;\nwhile i < 800_000 { i += 1; }\ni"),
];
/// The quiet one.
const QUIET: &str = "#{ message: `hello ${ctx.request.query.name ?? \"Ada\"}` }";
/// Requests a second to the noisy one, on how many connections: more than a function's concurrency, so that it is really offered.
const RATE: u32 = 10_000;
const CONNECTIONS: u32 = 256;
const ROUNDS: usize = 3;
const SPAN: Duration = Duration::from_secs(3);
/// Says to this program that it is to be bare axum, and where to write its address.
const BARE: &str = "PICLOUD_BENCH_BARE_AXUM";

fn main() {
    if let Ok(address_file) = std::env::var(BARE) {
        return bare_axum(Path::new(&address_file));
    }
    // `cargo test --benches` only wants to see that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let servers = [("PiCloud", picloud(folder.path())), ("bare axum", bare(folder.path()))];
    // Alone, then beside each of the others: of each server.
    let mut rounds: [[Vec<Round>; 2]; NOISY.len() + 1] = Default::default();
    for round in 0..=ROUNDS {
        for (beside, of_servers) in rounds.iter_mut().enumerate() {
            for ((_, server), of_server) in servers.iter().zip(of_servers) {
                let noisy = beside.checked_sub(1).map(|at| NOISY[at].1);
                let measured = measure(&server.address, noisy);
                // The first round is a rehearsal: the node learns how long its functions take.
                if round > 0 {
                    of_server.push(measured);
                }
            }
        }
    }
    println!(
        "| neighbour | server | offered/s | answered/s | of them 200 | p50 ms | p99 ms | p99 × alone | × that of axum |\n|---|---|---:|---:|---:|---:|---:|---:|---:|"
    );
    for (beside, of_servers) in rounds.iter().enumerate() {
        let name = beside.checked_sub(1).map_or("none", |at| NOISY[at].0);
        let ratio = |at: usize| median(of_servers[at].iter().zip(&rounds[0][at]).map(|(beside, alone)| beside.p99 / alone.p99).collect());
        for (at, (server, _)) in servers.iter().enumerate() {
            let figure = |of: fn(&Round) -> f64| median(of_servers[at].iter().map(of).collect());
            println!(
                "| {name} | {server} | {:.0} | {:.0} | {:.0} % | {:.2} | {:.2} | {:.2} | {:.2} |",
                figure(|round| round.offered),
                figure(|round| round.answered),
                figure(|round| round.good) * 100.0,
                figure(|round| round.p50),
                figure(|round| round.p99),
                ratio(at),
                ratio(at) / ratio(1),
            );
        }
    }
}

#[derive(Debug, Default)]
struct Round {
    offered: f64,
    answered: f64,
    good: f64,
    p50: f64,
    p99: f64,
}

/// Measures the quiet function's latency, beside a noisy one if there is one.
fn measure(address: &str, noisy: Option<&str>) -> Round {
    let (stop, sent, answered, good) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        if let Some(noisy) = noisy {
            scope.spawn(|| offer(address, noisy, &stop, &sent, &answered, &good));
            // All are connected, and the node has met them.
            while answered.load(Ordering::Relaxed) < u64::from(RATE) / 4 {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let counted = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let (sent_before, answered_before, good_before) = (counted(&sent), counted(&answered), counted(&good));
        let mut times = latency::ask(address, "/quiet?name=Ada", SPAN);
        let seconds = SPAN.as_secs_f64();
        let all = counted(&answered) - answered_before;
        let round = Round {
            offered: (counted(&sent) - sent_before) / seconds,
            answered: all / seconds,
            good: (counted(&good) - good_before) / all.max(1.0),
            p50: percentile(&mut times, 0.5),
            p99: percentile(&mut times, 0.99),
        };
        stop.store(true, Ordering::Relaxed);
        round
    })
}

/// Sends requests to the noisy function at a fixed rate, until told to stop. What cannot be sent in time because every connection waits for
/// an answer is not made up for.
fn offer(address: &str, noisy: &str, stop: &AtomicBool, sent: &AtomicU64, answered: &AtomicU64, good: &AtomicU64) {
    let request = format!("GET /{noisy}?name=Ada HTTP/1.1\r\nhost: x\r\n\r\n");
    let request = request.as_bytes();
    let period = Duration::from_secs(1) * CONNECTIONS / RATE;
    let began = now();
    let one = |at: u32| async move {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut answer = [0; 4_096];
        let mut due = began + period * at / CONNECTIONS;
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep_until(due.into()).await;
            stream.write_all(request).await.unwrap();
            sent.fetch_add(1, Ordering::Relaxed);
            let read = stream.read(&mut answer).await.unwrap();
            answered.fetch_add(1, Ordering::Relaxed);
            good.fetch_add(u64::from(answer[..read].starts_with(b"HTTP/1.1 200")), Ordering::Relaxed);
            due += period;
            if let Some(late) = now().checked_duration_since(due) {
                due += period * (late.as_micros() / period.as_micros()) as u32;
            }
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let all: Vec<_> = (0..CONNECTIONS).map(one).collect();
        futures_util::future::join_all(all).await;
    });
}

/// A node as it is set up by default: every run is recorded and every failure logged, though nobody reads it.
fn picloud(folder: &Path) -> Server {
    let functions = folder.join("functions");
    fs::create_dir(&functions).unwrap();
    fs::write(functions.join("quiet.rhai"), QUIET).unwrap();
    for (_, name, text) in NOISY {
        fs::write(functions.join(format!("{name}.rhai")), text).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_picloud"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data", "data"]).current_dir(folder).stderr(Stdio::null());
    let announcement = folder.join("data/node.json");
    Server::start(command, "/_picloud/ready", move || {
        let text = fs::read_to_string(&announcement).ok()?;
        Some(text.split("http://").nth(1)?.split('"').next()?.to_owned())
    })
}

fn bare(folder: &Path) -> Server {
    let address = folder.join("address");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(BARE, &address);
    Server::start(command, "/quiet", move || fs::read_to_string(&address).ok().filter(|text| !text.is_empty()))
}

/// Answers at once what the node answers at last, as far as the clients see it.
fn bare_axum(address_file: &Path) {
    let message = || async { ([("content-type", "application/json")], "{\"message\":\"hello Ada\"}") };
    let problem = |status: StatusCode| {
        let body =
            "{\"type\":\"about:blank\",\"title\":\"over a limit\",\"status\":503,\"detail\":\"the function runs as often as it may\"}";
        routing::get(move || async move { (status, [("content-type", "application/problem+json")], body) })
    };
    let router = Router::new()
        .route("/quiet", routing::get(message))
        .route("/hello", routing::get(message))
        .route("/slow", routing::get(message))
        .route("/failing", problem(StatusCode::INSUFFICIENT_STORAGE))
        .route("/busy", problem(StatusCode::SERVICE_UNAVAILABLE));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        fs::write(address_file, listener.local_addr().unwrap().to_string()).unwrap();
        axum::serve(listener, router).await.unwrap();
    });
}
