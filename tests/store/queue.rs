//! The queue: what waits to be run without a caller, each once and in its order.

mod inbox;
mod locks;
mod nodes;
mod reads;

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::future::join_all;
use picloud::{
    audit::{Action, Actor, Origin},
    clock::{Clock, SystemClock},
    execution::{Emitter, NewEvent},
    function::{
        FunctionName,
        handler::HandlerId,
        schedule::{Overlap, ScheduleId},
    },
    id::{Ids, NodeNumber},
    queue::{Advance, ClaimRequest, Delivery, End, Load, Publication, Queue, Receiver, ScheduleRule, Settlement, Tick, TickOutcome},
    store::queue::{DeadLetterFilter, DeadLetterOutcome, EventFilter, MAX_TICKS, QueueLimits, StoredQueue},
};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::watch;

use crate::kit::store::{Fresh, NOW_US, on_both};

on_both! {
    an_event_becomes_a_delivery_for_each_handler
    a_chosen_id_is_an_event_once_a_day
    of_one_key_one_runs_after_the_other
    a_failed_attempt_comes_again_at_its_time
    what_is_given_up_leaves_the_queue_and_lets_the_next_of_its_key_go
    a_reason_with_a_zero_character_is_settled_as_any_other
    what_cannot_run_waits_and_spends_no_attempt
    a_lease_that_has_ended_is_another_s_and_its_holder_settles_nothing
    of_two_claims_of_one_attempt_the_last_settles
    what_a_handler_emits_comes_with_its_end_or_not_at_all
    of_many_claimers_each_delivery_has_one
    what_is_emitted_at_once_is_kept_each_once
    a_due_time_is_a_delivery_once
    a_due_time_that_overlaps_is_left_out_or_waits
    a_due_time_that_is_replaced_before_it_runs_is_told
    of_runs_that_go_on_at_once_one_counts_for_a_due_time_that_waits
    what_is_caught_up_waits_for_what_runs
    a_due_time_takes_the_place_of_the_run_before
    a_run_that_is_asked_for_moves_nothing_and_is_claimed_by_who_asked
    of_due_times_the_last_are_kept_with_what_became_of_them
    a_schedule_begins_when_it_is_new_or_another
    old_events_and_dead_letters_are_removed_and_what_waits_is_not
    dead_letters_are_put_back_in_the_order_of_their_keys
    a_delivery_that_is_thrown_away_lets_no_other_run_beside_one_of_its_key
}

const SECOND: i64 = 1_000_000;

fn queue(store: &picloud::store::Store) -> StoredQueue {
    let ids = Arc::new(Ids::new(Arc::new(SystemClock), NodeNumber::drawn()));
    StoredQueue::new(watch::Sender::new(Some(store.clone())).subscribe(), ids, QueueLimits::default(), watch::Sender::default())
}

fn handler(name: &str) -> HandlerId {
    HandlerId::new(&FunctionName::new(name), None)
}

fn schedule(name: &str) -> ScheduleId {
    ScheduleId::new(&FunctionName::new(name), None)
}

/// An event for these handlers, ordered by this key.
fn event(id: &str, key: Option<&str>, handlers: &[&str]) -> Publication {
    let event = NewEvent {
        id: id.into(),
        is_named: true,
        topic: "orders.created".parse().unwrap(),
        key: key.map(Into::into),
        payload: format!("{{\"id\":{id:?}}}").into(),
        delay: Duration::ZERO,
        depth: 1,
        by: Emitter::Node,
    };
    Publication { event, handlers: handlers.iter().map(|name| (handler(name), key.map(Into::into))).collect() }
}

async fn claim(queue: &StoredQueue, now_us: i64) -> Vec<Delivery> {
    queue.claim(ClaimRequest { now_us, until_us: now_us + 30 * SECOND, most: 50 }).await.unwrap()
}

/// The ids of the events of deliveries.
fn events(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries
        .iter()
        .filter_map(|delivery| match &delivery.load {
            Load::Event(event) => Some(event.id.as_str()),
            Load::Tick(_) => None,
        })
        .collect()
}

