//! Many writers at once: each write is whole, and none is lost.

use std::sync::Arc;

use picloud::capability::kv::{KeyValue, SetResult};
use tokio::task::JoinSet;

use super::{Add, Fresh, Kept, Set, StoredKeyValue, key, ns, on_both, set};

on_both! {
    no_sum_is_lost
    no_write_is_lost_between_two_handles
    no_update_is_lost
    what_is_dropped_before_it_begins_is_not_written
}

const TASKS: i64 = 64;

/// Runs the same on many tasks, shared out among these handles of one database.
async fn on_many_tasks<F: Future<Output = ()> + Send + 'static>(handles: &[&Kept], work: impl Fn(Arc<StoredKeyValue>, i64) -> F) {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(work(handles[task as usize % handles.len()].kv.clone(), task));
    }
    tasks.join_all().await;
}

async fn no_sum_is_lost(fresh: Fresh) {
    const ADDS: i64 = 1_000;
    let kept = Kept::open(&fresh).await;
    on_many_tasks(&[&kept], |kv, task| async move {
        for add in 0..ADDS {
            // Most add to the same number, and some make others beside it.
            kv.add(&ns("a"), &key("sum"), Add { delta: 1, ttl: None }).await.unwrap();
            if add % 100 == 0 {
                kv.add(&ns("a"), &key(&format!("{task}")), Add { delta: 1, ttl: None }).await.unwrap();
            }
        }
    })
    .await;
    assert_eq!(kept.value("sum").await, Some((TASKS * ADDS).to_string()));
    assert_eq!(kept.value("7").await, Some((ADDS / 100).to_string()));
    let digits: u64 = (0..TASKS).map(|task| task.to_string().len() as u64 + 2).sum();
    assert_eq!(kept.sizes().await, [("a".into(), TASKS as u64 + 1, digits + 3 + 5)]);
}

/// Another process has a handle of its own, as this one has two.
async fn no_write_is_lost_between_two_handles(fresh: Fresh) {
    const ADDS: i64 = 10;
    let (one, other) = (Kept::open(&fresh).await, Kept::open(&fresh).await);
    on_many_tasks(&[&one, &other], |kv, _| async move {
        for _ in 0..ADDS {
            kv.add(&ns("a"), &key("sum"), Add { delta: 1, ttl: None }).await.unwrap();
        }
    })
    .await;
    assert_eq!(other.value("sum").await, Some((TASKS * ADDS).to_string()));
    assert_eq!(one.sizes().await, [("a".into(), 1, 6)]);
}

async fn no_update_is_lost(fresh: Fresh) {
    const UPDATES: i64 = 5;
    let kept = Kept::open(&fresh).await;
    on_many_tasks(&[&kept], |kv, _| async move {
        for _ in 0..UPDATES {
            loop {
                let entry = kv.get(&ns("a"), &key("n")).await.unwrap();
                let (number, version) = entry.map_or((0, 0), |entry| (entry.value.value().as_i64().unwrap(), entry.version));
                let next = Set { if_version: Some(version), ..set(&(number + 1).to_string()) };
                if let SetResult::Done(_) = kv.set(&ns("a"), &key("n"), next).await.unwrap() {
                    break;
                }
            }
        }
    })
    .await;
    assert_eq!(kept.value("n").await, Some((TASKS * UPDATES).to_string()));
}

async fn what_is_dropped_before_it_begins_is_not_written(fresh: Fresh) {
    let kept = Kept::open(&fresh).await;
    let (mut dropped, mut kept_on) = (Vec::new(), Vec::new());
    for number in 0..100 {
        let (one, other) = (key(&format!("dropped{number}")), key(&format!("kept{number}")));
        let mut first = Box::pin({
            let kv = &kept.kv;
            async move { kv.set(&ns("a"), &one, set("1")).await }
        });
        let _ = futures_util::poll!(&mut first);
        // Whether its transaction has begun, or even ended, nobody knows: it is written whole, or not at all.
        drop(first);
        dropped.push(number);
        kept_on.push(kept.kv.set(&ns("a"), &other, set("1")).await);
    }
    assert!(kept_on.iter().all(Result::is_ok));
    let (written, _) = kept.list("dropped", "", 1_000, 0).await;
    let (all, _) = kept.list("", "", 1_000, 0).await;
    assert_eq!(all.len(), written.len() + 100);
    assert_eq!(kept.sizes().await[0].1, all.len() as u64);
}
