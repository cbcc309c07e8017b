//! Three nodes on one Postgres, each with its own connections: a due time exists once, a key has one run at a time, a lease that ends is another's.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Mutex,
};

use futures_util::future::join_all;
use picloud::{
    function::schedule::{Overlap, ScheduleId},
    queue::{Advance, ClaimRequest, Delivery, DeliveryId, End, Load, Queue, Receiver, ScheduleRule, Tick, TickOutcome},
    store::{Store, queue::StoredQueue},
};
use tokio::sync::Barrier;

use super::{SECOND, claim, event, events, queue, schedule, settled};
use crate::kit::store::{Fresh, NOW_US};

const NODES: usize = 3;

/// Three nodes on a fresh database.
async fn nodes() -> Vec<StoredQueue> {
    let fresh = Fresh::postgres().await;
    let mut stores: Vec<Store> = Vec::new();
    for _ in 0..NODES {
        stores.push(fresh.open().await);
    }
    stores.iter().map(queue).collect()
}

/// Claims as many as that for a lease of 30 seconds.
async fn claim_some(queue: &StoredQueue, now_us: i64, most: usize) -> Vec<Delivery> {
    queue.claim(ClaimRequest { now_us, until_us: now_us + 30 * SECOND, most }).await.unwrap()
}

const SCHEDULES: usize = 250;
const DUE_TIMES: i64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_due_times_on_three_nodes_each_is_run_once() {
    let nodes = nodes().await;
    let rules: Vec<ScheduleRule> =
        (0..SCHEDULES).map(|number| ScheduleRule { id: schedule(&format!("s{number}")), expression: "every = \"1s\"".into() }).collect();
    let (barrier, begun) = (Barrier::new(NODES), nodes[0].schedules(rules.clone(), NOW_US).await.unwrap());
    assert!(begun.iter().all(|one| one.last_us == NOW_US));
    let work = nodes.iter().map(async |node| {
        let (mut made, mut ran) = (0, Vec::new());
        for second in 1..=DUE_TIMES {
            // All see the same time come.
            barrier.wait().await;
            let now_us = NOW_US + second * SECOND;
            let progress = node.schedules(rules.clone(), now_us).await.unwrap();
            let due = progress.into_iter().filter(|one| one.last_us < now_us);
            let steps = due.map(|one| step(one.id, one.last_us)).collect();
            made += node.advance(steps).await.unwrap().iter().filter(|outcome| **outcome == TickOutcome::Made).count();
            ran.extend(run_due(node, now_us).await);
        }
        barrier.wait().await;
        ran.extend(run_due(node, NOW_US + DUE_TIMES * SECOND).await);
        (made, ran)
    });
    let (made, ran): (Vec<usize>, Vec<_>) = join_all(work).await.into_iter().unzip();
    let expected = SCHEDULES * DUE_TIMES as usize;
    println!("made by each: {made:?}, run by each: {:?}", ran.iter().map(Vec::len).collect::<Vec<_>>());
    assert_eq!(made.iter().sum::<usize>(), expected);
    let ran = ran.concat();
    assert_eq!((ran.len(), ran.iter().collect::<HashSet<_>>().len()), (expected, expected));
    assert_eq!(nodes[0].next_due(i64::MAX).await.unwrap(), None);
}

fn step(schedule: ScheduleId, from_us: i64) -> Advance {
    let to_us = from_us + SECOND;
    let tick = Tick { due_us: to_us, ..Tick::default() };
    Advance { schedule, from_us, to_us, tick: Some(tick), overlap: Overlap::Allow, most_waiting: 0 }
}

/// Runs what is due, each in its first attempt, and returns which due times those are.
async fn run_due(node: &StoredQueue, now_us: i64) -> Vec<(Receiver, i64)> {
    let mut ran = Vec::new();
    loop {
        let claimed = claim_some(node, now_us, 50).await;
        if claimed.is_empty() {
            return ran;
        }
        let done = claimed.iter().map(|delivery| settled(delivery, End::Done)).collect();
        assert_eq!(node.settle(done, now_us).await.unwrap(), []);
        ran.extend(claimed.into_iter().map(|delivery| {
            assert_eq!(delivery.attempt, 1);
            let Load::Tick(tick) = delivery.load else { panic!("it is a due time") };
            (delivery.receiver, tick.due_us)
        }));
    }
}

const KEYS: usize = 12;
const EVENTS: usize = 25;

/// What has been seen of deliveries, each of which is of one receiver and key.
#[derive(Default)]
struct Seen {
    running: Mutex<BTreeSet<(Receiver, String)>>,
    /// The events that are done, in their order.
    done: Mutex<BTreeMap<(Receiver, String), Vec<String>>>,
}

impl Seen {
    fn count(&self) -> usize {
        self.done.lock().unwrap().values().map(Vec::len).sum()
    }