fn settled(delivery: &Delivery, end: End) -> Settlement {
    let error = (end != End::Done).then(|| "orders.rhai:3:1: no".to_owned());
    let (id, until_us) = (delivery.id, delivery.until_us);
    Settlement { delivery: id, attempt: delivery.attempt, until_us, execution: None, version: None, error, end, emitted: Vec::new() }
}

async fn settle(queue: &StoredQueue, delivery: &Delivery, end: End) {
    assert_eq!(queue.settle(vec![settled(delivery, end)], NOW_US).await.unwrap(), []);
}

async fn an_event_becomes_a_delivery_for_each_handler(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    queue.publish(vec![event("a", None, &["mail", "stock"]), event("b", None, &[])], NOW_US).await.unwrap();
    assert_eq!(queue.next_due(i64::MAX).await.unwrap(), Some(NOW_US));
    let claimed = claim(&queue, NOW_US).await;
    assert_eq!(events(&claimed), ["a", "a"]);
    let receivers: HashSet<_> = claimed.iter().map(|delivery| delivery.receiver.clone()).collect();
    assert_eq!(receivers, ["mail", "stock"].map(|name| Receiver::Handler(handler(name))).into());
    let Load::Event(first) = &claimed[0].load else { panic!("it is an event") };
    assert_eq!((first.topic.as_str(), &*first.payload, first.depth), ("orders.created", "{\"id\":\"a\"}", 1));
    assert_eq!((claimed[0].attempt, claimed[0].lost), (1, 0));
    assert_eq!(claim(&queue, NOW_US).await, []);
    for delivery in &claimed {
        settle(&queue, delivery, End::Done).await;
    }
    assert_eq!(queue.next_due(i64::MAX).await.unwrap(), None);
}

async fn a_chosen_id_is_an_event_once_a_day(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    let day = 24 * 3_600 * SECOND;
    queue.publish(vec![event("a", None, &["mail"]), event("a", None, &["mail"])], NOW_US).await.unwrap();
    queue.publish(vec![event("a", None, &["mail"]), event("b", None, &["mail"])], NOW_US + day - 1).await.unwrap();
    assert_eq!(events(&claim(&queue, NOW_US + day).await), ["a", "b"]);
    queue.publish(vec![event("a", None, &["mail"])], NOW_US + day).await.unwrap();
    assert_eq!(events(&claim(&queue, NOW_US + day).await), ["a"]);
    let unnamed = || {
        let mut publication = event("c", None, &["mail"]);
        publication.event.is_named = false;
        publication
    };
    queue.publish(vec![unnamed(), unnamed()], NOW_US + day).await.unwrap();
    assert_eq!(events(&claim(&queue, NOW_US + day).await), ["c", "c"]);
}

async fn of_one_key_one_runs_after_the_other(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    let of = |id: &str, key| event(id, Some(key), &["mail", "stock"]);
    queue.publish(vec![of("a", "7"), of("b", "7"), of("c", "8")], NOW_US).await.unwrap();
    queue.publish(vec![of("d", "7")], NOW_US).await.unwrap();
    let mut order = Vec::new();
    for _ in 0..3 {
        let claimed = claim(&queue, NOW_US).await;
        let keyed: HashSet<_> = claimed.iter().map(|one| (one.receiver.clone(), events(std::slice::from_ref(one))[0] == "c")).collect();
        assert_eq!(keyed.len(), claimed.len(), "two of one key at a time");
        order.extend(
            claimed
                .iter()
                .filter(|one| one.receiver == Receiver::Handler(handler("mail")))
                .map(|one| events(std::slice::from_ref(one))[0].to_owned()),
        );
        for delivery in &claimed {
            settle(&queue, delivery, End::Done).await;
        }
    }
    order.retain(|id| id != "c");
    assert_eq!(order, ["a", "b", "d"]);
    assert_eq!(queue.next_due(i64::MAX).await.unwrap(), None);
}

