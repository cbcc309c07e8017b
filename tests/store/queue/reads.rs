//! What the queue reads does not grow with what waits in it. Postgres counts it, so no clock is asked.

use picloud::{
    function::schedule::Overlap,
    queue::{Advance, ClaimRequest, End, Queue, Receiver, Tick, TickOutcome},
    store::{Store, queue::StoredQueue},
};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

use super::{SECOND, event, handler, queue, schedule, scheduled, settled};
use crate::kit::store::{Fresh, NOW_US, until};

/// Deliveries of each kind that wait.
const WAITING: i64 = 20_000;

/// Fills the queue: deliveries that are due, and behind one another of one key, and whose function cannot run.
const FILL: &str = "INSERT INTO deliveries (seq, event, receiver, key, attempt, tick, state, due_us, lost, earlier)
    SELECT kind * 1000000 + number, kind * 1000000 + number, 'r' || kind, CASE WHEN kind = 2 THEN 'k' END, 0, NULL, kind, $2, 0, 0
    FROM generate_series(1, $1) AS number, (VALUES (0), (2), (3)) AS kinds (kind)";
const FILL_EVENTS: &str = "INSERT INTO events (seq, id, topic, key, payload, depth, emitted_by)
    SELECT seq, seq::text, 'a', key, '1', 1, '\"node\"' FROM deliveries";

/// Rows and entries of indexes of deliveries that were read.
const READS: &str = "SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'deliveries')::bigint,
    (SELECT SUM(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'deliveries')::bigint";
const OTHERS: &str = "SELECT COUNT(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name <> 'holder'";
const HOLDER: &str = "holder";

/// Returns what Postgres has counted. A connection tells what it did at its end.
async fn counted(fresh: &Fresh) -> i64 {
    until("nobody is connected", async || {
        let mut connection = PgConnection::connect(&fresh.url).await.unwrap();
        let others: i64 = sqlx::query_scalar(OTHERS).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        others == 0
    })
    .await;
    let mut connection = PgConnection::connect(&fresh.url).await.unwrap();
    let (of_table, of_indexes): (i64, i64) = sqlx::query_as(READS).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    of_table + of_indexes
}

/// Returns how much a piece of work reads.
async fn reads(fresh: &Fresh, work: impl AsyncFnOnce(&Store, StoredQueue)) -> i64 {
    let before = counted(fresh).await;
    let store = fresh.open().await;
    work(&store, queue(&store)).await;
    store.close().await;
    counted(fresh).await - before
}

const ROUNDS: i64 = 20;
const BATCH: i64 = 25;

/// Does everything that a node does with its queue, so often.
async fn day(store: &Store, queue: StoredQueue) {
    scheduled(store, "@daily", NOW_US).await;
    for round in 0..ROUNDS {
        let ids = |kind: &str| (0..BATCH).map(|number| format!("{kind}.{round}.{number}")).collect::<Vec<_>>();
        let keyed = ids("keyed").into_iter().map(|id| event(&id, Some("k"), &["r2"]));
        let plain = ids("plain").into_iter().map(|id| event(&id, None, &["mail"]));
        queue.publish(keyed.chain(plain).collect(), NOW_US).await.unwrap();
        let (from_us, to_us) = (NOW_US + round * SECOND, NOW_US + (round + 1) * SECOND);
        let tick = Some(Tick { due_us: to_us, ..Tick::default() });
        let advance = Advance { schedule: schedule("nightly"), from_us, to_us, tick, overlap: Overlap::Replace, most_waiting: 1 };
        assert!(matches!(queue.advance(vec![advance]).await.unwrap()[0], TickOutcome::Made | TickOutcome::Replaces(_)));
        assert!(queue.next_due(NOW_US).await.unwrap().is_some());
        let claimed = queue.claim(ClaimRequest { now_us: NOW_US, until_us: NOW_US + 3_600 * SECOND, most: BATCH as usize }).await.unwrap();
        assert_eq!(claimed.len(), BATCH as usize);
        let done = claimed.iter().map(|delivery| settled(delivery, End::Done)).collect();
        assert_eq!(queue.settle(done, NOW_US).await.unwrap(), []);
    }
    queue.release(vec![Receiver::Handler(handler("mail"))], NOW_US).await.unwrap();
}

/// Publishes, claims and settles, so often from this time on.
async fn evening(queue: &StoredQueue, from_us: i64) {
    for round in 0..ROUNDS {
        let now_us = from_us + round * SECOND;
        let events = (0..BATCH).map(|number| event(&format!("{now_us}.{number}"), None, &["mail", "stock"]));
        queue.publish(events.collect(), now_us).await.unwrap();
        let mut claimed = Vec::new();
        while claimed.len() < 2 * BATCH as usize {
            let more = queue.claim(ClaimRequest { now_us, until_us: now_us + 3_600 * SECOND, most: BATCH as usize }).await.unwrap();
            assert!(!more.is_empty(), "{} were claimed", claimed.len());
            assert_eq!(queue.settle(more.iter().map(|delivery| settled(delivery, End::Done)).collect(), now_us).await.unwrap(), []);
            claimed.extend(more);
        }
        assert_eq!(queue.next_due(now_us + 60 * SECOND).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_does_not_grow_while_somebody_holds_an_old_snapshot() {
    let fresh = Fresh::postgres().await;
    fresh.open().await.close().await;
    let mut holder = fresh.url.parse::<PgConnectOptions>().unwrap().application_name(HOLDER).connect().await.unwrap();
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT COUNT(*) FROM pg_class").execute(&mut holder).await.unwrap();
    let mut read = Vec::new();
    for time in 0..2 {
        read.push(reads(&fresh, async |_, queue| evening(&queue, NOW_US + time * ROUNDS * SECOND).await).await);
    }
    holder.close().await.unwrap();
    let claimed = 2 * BATCH * ROUNDS;
    println!("{claimed} deliveries: {} entries are read, and {} for as many more", read[0], read[1]);
    assert!(read[1] < 2 * read[0], "{} entries are read, and {} for as many more", read[0], read[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_is_the_same_with_a_long_queue_and_with_a_short_one() {
    let (short, long) = (Fresh::postgres().await, Fresh::postgres().await);
    for (fresh, waiting) in [(&short, 100), (&long, WAITING)] {
        fresh.open().await.close().await;
        let mut connection = PgConnection::connect(&fresh.url).await.unwrap();
        sqlx::query(FILL).bind(waiting as i32).bind(NOW_US).execute(&mut connection).await.unwrap();
        sqlx::query(FILL_EVENTS).execute(&mut connection).await.unwrap();
        sqlx::query("ANALYZE").execute(&mut connection).await.unwrap();
    }
    let (short, long) = (reads(&short, day).await, reads(&long, day).await);
    // What is held is looked through once, when other functions go live.
    println!("{} rounds with {} deliveries read {short} rows where 300 wait, {long} where {} wait", ROUNDS, BATCH, WAITING * 3);
    assert!(long < 2 * short + 2 * WAITING, "{long} rows are read where {} wait, {short} where 300 wait", WAITING * 3);
}
