//! `kill -9` in the middle of writes to the key-value store: what was answered is there.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use serde_json::Value;

use crate::kit::{
    api::{Api, bearer},
    node::{PATIENCE, Setup, Signal, node, wait_until},
    store::on_both_nodes,
};

on_both_nodes! {
    what_was_answered_before_a_kill_is_there
}

const WRITERS: u64 = 8;
const ROUNDS: u64 = 3;
/// Keys of each writer, which it writes again and again.
const KEYS: u64 = 5;

fn what_was_answered_before_a_kill_is_there(on: impl Fn(Setup) -> Setup) {
    let mut node = on(node(&[("a.rhai", "1")])).start();
    node.wait_for_state("ready");
    // For each key the last value that was answered, and what was sent after it.
    let answered: Mutex<BTreeMap<String, (u64, Option<u64>)>> = Mutex::default();
    for round in 0..ROUNDS {
        let count = AtomicU64::new(0);
        let bearer = bearer(&node);
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (node, answered, count, bearer) = (&node, &answered, &count, &bearer);
                scope.spawn(move || {
                    let mut client = node.client();
                    for number in 1.. {
                        let (key, value) = (format!("{writer}.{}", number % KEYS), round * 1_000_000 + number);
                        answered.lock().unwrap().entry(key.clone()).or_default().1 = Some(value);
                        let path = format!("/api/admin/kv/kills/{key}");
                        match client.send("PUT", &path, &[("authorization", bearer)], value.to_string().as_bytes()) {
                            Ok(answer) if answer.status == 200 => {
                                answered.lock().unwrap().insert(key, (value, None));
                                count.fetch_add(1, Ordering::Relaxed);
                            }
                            Ok(answer) => panic!("{}", answer.text()),
                            Err(_) => break,
                        }
                    }
                });
            }
            wait_until("some writes are answered", PATIENCE, || count.load(Ordering::Relaxed) > 100 + round * 37);
            node.signal(Signal::KILL);
        });
        node.kill();
        node.start();
        node.wait_for_state("ready");
        let page = Api::of(&node).get("/api/admin/kv/kills?limit=1000").json();
        let found: BTreeMap<String, u64> = (page["entries"].as_array().unwrap().iter())
            .map(|entry| (entry["key"].as_str().unwrap().to_owned(), entry["value"].as_u64().unwrap()))
            .collect();
        for (key, (last, sent)) in answered.lock().unwrap().iter() {
            let value = found.get(key).copied().unwrap_or(0);
            assert!(value == *last || Some(value) == *sent, "round {round}: `{key}` is {value}, answered was {last}, sent {sent:?}");
        }
        // What is counted is what is there.
        let namespaces = Api::of(&node).get("/api/admin/kv").json();
        let bytes: usize = found.iter().map(|(key, value)| key.len() + value.to_string().len()).sum();
        let size = &namespaces["namespaces"][0];
        assert_eq!((&size["keys"], &size["bytes"]), (&Value::from(found.len()), &Value::from(bytes)));
    }
}
