//! A Postgres that is stopped and started again, and one that is slow.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use picloud::{
    clock::monotonic,
    store::{ExecutionFilter, Store},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

use crate::{
    faults::load::{FILES, ask, degraded, wait_for_degraded},
    kit::{
        api::Api,
        node::{Node, PATIENCE, node, wait_until},
        postgres::Server,
        store::Fresh,
    },
};

/// The ids of the executions of `/id`, oldest first.
fn recorded(runtime: &Runtime, url: &str) -> Vec<String> {
    runtime.block_on(async {
        let folder = TempDir::new().unwrap();
        let Ok(store) = Store::open_read_only(url, folder.path()).await else { return Vec::new() };
        let found = store.executions(&ExecutionFilter { limit: 1_000_000, ..ExecutionFilter::default() }).await.unwrap_or_default();
        store.close().await;
        crate::faults::load::ids(found)
    })
}

#[test]
fn a_server_that_is_stopped_and_started_costs_no_request_and_no_execution() {
    let runtime = Runtime::new().unwrap();
    let server = Server::start();
    let mut node = node(&FILES).variable("PICLOUD_DATABASE_URL", &server.url()).start();
    let mut answered = Vec::new();
    for mode in ["fast", "immediate"] {
        ask(&node, 50, &mut answered);
        server.stop(mode);
        let mut ask_until = |what: &str, is_so: &dyn Fn() -> bool| {
            wait_until(what, PATIENCE, || {
                ask(&node, 5, &mut answered);
                is_so()
            });
        };
        ask_until("executions wait", &|| degraded(&node).contains("wait on disk for the database"));
        node.write("n.rhai", &format!("\"{mode}\""));
        ask_until("the deployment waits", &|| degraded(&node).contains("waits for the database"));
        assert_ne!(node.get("/n").text(), mode);
        assert!(server.go_on());
        // Requests go on all the while, and what waits is brought away all the same.
        ask_until("the deployment is live", &|| node.get("/n").text() == mode);
        ask_until("nothing waits any more", &|| node.ready()["status"] == "ready");
    }
    node.stop();
    assert_eq!(recorded(&runtime, &server.url()), answered, "each once");
}

/// How often a node has told that its database was away.
fn outages_told(node: &Node) -> usize {
    let answer = Api::of(node).get("/api/admin/events?topic=picloud.database.away");
    if answer.status == 200 { answer.json()["events"].as_array().unwrap().len() } else { 0 }
}

#[test]
fn each_outage_of_an_idle_node_is_told_when_it_is_over() {
    let server = Server::start();
    let mut node = node(&FILES).variable("PICLOUD_DATABASE_URL", &server.url()).start();
    for outage in 1..=2 {
        server.stop("fast");
        wait_for_degraded(&node, "the database does not answer: ");
        assert!(server.go_on());
        node.wait_for_state("ready");
        wait_until("it is told", PATIENCE, || outages_told(&node) == outage);
    }
    node.stop();
}

/// A proxy that holds back every answer of the server for so many milliseconds.
struct Slow(Arc<AtomicU64>);

impl Slow {
    fn before(runtime: &Runtime, url: &str) -> (Self, String) {
        let (start, rest) = url.split_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let through = format!("{start}@{}/{database}", listener.local_addr().unwrap());
        let (delay, server) = (Arc::new(AtomicU64::new(0)), server.to_owned());
        let shared = delay.clone();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, delay) = (TcpStream::connect(&server).await.unwrap(), shared.clone());
                tokio::spawn(async move {
                    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.into_split(), server.into_split());
                    let requests = tokio::io::copy(&mut from_client, &mut to_server);
                    let answers = async {
                        let mut bytes = vec![0; 1 << 16];
                        loop {
                            let length = from_server.read(&mut bytes).await?;
                            if length == 0 {
                                return Ok::<(), std::io::Error>(());
                            }
                            tokio::time::sleep(Duration::from_millis(delay.load(Ordering::Relaxed))).await;
                            to_client.write_all(&bytes[..length]).await?;
                        }
                    };
                    tokio::select! { _ = requests => {} _ = answers => {} }
                });
            }
        });
        (Self(delay), through)
    }

    fn delay(&self, ms: u64) {
        self.0.store(ms, Ordering::Relaxed);
    }
}

#[test]
fn a_slow_server_slows_no_request_and_gets_every_execution_once() {
    let runtime = Runtime::new().unwrap();
    let fresh = runtime.block_on(Fresh::postgres());
    let (slow, url) = Slow::before(&runtime, &fresh.url);
    let mut node = node(&FILES).variable("PICLOUD_DATABASE_URL", &url).start();
    let mut answered = Vec::new();
    ask(&node, 50, &mut answered);
    for delay in [300, 1_000] {
        slow.delay(delay);
        let began = monotonic();
        let mut times = Vec::new();
        while began.elapsed() < Duration::from_millis(2_000) {
            let begun = monotonic();
            ask(&node, 1, &mut answered);
            times.push(begun.elapsed());
        }
        // A busy machine may slow some; a request that waited for the server would be as slow as it each time.
        let slow = times.iter().filter(|time| **time >= Duration::from_millis(300)).count();
        assert!(slow * 10 < times.len(), "{slow} of {} requests were slow with answers that take {delay} ms", times.len());
        let had = recorded(&runtime, &fresh.url).len();
        wait_until("more executions arrive, slow as the server is", PATIENCE, || recorded(&runtime, &fresh.url).len() > had);
    }
    slow.delay(0);
    wait_until("every execution has arrived", PATIENCE, || recorded(&runtime, &fresh.url).len() >= answered.len());
    assert_eq!(recorded(&runtime, &fresh.url), answered, "each once, in order");
    node.wait_for_state("ready");
    assert_eq!((&node.ready()["lost_executions"], outages_told(&node)), (&serde_json::json!(0), 0), "it was slow, and not away");
    node.stop();
}

#[test]
fn a_server_that_is_slow_at_the_first_start_was_not_away() {
    let runtime = Runtime::new().unwrap();
    let fresh = runtime.block_on(Fresh::postgres());
    let (slow, url) = Slow::before(&runtime, &fresh.url);
    // Longer than a start waits for the database, as there are many statements.
    slow.delay(100);
    let mut node = node(&FILES).variable("PICLOUD_DATABASE_URL", &url).start();
    node.wait_for_state("ready");
    slow.delay(0);
    assert_eq!(Api::of(&node).json("POST", "/api/admin/events/a", &serde_json::json!(1)).status, 200);
    assert_eq!(outages_told(&node), 0);
    assert!(!node.log().contains("events that SQL emitted wait"), "{}", node.log());
    node.stop();
}
