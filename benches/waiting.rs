//! Very many functions that wait for a slow service at once: what they take, and what they do to a fast function's latency.
//!
//! `cargo bench --bench waiting [-- 1000 10000]`. Each of them has a connection of its client and one to the service, so 10,000 need 20,000
//! open files of the node. Where the system allows it fewer, as many requests are under way as there may be, and the other functions wait
//! for their turn to send. `waiting` is a state in which nothing happens; `turning` is one where [`TURNS`] a second are answered and ask again.

mod support;

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{
    Server, get,
    latency::{self, percentile},
    median, now,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// Says to this program that it is to be the slow service, and where to write its address.
const SERVICE: &str = "PICLOUD_BENCH_SERVICE";
/// Files that a node has open beside those connections.
const OTHER_FILES: usize = 300;
/// Answers a second of the slow service, while it gives any.
const TURNS: usize = 500;
const ROUNDS: usize = 3;
const SPAN: Duration = Duration::from_secs(3);

fn main() {
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }).unwrap();
    if let Ok(address_file) = std::env::var(SERVICE) {
        return serve(Path::new(&address_file));
    }
    // `cargo test --benches` only wants to see that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let asked: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let counts = if asked.is_empty() { vec![1_000, 5_000, 10_000] } else { asked };
    println!(
        "| waiting | requests sent | all wait after s | RSS MiB | threads | p99 alone ms | beside | × | turning | × | all answered after s |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for count in counts {
        measure(count, files.maximum.unwrap_or(u64::MAX) as usize);
    }
}

fn measure(count: usize, files: usize) {
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path());
    let sent = count.min(files.saturating_sub(count + OTHER_FILES));
    let node = picloud(folder.path(), &service.address, count, sent);
    let before = node.rss_mib();
    let alone = p99(&node);

    let clients = Clients::begin(&node.address, count);
    let began = now();
    while held(&service) < sent || node.threads() < count {
        thread::sleep(Duration::from_millis(20));
    }
    let waiting = began.elapsed();
    let (rss, threads) = (node.rss_mib(), node.threads());
    let beside = p99(&node);

    let turns = AtomicBool::new(true);
    let turning = thread::scope(|scope| {
        scope.spawn(|| {
            while turns.load(Ordering::Relaxed) {
                answer(&service, TURNS / 10);
                thread::sleep(Duration::from_millis(100));
            }
        });
        let turning = p99(&node);
        turns.store(false, Ordering::Relaxed);
        turning
    });

    let began = now();
    clients.end(|| answer(&service, 10 * count));
    println!(
        "| {count} | {sent} | {:.1} | {before:.0} → {rss:.0} | {threads} | {alone:.2} | {beside:.2} | {:.2} | {turning:.2} | {:.2} | {:.1} |",
        waiting.as_secs_f64(),
        beside / alone,
        turning / alone,
        began.elapsed().as_secs_f64(),
    );
}

/// Returns the middle of some rounds.
fn p99(node: &Server) -> f64 {
    median((0..ROUNDS).map(|_| percentile(&mut latency::ask(&node.address, "/fast", SPAN), 0.99)).collect())
}

/// Those who ask the slow function, again and again.
struct Clients {
    count: usize,
    stop: Arc<AtomicBool>,
    ended: Arc<AtomicUsize>,
}

impl Clients {
    fn begin(address: &str, count: usize) -> Self {
        let clients = Self { count, stop: Arc::default(), ended: Arc::default() };
        let (stop, ended, address) = (clients.stop.clone(), clients.ended.clone(), address.to_owned());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let all = (0..count).map(|_| {
                    let (stop, ended, address) = (stop.clone(), ended.clone(), address.clone());
                    tokio::spawn(async move {
                        ask(&address, &stop).await;
                        ended.fetch_add(1, Ordering::Relaxed);
                    })
                });
                futures_util::future::join_all(all).await.into_iter().for_each(|ended| ended.unwrap());
            });
        });
        clients
    }

    /// Waits until each has its last answer.
    fn end(self, answer: impl FnOnce()) {
        self.stop.store(true, Ordering::Relaxed);
        answer();
        while self.ended.load(Ordering::Relaxed) < self.count {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

async fn ask(address: &str, stop: &AtomicBool) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut answer = [0; 4_096];
    while !stop.load(Ordering::Relaxed) {
        stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let read = stream.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
    }
}

fn picloud(folder: &Path, service: &str, waiting: usize, sent: usize) -> Server {
    let functions = folder.join("functions");
    fs::create_dir(&functions).unwrap();
    fs::write(functions.join("fast.rhai"), "#{ message: \"hello Ada\" }").unwrap();
    let slow = format!(
        "+++\ntimeout = \"5m\"\n[limits]\nconcurrency = {waiting}\n[http]\nallow = [\"http://{service}\"]\n+++\nhttp::get(\"http://{service}/x\").text"
    );
    fs::write(functions.join("slow.rhai"), slow).unwrap();
    let config = format!(
        "[server]\nmax_connections = {}\n[ceilings]\nconcurrency = {waiting}\n[executor]\nmax_waiting = {waiting}\n\
         [outbound]\nprivate = [\"127.0.0.1\"]\nmax_requests = {sent}\nmax_requests_per_function = {sent}\n",
        waiting + 100,
    );
    Server::picloud(folder, &functions, &config)
}

fn service(folder: &Path) -> Server {
    let address = folder.join("address");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(SERVICE, &address);
    Server::start(command, "/held", move || fs::read_to_string(&address).ok().filter(|text| !text.is_empty()))
}

/// Returns how many requests the service has not answered yet.
fn held(service: &Server) -> usize {
    get(&service.address, "/held").unwrap().rsplit("\r\n").next().unwrap().parse().unwrap()
}

/// Has the service answer so many requests.
fn answer(service: &Server, count: usize) {
    get(&service.address, &format!("/answer/{count}")).unwrap();
}

/// Answers as many requests as it is told, the oldest first.
fn serve(address_file: &Path) {
    let (answers, held) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        fs::write(address_file, listener.local_addr().unwrap().to_string()).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(converse(stream, answers.clone(), held.clone()));
        }
    });
}

async fn converse(mut stream: TcpStream, answers: Arc<Semaphore>, held: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while stream.read_buf(&mut head).await.is_ok_and(|read| read > 0) {
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let line = String::from_utf8(std::mem::take(&mut head)).unwrap();
        let path = line.split(' ').nth(1).unwrap_or_default();
        let body = match path.strip_prefix("/answer/") {
            Some(count) => {
                answers.add_permits(count.parse().unwrap());
                String::new()
            }
            None if path == "/held" => held.load(Ordering::Relaxed).to_string(),
            None => {
                held.fetch_add(1, Ordering::Relaxed);
                answers.acquire().await.unwrap().forget();
                held.fetch_sub(1, Ordering::Relaxed);
                "ok".into()
            }
        };
        let end = if line.contains("connection: close") { "connection: close\r\n" } else { "" };
        let answer = format!("HTTP/1.1 200 OK\r\n{end}content-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(answer.as_bytes()).await.is_err() || !end.is_empty() {
            break;
        }
    }
}