async fn a_failed_attempt_comes_again_at_its_time(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    queue.publish(vec![event("a", Some("7"), &["mail"]), event("b", Some("7"), &["mail"])], NOW_US).await.unwrap();
    let first = claim(&queue, NOW_US).await;
    settle(&queue, &first[0], End::Retry(NOW_US + 10 * SECOND)).await;
    assert_eq!(claim(&queue, NOW_US + 9 * SECOND).await, [], "it holds its key meanwhile");
    assert_eq!(queue.next_due(i64::MAX).await.unwrap(), Some(NOW_US + 10 * SECOND));
    let again = claim(&queue, NOW_US + 10 * SECOND).await;
    assert_eq!((events(&again), again[0].attempt, again[0].lost), (vec!["a"], 2, 0));
    settle(&queue, &again[0], End::Done).await;
    assert_eq!(events(&claim(&queue, NOW_US + 10 * SECOND).await), ["b"]);
}

async fn what_is_given_up_leaves_the_queue_and_lets_the_next_of_its_key_go(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    queue.publish(vec![event("a", Some("7"), &["mail"]), event("b", Some("7"), &["mail"])], NOW_US).await.unwrap();
    let first = claim(&queue, NOW_US).await;
    settle(&queue, &first[0], End::Dead("unknown customer".into())).await;
    assert_eq!(events(&claim(&queue, NOW_US).await), ["b"]);
}

async fn a_reason_with_a_zero_character_is_settled_as_any_other(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    queue.publish(vec![event("a", None, &["mail"])], NOW_US).await.unwrap();
    let claimed = claim(&queue, NOW_US).await;
    let error = Some("mail.rhai:1:1: a\0b".to_owned());
    let end = End::Dead("c\0d".into());
    assert_eq!(queue.settle(vec![Settlement { error, ..settled(&claimed[0], end) }], NOW_US).await.unwrap(), []);
    let letters = store.dead_letters(&DeadLetterFilter { limit: 10, ..DeadLetterFilter::default() }).await.unwrap();
    assert_eq!(letters[0].reason, "c\u{fffd}d");
    assert_eq!(store.failed_attempts(letters[0].id).await.unwrap()[0].error, "mail.rhai:1:1: a\u{fffd}b");
}

async fn what_cannot_run_waits_and_spends_no_attempt(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    queue.publish(vec![event("a", None, &["mail"]), event("b", None, &["stock"])], NOW_US).await.unwrap();
    for delivery in claim(&queue, NOW_US).await {
        settle(&queue, &delivery, End::Held).await;
    }
    assert_eq!(queue.next_due(i64::MAX).await.unwrap(), None);
    assert_eq!(queue.release(vec![Receiver::Handler(handler("mail")), Receiver::Handler(handler("other"))], NOW_US).await.unwrap(), 1);
    let claimed = claim(&queue, NOW_US).await;
    assert_eq!((events(&claimed), claimed[0].attempt), (vec!["a"], 1));
}

async fn a_lease_that_has_ended_is_another_s_and_its_holder_settles_nothing(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    queue.publish(vec![event("a", None, &["mail"])], NOW_US).await.unwrap();
    let first = claim(&queue, NOW_US).await;
    assert_eq!(claim(&queue, NOW_US + 30 * SECOND - 1).await, []);
    let second = claim(&queue, NOW_US + 30 * SECOND).await;
    assert_eq!((second[0].attempt, second[0].lost), (2, 1));
    let mut late = settled(&first[0], End::Done);
    late.emitted = vec![event("never", None, &["mail"])];
    assert_eq!(queue.settle(vec![late, settled(&second[0], End::Done)], NOW_US).await.unwrap(), [first[0].id]);
    assert_eq!(queue.next_due(i64::MAX).await.unwrap(), None);
}

async fn of_two_claims_of_one_attempt_the_last_settles(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    queue.publish(vec![event("a", None, &["mail"])], NOW_US).await.unwrap();
    let first = claim(&queue, NOW_US).await;
    // As where a crash of the database forgets a claim.
    settle(&queue, &first[0], End::Later(NOW_US)).await;
    let second = claim(&queue, NOW_US + SECOND).await;
    assert_eq!((first[0].attempt, second[0].attempt), (1, 1));
    let emitting =
        |delivery: &Delivery, id: &str| Settlement { emitted: vec![event(id, None, &["stock"])], ..settled(delivery, End::Done) };
    let ends = vec![emitting(&first[0], "first"), emitting(&second[0], "second")];
    assert_eq!(queue.settle(ends, NOW_US).await.unwrap(), [first[0].id]);
    assert_eq!(events(&claim(&queue, NOW_US + SECOND).await), ["second"]);
}

