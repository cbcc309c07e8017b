//! What SQL emitted, on its way into the queue: in parts, and each once, whoever takes it.

use std::collections::HashSet;

use futures_util::future::join_all;
use picloud::{
    execution::{Emitter, MAX_DELAY},
    queue::{InboxEntry, Load, Publication, Queue},
    store::{Store, queue::StoredQueue},
};

use super::{claim, handler, queue};
use crate::kit::store::{Fresh, NOW_US, on_both};

on_both! {
    what_waits_in_the_inbox_is_taken_once_whoever_takes_it
    the_inbox_is_read_in_parts
    an_entry_is_due_when_its_emitter_said
}

/// Runs a statement on the database of a node, as another program does.
async fn run(fresh: &Fresh, sql: String) {
    let sql = sqlx::AssertSqlSafe(sql);
    match fresh.url.as_str() {
        "sqlite" => {
            sqlx::query(sql).execute(&sqlx::SqlitePool::connect(fresh.sqlite_file().to_str().unwrap()).await.unwrap()).await.map(drop)
        }
        url => sqlx::query(sql).execute(&sqlx::PgPool::connect(url).await.unwrap()).await.map(drop),
    }
    .unwrap();
}

/// Leaves entries with this payload and due time.
async fn fill(fresh: &Fresh, count: usize, payload: &str, due_us: i64) {
    let values: Vec<String> = (0..count).map(|number| format!("('{number}', 'a', '{payload}', 0, {due_us})")).collect();
    run(fresh, format!("INSERT INTO inbox (id, topic, payload, is_named, due_us) VALUES {}", values.join(", "))).await;
}

fn addressed(entries: Vec<InboxEntry>) -> Vec<(i64, Option<Publication>)> {
    let publication = |event| Publication { event, handlers: vec![(handler("mail"), None)] };
    entries.into_iter().map(|entry| (entry.seq, entry.event.ok().map(publication))).collect()
}

async fn what_waits_in_the_inbox_is_taken_once_whoever_takes_it(fresh: Fresh) {
    let mut stores: Vec<Store> = vec![fresh.open().await];
    for _ in 0..2 {
        // Of SQLite there is one node.
        stores.push(if fresh.url == "sqlite" { stores[0].clone() } else { fresh.open().await });
    }
    let queues: Vec<StoredQueue> = stores.iter().map(queue).collect();
    fill(&fresh, 600, "1", 0).await;
    loop {
        // All of them have read the same before the first takes it.
        let read = join_all(queues.iter().map(async |queue| queue.inbox(256, NOW_US).await.unwrap())).await;
        if read[0].is_empty() {
            break;
        }
        assert!(read.iter().all(|entries| *entries == read[0]));
        let takes = queues.iter().zip(read).map(async |(queue, entries)| queue.take_from_inbox(addressed(entries), NOW_US).await.unwrap());
        join_all(takes).await;
    }
    let (mut count, mut ids) = (0, HashSet::new());
    loop {
        let claimed = claim(&queues[0], NOW_US).await;
        if claimed.is_empty() {
            break;
        }
        count += claimed.len();
        for delivery in claimed {
            let Load::Event(event) = delivery.load else { panic!("it is an event") };
            assert_eq!((event.by, event.depth), (Emitter::Database, 1));
            ids.insert(event.id);
        }
    }
    assert_eq!((count, ids.len()), (600, 600));
}

async fn the_inbox_is_read_in_parts(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    assert_eq!(queue.inbox(256, NOW_US).await.unwrap(), []);
    fill(&fresh, 300, "1", 0).await;
    assert_eq!(queue.inbox(256, NOW_US).await.unwrap().len(), 256);
    assert_eq!(queue.inbox(7, NOW_US).await.unwrap().len(), 7);
    run(&fresh, "DELETE FROM inbox".into()).await;
    fill(&fresh, 10, &format!("\"{}\"", "x".repeat(200_000)), 0).await;
    let entries = queue.inbox(256, NOW_US).await.unwrap();
    assert_eq!(entries.len(), 6);
    assert!(entries.is_sorted_by_key(|entry| entry.seq));
    queue.take_from_inbox(addressed(entries), NOW_US).await.unwrap();
    assert_eq!(queue.inbox(256, NOW_US).await.unwrap().len(), 4);
}

async fn an_entry_is_due_when_its_emitter_said(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    let (hour, forty_days) = (3_600_000_000, 40 * 24 * 3_600_000_000);
    for (due_us, expected_us) in [(0, NOW_US), (NOW_US + hour, NOW_US + hour), (NOW_US + forty_days, NOW_US + MAX_DELAY.as_micros() as i64)]
    {
        fill(&fresh, 1, "1", due_us).await;
        let entries = queue.inbox(256, NOW_US).await.unwrap();
        queue.take_from_inbox(addressed(entries), NOW_US).await.unwrap();
        assert_eq!(queue.next_due(i64::MAX).await.unwrap(), Some(expected_us));
        assert_eq!(claim(&queue, expected_us).await.len(), 1);
        run(&fresh, "DELETE FROM deliveries".into()).await;
    }
}
