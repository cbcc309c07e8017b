//! A Postgres that functions use is stopped under them and started again.

use std::thread;

use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Runtime;

use crate::kit::{
    node::{Node, PATIENCE, node, wait_until},
    postgres::Server,
};

/// Connections that a node may have to a database of functions, and to its own: for itself, for key-value, and for its lease.
const CONNECTIONS: (i64, i64) = (3, 11);

/// Asks the server itself; none while it is away.
fn number(runtime: &Runtime, server: &Server, sql: &'static str) -> Option<i64> {
    runtime.block_on(async {
        let mut connection = PgConnection::connect(&server.url()).await.ok()?;
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.ok()
    })
}

/// The connections that nodes have.
const OF_NODES: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'picloud'";

/// Calls a function from many clients at once.
fn crowd(node: &Node, path: &str) {
    thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| assert_eq!(node.get(path).status, 200));
        }
    });
}

#[test]
fn functions_say_that_their_database_is_away_and_go_on_when_it_is_back() {
    let (runtime, server) = (Runtime::new().unwrap(), Server::start());
    let sql = "+++\ntimeout = \"60s\"\n[sql]\ndatabase = \"app\"\n+++\n";
    let files = [
        ("plain.rhai", "1".to_owned()),
        ("one.rhai", format!("{sql}sql::value(\"SELECT 1\")")),
        ("kind.rhai", format!("{sql}try {{ sql::value(\"SELECT 1\"); return \"fine\"; }} catch (error) {{ return error.kind; }}")),
        (
            "within.rhai",
            format!(
                "{sql}try {{ sql::transaction(|tx| tx.value(\"SELECT 1\")); return \"fine\"; }} catch (error) {{ return error.kind; }}"
            ),
        ),
        ("slow.rhai", format!("{sql}sql::value(\"SELECT pg_sleep(50)\")")),
    ];
    let files = files.each_ref().map(|(path, text)| (*path, text.as_str()));
    let config = format!("[databases.app]\nurl = \"{}\"\nconnections = {}\n", server.url(), CONNECTIONS.0);
    let mut node = node(&files).config(&config).start();
    crowd(&node, "/one");
    let handles = node.handles();
    for mode in ["fast", "immediate"] {
        let slow = thread::scope(|scope| {
            let slow = scope.spawn(|| node.get("/slow"));
            let asleep =
                "SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(50)%' AND pid <> pg_backend_pid()";
            wait_until("a statement is under way", PATIENCE, || number(&runtime, &server, asleep) == Some(1));
            server.stop(mode);
            slow.join().unwrap()
        });
        // An error, and not the end of its time, which is 504.
        assert_eq!(slow.status, 502, "{}", slow.text());
        let id = slow.header("x-picloud-execution").unwrap().to_owned();
        let execution = node.wait_for_execution("the slow one", |execution| execution.id.to_string() == id);
        let message = execution.failure.unwrap().message;
        assert!(message.contains("the database `app` does not answer") && message.contains("unavailable"), "{message}");
        assert!(execution.effects.last().unwrap().failed);
        for _ in 0..5 {
            assert_eq!(node.get("/kind").text(), "unavailable");
            assert_eq!(node.get("/within").text(), "unavailable");
            assert_eq!((node.get("/one").status, node.get("/plain").text()), (502, "1".into()));
        }
        assert!(server.go_on());
        node.wait_for("/kind", "fine");
        crowd(&node, "/one");
        crowd(&node, "/within");
        let open = number(&runtime, &server, OF_NODES).unwrap();
        assert!((1..=CONNECTIONS.0).contains(&open), "{open} connections");
        wait_until("no handle is lost", PATIENCE, || node.handles() <= handles + 5);
    }
    assert!(node.log().contains("the database `app` does not answer") && !node.log().contains("picloud@"), "{}", node.log());
    node.stop();
    assert_eq!(number(&runtime, &server, OF_NODES), Some(0));
}

#[test]
fn key_value_says_that_the_store_is_away_and_goes_on_when_it_is_back() {
    let (runtime, server) = (Runtime::new().unwrap(), Server::start());
    let kv = "+++\ntimeout = \"60s\"\n[kv]\nname = \"n\"\n+++\n";
    let files = [
        ("plain.rhai", "1".to_owned()),
        ("add.rhai", format!("{kv}kv::add(\"n\")")),
        ("kind.rhai", format!("{kv}try {{ kv::get(\"n\"); kv::add(\"m\"); return \"fine\"; }} catch (error) {{ return error.kind; }}")),
    ];
    let files = files.each_ref().map(|(path, text)| (*path, text.as_str()));
    let mut node = node(&files).variable("PICLOUD_DATABASE_URL", &server.url()).start();
    node.wait_for("/kind", "fine");
    let mut sum = 0;
    for mode in ["fast", "immediate"] {
        for _ in 0..10 {
            sum += 1;
            assert_eq!(node.get("/add").text(), sum.to_string());
        }
        server.stop(mode);
        // Each waits some seconds for a connection, and functions that need none wait for nothing.
        thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| assert_eq!(node.get("/kind").text(), "unavailable"));
            }
            scope.spawn(|| assert_eq!(node.get("/add").status, 502));
            assert_eq!(node.get("/plain").text(), "1");
        });
        assert!(server.go_on());
        node.wait_for("/kind", "fine");
        node.wait_for_state("ready");
        crowd(&node, "/kind");
        let open = number(&runtime, &server, OF_NODES).unwrap();
        assert!((1..=CONNECTIONS.1).contains(&open), "{open} connections");
    }
    // What was answered counts, and nothing else does.
    assert_eq!(node.get("/add").text(), (sum + 1).to_string());
    assert!(!node.log().contains("picloud@"), "{}", node.log());
    node.stop();
    assert_eq!(number(&runtime, &server, OF_NODES), Some(0));
}