async fn what_a_handler_emits_comes_with_its_end_or_not_at_all(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    queue.publish(vec![event("a", None, &["mail"])], NOW_US).await.unwrap();
    let first = claim(&queue, NOW_US).await;
    let mut end = settled(&first[0], End::Done);
    end.emitted = vec![event("b", None, &["stock"])];
    assert_eq!(queue.settle(vec![end.clone()], NOW_US).await.unwrap(), []);
    assert_eq!(queue.settle(vec![end], NOW_US).await.unwrap(), [first[0].id], "it is settled already");
    assert_eq!(events(&claim(&queue, NOW_US).await), ["b"]);
}

async fn what_is_emitted_at_once_is_kept_each_once(fresh: Fresh) {
    let queue = queue(&fresh.open().await);
    // Two callers for each id. Some events are large, so that not all share a transaction.
    let emissions = (0..300).map(|number| {
        let mut publication = event(&(number / 2).to_string(), None, &["a"]);
        if number % 50 == 0 {
            publication.event.payload = format!("{:?}", "x".repeat(250_000)).into();
        }
        queue.publish(vec![publication], NOW_US)
    });
    join_all(emissions).await.into_iter().for_each(|kept| drop(kept.unwrap()));
    let mut found = HashSet::new();
    loop {
        let claimed = claim(&queue, NOW_US).await;
        if claimed.is_empty() {
            break;
        }
        assert!(events(&claimed).into_iter().all(|id| found.insert(id.to_owned())), "an event came twice");
    }
    assert_eq!(found.len(), 150);
}

#[tokio::test]
async fn a_look_that_finds_nothing_keeps_its_connection() {
    let fresh = Fresh::postgres().await;
    let queue = queue(&fresh.open().await);
    claim(&queue, NOW_US).await;
    let mut other = PgConnection::connect(&fresh.url).await.unwrap();
    let mut sessions = async || -> Vec<(i32,)> {
        let sessions =
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' ORDER BY pid";
        sqlx::query_as(sessions).fetch_all(&mut other).await.unwrap()
    };
    let before = sessions().await;
    for _ in 0..3 {
        assert_eq!(claim(&queue, NOW_US).await, []);
    }
    // There may be more: one that was given back is asked whether it answers, and is not free at once.
    let after = sessions().await;
    assert!(before.iter().all(|session| after.contains(session)), "{before:?} became {after:?}");
}

async fn of_many_claimers_each_delivery_has_one(fresh: Fresh) {
    let store = fresh.open().await;
    let queues: Vec<_> = (0..4).map(|_| queue(&store)).collect();
    let all: Vec<_> = (0..200).map(|number| event(&number.to_string(), None, &["mail"])).collect();
    queues[0].publish(all, NOW_US).await.unwrap();
    let claims = queues.iter().map(|queue| async {
        let mut mine = Vec::new();
        loop {
            let claimed = queue.claim(ClaimRequest { now_us: NOW_US, until_us: NOW_US + SECOND, most: 7 }).await.unwrap();
            if claimed.is_empty() {
                return mine;
            }
            let settled = claimed.iter().map(|delivery| settled(delivery, End::Done)).collect();
            assert_eq!(queue.settle(settled, NOW_US).await.unwrap(), []);
            mine.extend(claimed.into_iter().map(|delivery| delivery.id));
        }
    });
    let ids: Vec<_> = join_all(claims).await.into_iter().flatten().collect();
    assert_eq!((ids.len(), ids.iter().collect::<HashSet<_>>().len()), (200, 200));
}

