//! Two nodes and one database: only one has it, and neither gets into the other's record.

use picloud::store::{ExecutionFilter, Store};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    faults::load::{ask, degraded, ids, wait_for_degraded},
    kit::{
        node::{PATIENCE, Setup, node, wait_until},
        proxy::Proxy,
        store::Fresh,
    },
};

/// A node whose `/n` answers so.
fn that_answers(text: &str, url: &str) -> Setup {
    node(&[("n.rhai", text), ("id.rhai", "ctx.execution_id")]).variable("PICLOUD_DATABASE_URL", url)
}

fn read<T>(runtime: &Runtime, url: &str, read: impl AsyncFnOnce(&Store) -> T) -> T {
    runtime.block_on(async {
        let store = Store::open_read_only(url, TempDir::new().unwrap().path()).await.unwrap();
        let found = read(&store).await;
        store.close().await;
        found
    })
}

/// The ids of the executions of `/id`, oldest first.
fn recorded(runtime: &Runtime, url: &str) -> Vec<String> {
    let filter = ExecutionFilter { limit: 1_000_000, ..ExecutionFilter::default() };
    ids(read(runtime, url, async |store| store.executions(&filter).await.unwrap()))
}

/// What `n.rhai` is, by the last deployment that went live.
fn live(runtime: &Runtime, url: &str) -> String {
    let (_, tree) = read(runtime, url, async |store| store.live().await.unwrap().unwrap());
    String::from_utf8(tree["n.rhai"].bytes.to_vec()).unwrap()
}

fn deployments(runtime: &Runtime, url: &str) -> usize {
    read(runtime, url, async |store| store.deployments(1_000, None).await.unwrap().len())
}

#[test]
fn a_second_node_on_a_database_is_refused_at_its_start() {
    let runtime = Runtime::new().unwrap();
    let fresh = runtime.block_on(Fresh::postgres());
    let shared = TempDir::new().unwrap();
    for url in [fresh.url.clone(), format!("sqlite:{}", shared.path().join("shared.db").display())] {
        let mut first = that_answers("1", &url).start();
        let second = that_answers("2", &url);
        let (code, said) = second.fail();
        let refused = said.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert_eq!(code, Some(2), "{said}");
        assert!(refused.starts_with("error: another node uses the database `"), "{said}");
        assert!(refused.contains(&format!("process {}", first.pid())), "{said}");
        assert!(!said.contains("serving without"), "it does not serve: {said}");
        assert_eq!((first.get("/n").text().as_str(), deployments(&runtime, &url)), ("1", 1));
        first.stop();
        let mut second = second.start();
        assert!(!second.log().contains("already exists, skipping"), "{}", second.log());
        assert_eq!(second.get("/n").text(), "2");
        // One that is killed has left, too.
        second.kill();
        first.start();
        assert_eq!(first.get("/n").text(), "1");
        first.stop();
    }
}

/// A node that reaches its database through a proxy.
fn behind_a_proxy(runtime: &Runtime) -> (Fresh, Proxy, Setup) {
    let (fresh, proxy, url) = runtime.block_on(async {
        let fresh = Fresh::postgres().await;
        let (proxy, url) = Proxy::before(&fresh.url).await;
        (fresh, proxy, url)
    });
    let setup = that_answers("\"one\"", &url);
    (fresh, proxy, setup)
}

#[test]
fn a_node_whose_database_is_anothers_when_it_comes_serves_and_writes_nothing_there() {
    let runtime = Runtime::new().unwrap();
    let (fresh, proxy, setup) = behind_a_proxy(&runtime);
    proxy.cut();
    let mut one = setup.start();
    let mut other = that_answers("\"other\"", &fresh.url).start();
    proxy.restore();
    wait_for_degraded(&one, "another node uses the database `");
    let mut answered = Vec::new();
    ask(&one, 20, &mut answered);
    wait_for_degraded(&one, "wait on disk for the database");
    assert_eq!((one.get("/n").text().as_str(), other.get("/n").text().as_str()), ("one", "other"));
    assert_eq!((recorded(&runtime, &fresh.url).len(), live(&runtime, &fresh.url).as_str()), (0, "\"other\""));
    other.stop();
    one.wait_for_state("ready");
    wait_until("what waited is recorded", PATIENCE, || recorded(&runtime, &fresh.url) == answered);
    assert_eq!((one.get("/n").text().as_str(), live(&runtime, &fresh.url).as_str()), ("one", "\"one\""));
    one.restart();
    assert_eq!(one.get("/n").text(), "one");
    one.stop();
}

#[test]
fn a_node_that_loses_its_database_to_another_waits_until_that_has_left() {
    let runtime = Runtime::new().unwrap();
    let (fresh, proxy, setup) = behind_a_proxy(&runtime);
    let mut one = setup.start();
    let mut answered = Vec::new();
    ask(&one, 10, &mut answered);
    wait_until("they are recorded", PATIENCE, || recorded(&runtime, &fresh.url).len() == 10);
    proxy.cut();
    let mut other = that_answers("\"other\"", &fresh.url).start();
    // Its file is so new that it may be half of a save, and until it is older what was live there stays.
    other.wait_for("/n", "other");
    proxy.restore();
    // Nor before it has heard of the other one: what it cannot write it refuses.
    let authorization = [("authorization", &*crate::kit::api::bearer(&one))];
    wait_until("it has heard of the other", PATIENCE, || {
        let made = one.send("POST", "/api/admin/tokens", &authorization, br#"{ "name": "late", "scope": "admin" }"#);
        let suspended = one.send("POST", "/api/admin/source/suspend", &authorization, b"{}");
        assert_eq!((made.status, suspended.status), (503, 503), "{} {}", made.text(), suspended.text());
        degraded(&one).contains("another node uses the database `")
    });
    let tokens = read(&runtime, &fresh.url, async |store| store.tokens().await.unwrap());
    assert!(tokens.is_empty(), "{tokens:?}");
    other.wait_for("/n", "other");
    ask(&one, 10, &mut answered);
    one.write("n.rhai", "\"two\"");
    wait_for_degraded(&one, "waits for the database");
    assert_eq!((one.get("/n").text().as_str(), other.get("/n").text().as_str()), ("one", "other"));
    assert_eq!((recorded(&runtime, &fresh.url).len(), live(&runtime, &fresh.url).as_str()), (10, "\"other\""));
    other.stop();
    one.wait_for("/n", "two");
    one.wait_for_state("ready");
    wait_until("what waited is recorded", PATIENCE, || recorded(&runtime, &fresh.url) == answered);
    assert_eq!((live(&runtime, &fresh.url).as_str(), deployments(&runtime, &fresh.url)), ("\"two\"", 3));
    one.restart();
    assert_eq!(one.get("/n").text(), "two");
    one.stop();
}
