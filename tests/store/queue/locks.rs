//! Two who want the same locks take them in one order.

use std::time::Duration;

use picloud::{
    audit::{Action, Actor, Origin},
    queue::{End, Queue},
    store::queue::EventFilter,
};
use sqlx::{Connection as _, PgConnection};

use super::{claim, event, queue, settled};
use crate::kit::store::{Fresh, NOW_US};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_thrown_away_waits_for_the_end_of_another_of_its_key() {
    let fresh = Fresh::postgres().await;
    let store = fresh.open().await;
    let queue = queue(&store);
    queue.publish(["a", "b"].map(|id| event(id, Some("k"), &["mail"])).into(), NOW_US).await.unwrap();
    let running = claim(&queue, NOW_US).await;
    let b = store.events(&EventFilter { id: Some("b".into()), limit: 1, ..EventFilter::default() }).await.unwrap().remove(0);
    let blocked = store.deliveries_of(b.seq).await.unwrap().remove(0).id;
    // The end of the first stops half-way: it has the key, and is to let the second go.
    let mut other = PgConnection::connect(&fresh.url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE dead_letters IN EXCLUSIVE MODE").execute(&mut other).await.unwrap();
    let ending = tokio::spawn(async move { queue.settle(vec![settled(&running[0], End::Dead("no".into()))], NOW_US).await });
    wait_for_waiting(&mut other, 1).await;
    let discarding = tokio::spawn(async move {
        let record = Actor { who: "ada".into(), origin: Origin::Cli }.does(Action::EventDiscard, NOW_US, Default::default());
        store.discard_delivery(blocked, &record).await
    });
    wait_for_waiting(&mut other, 2).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(ending.await.unwrap().unwrap(), []);
    assert!(discarding.await.unwrap().unwrap(), "it was there, and is gone");
}

/// Waits until so many wait for a lock.
async fn wait_for_waiting(connection: &mut PgConnection, count: i64) {
    const WAITING: &str =
        "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let waiting = async {
        while sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&mut *connection).await.unwrap() < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("they wait for locks");
}
