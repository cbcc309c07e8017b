//! SIGTERM under load, and while the database hangs: what was begun is ended, and everything that was answered is recorded.

use std::{
    collections::BTreeSet,
    fs,
    io::ErrorKind,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use picloud::{clock::monotonic, execution::Outcome};
use serde_json::json;
use sqlx::Connection;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    faults::load::{FILES, Load, ask, ids, wait_for_degraded},
    kit::{
        api::Api,
        node::{PATIENCE, Signal, ask::executions, node, wait_until},
        proxy::Proxy,
        store::Fresh,
        upstream::Upstream,
    },
};

/// Some are short and run where connections are served, some take a while on the pool.
const MIXED: &str = "if ctx.execution_id.len() > 0 { let n = 0; for i in 0..3_000 { n += i } n }";

#[test]
fn what_was_begun_is_answered_and_what_was_answered_is_recorded() {
    for signal in [Signal::TERM, Signal::INT] {
        let slow = "let n = 0; for i in 0..60_000 { n += i } n";
        let mut node = node(&[("short.rhai", "1"), ("mixed.rhai", MIXED), ("slow.rhai", slow)]).start();
        let loads: Vec<(Load, &str)> = ["/short", "/mixed", "/slow"].map(|path| (Load::default(), path)).into();
        let mut began = monotonic();
        std::thread::scope(|scope| {
            let clients: Vec<_> = loads.iter().flat_map(|(load, path)| load.start(scope, &node, 4, path)).collect();
            for (load, _) in &loads {
                load.during(|| load.wait_for_more(20));
            }
            node.signal(signal);
            began = monotonic();
            for client in clients {
                // A kept connection ends between two requests: at most the next one finds it closed, and no part of an answer came.
                let Err(error) = client.join().unwrap() else { continue };
                let is_closed = matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
                assert!(is_closed, "{error:?}");
            }
        });
        assert_eq!(node.ended().code(), Some(0), "{}", node.log());
        assert!(began.elapsed() < Duration::from_secs(20).min(PATIENCE), "within the grace period: {:?}", began.elapsed());
        let answered: BTreeSet<String> = loads.into_iter().flat_map(|(load, _)| load.answered()).map(|answered| answered.id).collect();
        let recorded: BTreeSet<String> = executions(&node.data()).into_iter().map(|execution| execution.id.to_string()).collect();
        let (unrecorded, unanswered) = (answered.difference(&recorded).count(), recorded.difference(&answered).count());
        assert_eq!((unrecorded, unanswered), (0, 0), "of {} answered and {} recorded", answered.len(), recorded.len());
    }
}

/// The node has been told to stop.
static STOPS: AtomicBool = AtomicBool::new(false);

#[test]
fn a_run_of_an_event_that_has_begun_ends_before_the_node_and_is_recorded() {
    let service = Upstream::start(|_| {
        wait_until("the node stops", PATIENCE, || STOPS.load(Ordering::Relaxed));
        Some("1".into())
    });
    let asks = format!("+++\n[http]\nallow = [\"{0}\"]\n+++\nhttp::get(\"{0}/\").json", service.url());
    let mut node = node(&[("_events/a.rhai", asks.as_str())]).config("[outbound]\nprivate = [\"127.0.0.1\"]\n").start();
    assert_eq!(Api::of(&node).json("POST", "/api/admin/events/a", &json!(1)).status, 200);
    wait_until("it runs", PATIENCE, || service.heads().len() == 1);
    node.signal(Signal::TERM);
    wait_until("the node stops", PATIENCE, || node.log().contains("stopping: running requests may end"));
    STOPS.store(true, Ordering::Relaxed);
    assert_eq!(node.ended().code(), Some(0), "{}", node.log());
    let ran: Vec<(String, Outcome)> =
        executions(&node.data()).into_iter().map(|execution| (execution.function.to_string(), execution.outcome)).collect();
    assert_eq!(ran, [("_events/a".into(), Outcome::Ok)]);
    node.start();
    assert_eq!(Api::of(&node).get("/api/admin/topics").json()["topics"][0]["running"], 0);
    node.stop();
}

#[test]
fn a_run_that_outlasts_the_grace_period_is_recorded_and_comes_again_at_each_start() {
    // More stops than an event may be lost, and one attempt that may fail.
    const STOPS: usize = 4;
    let service = Upstream::start(|count| (count > STOPS).then(|| "1".into()));
    let asks = format!("+++\n[http]\nallow = [\"{0}\"]\n[retry]\nattempts = 1\n+++\nhttp::get(\"{0}/\").json", service.url());
    let config = "[server]\ngrace = \"100ms\"\n[outbound]\nprivate = [\"127.0.0.1\"]\n";
    let mut node = node(&[("_events/a.rhai", asks.as_str())]).config(config).start();
    assert_eq!(Api::of(&node).json("POST", "/api/admin/events/a?id=one", &json!(1)).status, 200);
    for stop in 1..=STOPS {
        wait_until("it runs", PATIENCE, || service.heads().len() == stop);
        node.stop();
        assert!(node.log().contains("come again at the next start"), "{}", node.log());
        node.start();
        if stop < STOPS {
            let shown = Api::of(&node).get("/api/admin/events/a/one").json();
            let failed = shown["deliveries"][0]["failed"].as_array().unwrap();
            let last = (failed.len(), &failed[stop - 1]["attempt"], &failed[stop - 1]["error"]);
            assert_eq!(last, (stop, &json!(stop), &json!("the node stopped before it ended")));
            assert!(failed[stop - 1]["execution"].is_string(), "{shown}");
        }
    }
    let api = Api::of(&node);
    wait_until("it is done", PATIENCE, || api.get("/api/admin/events/a/one").json()["deliveries"] == json!([]));
    assert_eq!(api.get("/api/admin/dead-letters").json()["dead_letters"], json!([]));
    node.stop();
    let mut recorded = executions(&node.data());
    recorded.sort_unstable_by_key(|execution| execution.id.0);
    assert_eq!(recorded.pop().map(|last| last.outcome), Some(Outcome::Ok));
    let cut: Vec<_> = recorded.into_iter().map(|cut| (cut.outcome, cut.status, cut.failure.unwrap().message)).collect();
    assert_eq!(cut, vec![(Outcome::Cancelled, 499, "the node stopped before it ended".to_owned()); STOPS]);
}