    /// Runs a delivery. Some fail at first. What is done emits an event for another key, so that settlements want the keys of others.
    async fn run(&self, node: &StoredQueue, delivery: &Delivery) {
        let id = events(std::slice::from_ref(delivery))[0].to_owned();
        let mut parts = id.split('.').map(|part| part.parse::<usize>().unwrap_or(0));
        let (key, number) = (parts.next().unwrap(), parts.next().unwrap());
        let of = (delivery.receiver.clone(), key.to_string());
        assert!(self.running.lock().unwrap().insert(of.clone()), "two of {of:?} run");
        tokio::task::yield_now().await;
        let mut settlement = settled(delivery, End::Done);
        if delivery.attempt == 1 && number.is_multiple_of(5) {
            settlement.end = End::Retry(NOW_US);
        } else {
            self.done.lock().unwrap().entry(of.clone()).or_default().push(id.clone());
            if delivery.receiver.as_str() != "last" {
                let other = ((key * 7 + number) % KEYS).to_string();
                settlement.emitted =
                    vec![event(&format!("{other}.{number}.{key}.{}", delivery.receiver.as_str()), Some(&other), &["last"])];
            }
        }
        self.running.lock().unwrap().remove(&of);
        assert_eq!(node.settle(vec![settlement], NOW_US).await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_one_key_run_one_after_the_other_on_three_nodes_in_the_order_of_their_commit() {
    let nodes = nodes().await;
    let seen = Seen::default();
    // The events of a key are published by one node after the other.
    let publish = (0..KEYS).map(async |key| {
        for number in 0..EVENTS {
            let publication = event(&format!("{key}.{number}"), Some(&key.to_string()), &["mail", "stock"]);
            nodes[(key + number) % NODES].publish(vec![publication], NOW_US).await.unwrap();
        }
    });
    let expected = KEYS * EVENTS * 2;
    let run = nodes.iter().map(async |node| {
        while seen.count() < 2 * expected {
            let claimed = claim_some(node, NOW_US, 5).await;
            join_all(claimed.iter().map(|delivery| seen.run(node, delivery))).await;
        }
    });
    tokio::join!(join_all(publish), join_all(run));
    let done = seen.done.into_inner().unwrap();
    let of = |receiver: &str| done.iter().filter(|((one, _), _)| one.as_str() == receiver).map(|(_, ids)| ids).collect::<Vec<_>>();
    for receiver in ["mail", "stock"] {
        assert_eq!(of(receiver).len(), KEYS);
        for ids in of(receiver) {
            let numbers: Vec<usize> = ids.iter().map(|id| id.split_once('.').unwrap().1.parse().unwrap()).collect();
            assert_eq!(numbers, (0..EVENTS).collect::<Vec<_>>());
        }
    }
    let emitted: Vec<&String> = of("last").into_iter().flatten().collect();
    assert_eq!((emitted.len(), emitted.iter().collect::<HashSet<_>>().len()), (expected, expected));
    assert_eq!(nodes[0].next_due(i64::MAX).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_that_went_had_claimed_is_taken_once_by_the_others_and_its_late_settlement_is_refused() {
    let nodes = nodes().await;
    let all = (0..50).map(|number| event(&number.to_string(), (number % 2 == 0).then(|| number.to_string()).as_deref(), &["mail"]));
    nodes[0].publish(all.collect(), NOW_US).await.unwrap();
    let first = claim(&nodes[0], NOW_US).await;
    assert_eq!(first.len(), 50);
    let end_us = NOW_US + 30 * SECOND;
    for node in &nodes[1..] {
        assert_eq!(claim(node, end_us - 1).await, []);
    }
    let taken = join_all(nodes[1..].iter().map(async |node| {
        let mut taken = Vec::new();
        loop {
            match claim_some(node, end_us, 7).await {
                claimed if claimed.is_empty() => return taken,
                claimed => taken.extend(claimed),
            }
        }
    }));
    let taken = taken.await;
    let ids: BTreeSet<DeliveryId> = taken.iter().flatten().map(|delivery| delivery.id).collect();
    assert_eq!((taken.iter().map(Vec::len).sum::<usize>(), ids.len()), (50, 50));
    assert!(taken.iter().flatten().all(|delivery| (delivery.attempt, delivery.lost) == (2, 1)));
    // The first comes late, with what its runs emitted.
    let mut late: Vec<_> = first.iter().map(|delivery| settled(delivery, End::Done)).collect();
    late[0].emitted = vec![event("never", None, &["mail"])];
    let refused: BTreeSet<DeliveryId> = nodes[0].settle(late, end_us).await.unwrap().into_iter().collect();
    assert_eq!(refused, ids);
    for (node, taken) in nodes[1..].iter().zip(&taken) {
        let done = taken.iter().map(|delivery| settled(delivery, End::Done)).collect();
        assert_eq!(node.settle(done, end_us).await.unwrap(), []);
    }
    assert_eq!(nodes[0].next_due(i64::MAX).await.unwrap(), None);
}