/// Makes a schedule, and returns its state.
async fn scheduled(store: &picloud::store::Store, expression: &str, now_us: i64) {
    let live = vec![ScheduleRule { id: schedule("nightly"), expression: expression.into() }];
    queue(store).schedules(live, now_us).await.unwrap();
}

fn advance(from_us: i64, to_us: i64, overlap: Overlap) -> Advance {
    let tick = Some(Tick { due_us: to_us, ..Tick::default() });
    Advance { schedule: schedule("nightly"), from_us, to_us, tick, overlap, most_waiting: 1 }
}

/// The due times of deliveries of schedules.
fn due(deliveries: &[Delivery]) -> Vec<i64> {
    let due = |delivery: &Delivery| if let Load::Tick(tick) = &delivery.load { Some(tick.due_us) } else { None };
    deliveries.iter().filter_map(due).collect()
}

async fn a_due_time_is_a_delivery_once(fresh: Fresh) {
    let store = fresh.open().await;
    scheduled(&store, "@daily", NOW_US).await;
    let queues: Vec<_> = (0..5).map(|_| queue(&store)).collect();
    let outcomes = join_all(queues.iter().map(|queue| queue.advance(vec![advance(NOW_US, NOW_US + SECOND, Overlap::Allow)]))).await;
    let made = outcomes.into_iter().filter(|outcome| *outcome.as_ref().unwrap() == [TickOutcome::Made]).count();
    assert_eq!(made, 1);
    let claimed = claim(&queues[0], NOW_US + SECOND).await;
    assert_eq!(due(&claimed), [NOW_US + SECOND]);
    assert_eq!(claimed[0].receiver, Receiver::Schedule(schedule("nightly")));
}

async fn a_due_time_that_overlaps_is_left_out_or_waits(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    for (overlap, outcomes, waiting) in [
        (Overlap::Skip, [TickOutcome::Made, TickOutcome::Overlaps, TickOutcome::Overlaps], 0),
        (Overlap::Queue, [TickOutcome::Made, TickOutcome::Made, TickOutcome::Overlaps], 1),
        (Overlap::Allow, [TickOutcome::Made, TickOutcome::Made, TickOutcome::Made], 2),
    ] {
        scheduled(&store, &format!("{overlap:?}"), NOW_US).await;
        let mut running = Vec::new();
        for (step, outcome) in outcomes.into_iter().enumerate() {
            let from_us = NOW_US + step as i64 * SECOND;
            assert_eq!(queue.advance(vec![advance(from_us, from_us + SECOND, overlap)]).await.unwrap(), [outcome], "{overlap:?} {step}");
            if step == 0 {
                running = claim(&queue, NOW_US + 9 * SECOND).await;
                assert_eq!(running.len(), 1);
            }
        }
        let at_once = claim(&queue, NOW_US + 9 * SECOND).await;
        settle(&queue, &running[0], End::Done).await;
        let after_it = claim(&queue, NOW_US + 9 * SECOND).await;
        assert_eq!(at_once.len() + after_it.len(), waiting, "{overlap:?}");
        assert_eq!(at_once.is_empty(), overlap != Overlap::Allow);
        for delivery in at_once.iter().chain(&after_it) {
            settle(&queue, delivery, End::Done).await;
        }
    }
}

async fn a_due_time_that_is_replaced_before_it_runs_is_told(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    scheduled(&store, "Replace", NOW_US).await;
    let next = |step: i64| advance(NOW_US + step * SECOND, NOW_US + (step + 1) * SECOND, Overlap::Replace);
    assert_eq!(queue.advance(vec![next(0)]).await.unwrap(), [TickOutcome::Made]);
    let running = claim(&queue, NOW_US + 9 * SECOND).await;
    assert_eq!(running.len(), 1);
    // What runs tells of itself that it was replaced.
    assert_eq!(queue.advance(vec![next(1)]).await.unwrap(), [TickOutcome::Made]);
    assert_eq!(queue.advance(vec![next(2)]).await.unwrap(), [TickOutcome::Replaces(vec![NOW_US + 2 * SECOND])]);
    assert_eq!(due(&claim(&queue, NOW_US + 9 * SECOND).await), [NOW_US + 3 * SECOND]);
}