/// How often the one delivery was lost, and its attempts.
async fn lost_and_attempt(url: &str) -> (i64, i64) {
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::query_as("SELECT lost, attempt FROM deliveries").fetch_one(&mut connection).await.unwrap()
}

#[test]
fn what_a_stopped_node_could_not_put_back_is_not_lost_and_what_a_killed_one_ran_is() {
    let runtime = Runtime::new().unwrap();
    let fresh = runtime.block_on(Fresh::postgres());
    let service = Upstream::start(|_| None);
    let asks = format!("+++\n[http]\nallow = [\"{0}\"]\n+++\nhttp::get(\"{0}/\").json", service.url());
    let config = "[server]\ngrace = \"100ms\"\n[outbound]\nprivate = [\"127.0.0.1\"]\n";
    let node = node(&[("_events/a.rhai", asks.as_str())]).config(config);
    let mut node = node.variable("PICLOUD_DATABASE_URL", &fresh.url).start();
    assert_eq!(Api::of(&node).json("POST", "/api/admin/events/a", &json!(1)).status, 200);
    wait_until("it runs", PATIENCE, || service.heads().len() == 1);
    let mut other = runtime.block_on(sqlx::PgConnection::connect(&fresh.url)).unwrap();
    runtime.block_on(sqlx::raw_sql("BEGIN; LOCK TABLE deliveries").execute(&mut other)).unwrap();
    node.stop();
    runtime.block_on(sqlx::raw_sql("ROLLBACK").execute(&mut other)).unwrap();
    node.start();
    wait_until("it runs again", PATIENCE, || service.heads().len() == 2);
    assert_eq!(runtime.block_on(lost_and_attempt(&fresh.url)), (0, 2));
    node.signal(Signal::KILL);
    node.ended();
    node.start();
    wait_until("it runs once more", PATIENCE, || service.heads().len() == 3);
    assert_eq!(runtime.block_on(lost_and_attempt(&fresh.url)), (1, 3));
    node.stop();
}

#[test]
fn a_database_that_hangs_does_not_hold_up_the_end_and_costs_no_execution() {
    let runtime = Runtime::new().unwrap();
    for is_locked in [true, false] {
        let fresh = runtime.block_on(Fresh::postgres());
        let (proxy, url) = runtime.block_on(Proxy::before(&fresh.url));
        let mut node = node(&FILES).variable("PICLOUD_DATABASE_URL", &url).start();
        let mut answered = Vec::new();
        ask(&node, 20, &mut answered);
        let lock = "BEGIN; LOCK TABLE deployments, executions, words IN ACCESS EXCLUSIVE MODE";
        let mut other = runtime.block_on(sqlx::PgConnection::connect(&fresh.url)).unwrap();
        if is_locked {
            runtime.block_on(sqlx::raw_sql(lock).execute(&mut other)).unwrap();
        } else {
            proxy.hold();
        }
        ask(&node, 20, &mut answered);
        node.write("n.rhai", "\"two\"");
        wait_for_degraded(&node, "wait on disk for the database");
        node.stop();
        // The other way round: everything is well again.
        proxy.restore();
        runtime.block_on(sqlx::raw_sql("ROLLBACK").execute(&mut other)).unwrap();
        node.start();
        node.wait_for("/n", "two");
        let recorded = || {
            runtime.block_on(async {
                let store = fresh.open().await;
                let found = store.executions(&picloud::store::ExecutionFilter { limit: 1_000, ..Default::default() }).await.unwrap();
                store.close().await;
                ids(found)
            })
        };
        wait_until("every execution is recorded", PATIENCE, || recorded().len() >= answered.len());
        assert_eq!(recorded(), answered, "each once, in order");
        node.stop();
    }
}

#[test]
fn after_an_end_in_order_the_database_is_one_file() {
    let mut node = node(&FILES).start();
    let mut answered = Vec::new();
    ask(&node, 30, &mut answered);
    node.stop();
    let copy = TempDir::new().unwrap();
    fs::copy(node.data().join("picloud.db"), copy.path().join("picloud.db")).unwrap();
    assert_eq!(ids(executions(copy.path())), answered);
    assert!(!node.data().join("picloud.db-wal").exists(), "nothing is left beside it");
}
