//! `kill -9` in the middle of what functions change: all of a change is there, or nothing.

use std::{collections::BTreeSet, sync::Mutex, thread};

use serde_json::json;

use crate::kit::{
    node::{Node, PATIENCE, Setup, Signal, node, wait_until},
    store::on_both_nodes,
    upstream::Upstream,
};

on_both_nodes! {
    a_transaction_of_a_killed_node_is_whole_or_not_there
    an_update_of_a_killed_node_is_done_once_or_not_at_all
}

const WRITERS: usize = 4;
const ROUNDS: usize = 2;
/// Answers that a round waits for before it ends.
const ENOUGH: usize = 30;

const CONFIG: &str = "[databases.app]\nurl = \"sqlite\"\n[outbound]\nprivate = [\"127.0.0.1\"]\n";
const ACCOUNTS: &str = "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
INSERT INTO accounts VALUES (1, 0), (2, 0);
CREATE TABLE transfers (id TEXT PRIMARY KEY);";
const TRANSFER: &str = "+++\ntimeout = \"60s\"\n[sql]\ndatabase = \"app\"\n+++
let id = ctx.request.query.id;
sql::transaction(|tx| {
    tx.exec(\"UPDATE accounts SET balance = balance - 1 WHERE id = 1\");
    tx.exec(\"UPDATE accounts SET balance = balance + 1 WHERE id = 2\");
    tx.exec(\"INSERT INTO transfers VALUES ($1)\", [id]);
});
id";
const STATE: &str = "+++\n[sql]\ndatabase = \"app\"\n+++
#{
    sum: sql::value(\"SELECT SUM(balance) FROM accounts\"),
    moved: sql::value(\"SELECT balance - (SELECT COUNT(*) FROM transfers) FROM accounts WHERE id = 2\"),
    ids: sql::query(\"SELECT id FROM transfers\").map(|row| row.id),
}";

/// A function that stands still in the middle of its change: it waits for a service that never answers.
fn half(upstream: &Upstream, grants: &str, change: &str) -> String {
    let url = upstream.url();
    let wait = format!("http::get(\"{url}/middle\", #{{ timeout: \"60s\" }})");
    format!("+++\ntimeout = \"60s\"\n{grants}\n[http]\nallow = [\"{url}\"]\n+++\n{}", change.replace("WAIT", &wait))
}

/// Has clients call a function until the node is killed, which is while `/half` stands in the middle. Returns what was answered, and starts
/// the node again.
fn kill_in_the_middle(node: &mut Node, upstream: &Upstream, round: usize, path: impl Fn(String) -> String + Sync) -> BTreeSet<String> {
    let (answered, halves) = (Mutex::new(BTreeSet::new()), upstream.heads().len());
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (node, answered, path) = (&*node, &answered, &path);
            scope.spawn(move || {
                let mut client = node.client();
                for number in 0.. {
                    match client.send("POST", &path(format!("{round}-{writer}-{number}")), &[], b"") {
                        Ok(answer) if answer.status == 200 => drop(answered.lock().unwrap().insert(answer.text())),
                        Ok(answer) => panic!("{}", answer.text()),
                        Err(_) => break,
                    }
                }
            });
        }
        wait_until("some are answered", PATIENCE, || answered.lock().unwrap().len() > ENOUGH);
        let half = scope.spawn(|| node.client().send("POST", "/half", &[], b"").map(|answer| answer.text()));
        wait_until("one stands in the middle", PATIENCE, || upstream.heads().len() > halves);
        node.signal(Signal::KILL);
        assert!(half.join().unwrap().is_err(), "it was not answered");
    });
    node.kill();
    node.start();
    node.wait_for_state("ready");
    answered.into_inner().unwrap()
}

fn a_transaction_of_a_killed_node_is_whole_or_not_there(on: impl Fn(Setup) -> Setup) {
    let upstream = Upstream::start(|_| None);
    let change = "sql::transaction(|tx| {
        tx.exec(\"UPDATE accounts SET balance = balance - 1000 WHERE id = 1\");
        tx.exec(\"INSERT INTO transfers VALUES ('half')\");
        WAIT;
        tx.exec(\"UPDATE accounts SET balance = balance + 1000 WHERE id = 2\");
    });";
    let half = half(&upstream, "[sql]\ndatabase = \"app\"", change);
    let files =
        [("_sql/app/0001_accounts.sql", ACCOUNTS), ("transfer.post.rhai", TRANSFER), ("half.post.rhai", &half), ("state.get.rhai", STATE)];
    let mut node = on(node(&files).config(CONFIG)).start();
    let mut answered = BTreeSet::new();
    for round in 0..ROUNDS {
        node.wait_for_status("/state", 200);
        answered.extend(kill_in_the_middle(&mut node, &upstream, round, |id| format!("/transfer?id={id}")));
        node.wait_for_status("/state", 200);
        let state = node.get("/state").json();
        assert_eq!((&state["sum"], &state["moved"]), (&json!(0), &json!(0)), "round {round}: {state}");
        let found: BTreeSet<String> = serde_json::from_value(state["ids"].clone()).unwrap();
        assert!(found.is_superset(&answered) && !found.contains("half"), "round {round}: {:?}", answered.difference(&found));
        // At most what was under way was done and not answered.
        assert!(found.len() <= answered.len() + (round + 1) * WRITERS, "round {round}");
        answered = found;
    }
    assert_eq!(node.send("POST", "/transfer?id=last", &[], b"").text(), "last");
}

fn an_update_of_a_killed_node_is_done_once_or_not_at_all(on: impl Fn(Setup) -> Setup) {
    let upstream = Upstream::start(|_| None);
    let half = half(&upstream, "[kv]\nname = \"kills\"", "kv::update(\"n\", |n| { WAIT; -1_000_000 });");
    let count = "+++\ntimeout = \"60s\"\n[kv]\nname = \"kills\"\n+++\nkv::update(\"n\", |n| (n ?? 0) + 1)";
    let state = "+++\n[kv]\nname = \"kills\"\n+++\nkv::get(\"n\") ?? 0";
    let files = [("count.post.rhai", count), ("half.post.rhai", &half), ("state.get.rhai", state)];
    let mut node = on(node(&files).config(CONFIG)).start();
    let mut before = 0;
    for round in 0..ROUNDS {
        node.wait_for_status("/state", 200);
        let answered = kill_in_the_middle(&mut node, &upstream, round, |id| format!("/count?id={id}"));
        let sums: BTreeSet<u64> = answered.iter().map(|sum| sum.parse().unwrap()).collect();
        node.wait_for_status("/state", 200);
        let sum: u64 = node.get("/state").text().parse().unwrap();
        // No two got the same, and what was answered counts.
        let most = before + (sums.len() + WRITERS) as u64;
        assert!(sums.first() > Some(&before) && sums.last() <= Some(&sum), "round {round}: {sum} after {before}, {sums:?}");
        assert!((before + sums.len() as u64..=most).contains(&sum), "round {round}: {sum} after {before}, {} answers", sums.len());
        before = sum;
    }
    assert_eq!(node.send("POST", "/count", &[], b"").text(), (before + 1).to_string());
}