async fn of_runs_that_go_on_at_once_one_counts_for_a_due_time_that_waits(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    scheduled(&store, "@daily", NOW_US).await;
    for _ in 0..2 {
        queue.start_now(schedule("nightly"), Tick::default(), NOW_US + 300 * SECOND).await.unwrap();
    }
    for (step, outcome) in [(0, TickOutcome::Made), (1, TickOutcome::Overlaps)] {
        let next = advance(NOW_US + step * SECOND, NOW_US + (step + 1) * SECOND, Overlap::Queue);
        assert_eq!(queue.advance(vec![next]).await.unwrap(), [outcome]);
    }
    assert_eq!(claim(&queue, NOW_US + 9 * SECOND).await, [], "it waits for them");
}

async fn what_is_caught_up_waits_for_what_runs(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    scheduled(&store, "@daily", NOW_US).await;
    // The one that runs began under another rule.
    queue.advance(vec![advance(NOW_US, NOW_US + SECOND, Overlap::Skip)]).await.unwrap();
    let mut running = claim(&queue, NOW_US + 9 * SECOND).await;
    for step in 1..4 {
        let mut next = advance(NOW_US + step * SECOND, NOW_US + (step + 1) * SECOND, Overlap::Queue);
        next.most_waiting = 100;
        assert_eq!(queue.advance(vec![next]).await.unwrap(), [TickOutcome::Made]);
    }
    for step in 2..5 {
        assert_eq!(claim(&queue, NOW_US + 9 * SECOND).await, []);
        settle(&queue, &running[0], End::Done).await;
        running = claim(&queue, NOW_US + 9 * SECOND).await;
        assert_eq!(due(&running), [NOW_US + step * SECOND]);
    }
}

async fn a_due_time_takes_the_place_of_the_run_before(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    scheduled(&store, "@daily", NOW_US).await;
    queue.advance(vec![advance(NOW_US, NOW_US + SECOND, Overlap::Replace)]).await.unwrap();
    let before = claim(&queue, NOW_US + SECOND).await;
    queue.advance(vec![advance(NOW_US + SECOND, NOW_US + 2 * SECOND, Overlap::Replace)]).await.unwrap();
    let mut late = settled(&before[0], End::Done);
    late.emitted = vec![event("never", None, &["mail"])];
    assert_eq!(queue.settle(vec![late], NOW_US).await.unwrap(), [before[0].id], "it settles nothing");
    let after = claim(&queue, NOW_US + 9 * SECOND).await;
    assert_eq!(due(&after), [NOW_US + 2 * SECOND]);
}

async fn a_run_that_is_asked_for_moves_nothing_and_is_claimed_by_who_asked(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    scheduled(&store, "@daily", NOW_US).await;
    let tick = Tick { due_us: NOW_US + 7, is_manual: true, input: Some("[1]".into()), ..Tick::default() };
    let mine = queue.start_now(schedule("nightly"), tick.clone(), NOW_US + 30 * SECOND).await.unwrap();
    assert_eq!((mine.attempt, &mine.load), (1, &Load::Tick(tick.clone())));
    assert_eq!(claim(&queue, NOW_US + SECOND).await, []);
    assert_eq!(store.schedules().await.unwrap()[0].last_us, NOW_US);
    // It comes again if its node does not live to settle it.
    let again = claim(&queue, NOW_US + 30 * SECOND).await;
    assert_eq!((again[0].id, again[0].attempt, again[0].lost, &again[0].load), (mine.id, 2, 1, &Load::Tick(tick)));
    settle(&queue, &again[0], End::Dead("it failed".into())).await;
    let ticks = &store.ticks(None, 9).await.unwrap()[&schedule("nightly")];
    assert_eq!((ticks.len(), ticks[0].due_us, ticks[0].error.as_deref()), (1, NOW_US + 7, Some("orders.rhai:3:1: no")));
}

async fn of_due_times_the_last_are_kept_with_what_became_of_them(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    scheduled(&store, "@hourly", NOW_US).await;
    let count = i64::from(MAX_TICKS) + 2;
    for at in 0..count {
        let left_out = Advance { tick: None, ..advance(NOW_US + at * SECOND, NOW_US + (at + 1) * SECOND, Overlap::Skip) };
        assert_eq!(queue.advance(vec![left_out]).await.unwrap(), [TickOutcome::LeftOut]);
    }
    let made = advance(NOW_US + count * SECOND, NOW_US + (count + 1) * SECOND, Overlap::Skip);
    assert_eq!(queue.advance(vec![made]).await.unwrap(), [TickOutcome::Made]);
    settle(&queue, &claim(&queue, NOW_US + 999 * SECOND).await[0], End::Dead("no".into())).await;
    let kept = async |most| store.ticks(Some(&schedule("nightly")), most).await.unwrap().remove(&schedule("nightly")).unwrap();
    assert_eq!(kept(9_999).await.len(), MAX_TICKS as usize + 3);
    let last: Vec<_> = kept(2).await.iter().map(|tick| (tick.due_us, tick.is_left_out())).collect();
    assert_eq!(last, [(NOW_US + (count + 1) * SECOND, false), (NOW_US + count * SECOND, true)]);
    store.prune_queue(QueueLimits::default(), NOW_US).await.unwrap();
    let left = kept(9_999).await;
    assert_eq!((left.len(), left[0].due_us), (MAX_TICKS as usize, NOW_US + (count + 1) * SECOND));
    // They go with the schedule.
    queue.schedules(Vec::new(), NOW_US).await.unwrap();
    assert!(store.ticks(None, 9).await.unwrap().is_empty());
}

async fn a_schedule_begins_when_it_is_new_or_another(fresh: Fresh) {
    let store = fresh.open().await;
    let last =
        async |store: &picloud::store::Store| store.schedules().await.unwrap().into_iter().map(|row| row.last_us).collect::<Vec<_>>();
    scheduled(&store, "@daily", NOW_US).await;
    scheduled(&store, "@daily", NOW_US + SECOND).await;
    assert_eq!(last(&store).await, [NOW_US], "the same goes on");
    scheduled(&store, "@hourly", NOW_US + SECOND).await;
    assert_eq!(last(&store).await, [NOW_US + SECOND], "another begins");
    let queue = queue(&store);
    let ada = Actor { who: "ada".into(), origin: Origin::Cli };
    assert!(store.pause_schedule(&schedule("nightly"), Some("a \0 reason"), &ada, NOW_US).await.unwrap());
    assert!(!store.pause_schedule(&schedule("other"), None, &ada, NOW_US).await.unwrap());
    let step = advance(NOW_US + SECOND, NOW_US + 2 * SECOND, Overlap::Allow);
    assert_eq!(queue.advance(vec![step.clone()]).await.unwrap(), [TickOutcome::Overtaken], "a paused one makes nothing");
    store.resume_schedule(&schedule("nightly"), &ada, NOW_US + 5 * SECOND).await.unwrap();
    assert_eq!(last(&store).await, [NOW_US + 5 * SECOND], "what was due meanwhile is not its own");
    queue.schedules(Vec::new(), NOW_US).await.unwrap();
    assert_eq!(store.schedules().await.unwrap(), []);
}

async fn old_events_and_dead_letters_are_removed_and_what_waits_is_not(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    queue.publish(vec![event("dead", None, &["mail"])], NOW_US).await.unwrap();
    settle(&queue, &claim(&queue, NOW_US).await[0], End::Dead("no".into())).await;
    queue.publish(vec![event("waits", None, &["mail"]), event("done", None, &[])], NOW_US).await.unwrap();
    let day = Duration::from_secs(24 * 3_600);
    let later = SystemClock.now_us() + 8 * day.as_micros() as i64;
    let limits = QueueLimits { dead_max_age: day * 36_500, ..QueueLimits::default() };
    let kept = async || {
        let events = store.events(&EventFilter { limit: 9, ..EventFilter::default() }).await.unwrap();
        events.into_iter().map(|event| event.id).collect::<Vec<_>>()
    };
    assert_eq!(store.prune_queue(limits, SystemClock.now_us()).await.unwrap(), 0);
    assert_eq!(store.prune_queue(limits, later).await.unwrap(), 1);
    assert_eq!(kept().await, ["waits", "dead"]);
    // By number: the dead letter goes, and its event with it. What waits stays, whatever the number.
    let limits = QueueLimits { max_count: 0, dead_max_count: 0, ..limits };
    assert_eq!(store.prune_queue(limits, SystemClock.now_us()).await.unwrap(), 2);
    assert_eq!(kept().await, ["waits"]);
    // Its id is forgotten, too.
    queue.publish(vec![event("dead", None, &["mail"])], later).await.unwrap();
    assert_eq!(kept().await, ["dead", "waits"]);
}

async fn a_delivery_that_is_thrown_away_lets_no_other_run_beside_one_of_its_key(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    let ada = Actor { who: "ada".into(), origin: Origin::Cli };
    queue.publish(["a", "b"].map(|id| event(id, Some("k"), &["mail"])).into(), NOW_US).await.unwrap();
    for _ in 0..2 {
        settle(&queue, &claim(&queue, NOW_US).await[0], End::Dead("no".into())).await;
    }
    queue.publish(vec![event("c", Some("k"), &["mail"])], NOW_US).await.unwrap();
    let running = claim(&queue, NOW_US).await;
    // Those that are put back are older than the one that runs.
    store.retry_dead_letters(&DeadLetterFilter::default(), None, &ada, NOW_US).await.unwrap();
    let b = store.events(&EventFilter { limit: 9, ..EventFilter::default() }).await.unwrap().into_iter().find(|one| one.id == "b").unwrap();
    let waiting = store.deliveries_of(b.seq).await.unwrap();
    let record = ada.does(Action::EventDiscard, NOW_US, Default::default());
    assert!(store.discard_delivery(waiting[0].id, &record).await.unwrap());
    assert_eq!(claim(&queue, NOW_US).await, []);
    settle(&queue, &running[0], End::Done).await;
    assert_eq!(events(&claim(&queue, NOW_US).await), ["a"]);
}

async fn dead_letters_are_put_back_in_the_order_of_their_keys(fresh: Fresh) {
    let store = fresh.open().await;
    let queue = queue(&store);
    queue.publish(["a", "b"].map(|id| event(id, Some("k"), &["mail"])).into(), NOW_US).await.unwrap();
    for _ in 0..2 {
        settle(&queue, &claim(&queue, NOW_US).await[0], End::Dead("no".into())).await;
    }
    queue.publish(vec![event("c", Some("k"), &["mail"])], NOW_US).await.unwrap();
    let running = claim(&queue, NOW_US).await;
    assert_eq!(events(&running), ["c"]);
    let actor = Actor { who: "ada".into(), origin: Origin::Cli };
    let all = DeadLetterFilter::default();
    for expected in [Some(1), Some(3)] {
        assert_eq!(store.retry_dead_letters(&all, expected, &actor, NOW_US).await.unwrap(), DeadLetterOutcome::OtherCount(2));
        assert_eq!(store.discard_dead_letters(&all, expected, &actor, NOW_US).await.unwrap(), DeadLetterOutcome::OtherCount(2));
    }
    assert_eq!(store.retry_dead_letters(&all, Some(2), &actor, NOW_US).await.unwrap(), DeadLetterOutcome::Changed(2));
    assert_eq!(store.retry_dead_letters(&all, None, &actor, NOW_US).await.unwrap(), DeadLetterOutcome::Changed(0));
    assert_eq!(claim(&queue, NOW_US).await, []);
    settle(&queue, &running[0], End::Done).await;
    for id in ["a", "b"] {
        let next = claim(&queue, NOW_US).await;
        assert_eq!((events(&next), next[0].attempt, next[0].earlier), (vec![id], 2, 1));
        settle(&queue, &next[0], End::Dead("again".into())).await;
    }
    assert_eq!(store.discard_dead_letters(&all, None, &actor, NOW_US).await.unwrap(), DeadLetterOutcome::Changed(2));
    assert_eq!(queue.next_due(i64::MAX).await.unwrap(), None);
}
