//! `kill -9` at any moment of emit, claim, run and settle.
//!
//! `PICLOUD_KILL_ROUNDS` says how often: a quarter of it on each database.

use std::{collections::BTreeSet, time::Duration};

use picloud::clock::monotonic;

use super::desk::{Again, Emitted, WRITERS, connections, desk, done, judge, own_url, queued, rows};
use crate::{
    faults::kills::{Random, rounds},
    kit::{
        node::{PATIENCE, Setup, Signal, wait_until},
        store::on_both_nodes,
    },
};

on_both_nodes! {
    no_event_and_no_due_time_is_lost_by_kills
}

/// How far what was under way was when its node was killed.
#[derive(Debug, Default)]
struct Figures {
    /// Sent and not answered.
    unanswered: usize,
    /// Kept and not claimed.
    waiting: usize,
    /// Claimed, and not run so far that there is something to see.
    claimed: usize,
    /// Run and not settled.
    unsettled: usize,
    done: usize,
    twice: usize,
}

fn no_event_and_no_due_time_is_lost_by_kills(on: impl Fn(Setup) -> Setup) {
    let rounds = rounds().div_ceil(4);
    let mut node = on(desk()).start();
    // A migration that was written just now is waited for, and with it whoever uses its table.
    node.wait_for_line(&["is live: 4 functions"]);
    let (mut random, mut figures) = (Random::seeded(), Figures::default());
    let (mut emitted, mut again) = (Emitted::default(), Again::default());
    let own = own_url(&node);
    for round in 0..rounds {
        let moment = Duration::from_micros(random.below(250_000));
        emitted.during(&node, round * 1_000_000, |answered| {
            wait_until("some are answered", PATIENCE, || answered.lock().unwrap().len() > WRITERS as usize);
            let began = monotonic();
            wait_until("the moment has come", PATIENCE, || began.elapsed() >= moment);
            node.signal(Signal::KILL);
        });
        node.kill();
        // On Postgres the server may still be busy with the last statements.
        wait_until("nobody is connected", PATIENCE, || connections(&own) == 0);
        let ran: BTreeSet<(String, String)> = done(&node).into_iter().map(|done| (done.handler, done.event)).collect();
        for delivery in queued(&own) {
            match delivery.state {
                1 if ran.contains(&delivery.name()) => figures.unsettled += 1,
                1 => figures.claimed += 1,
                _ => figures.waiting += 1,
            }
            if delivery.state == 1 {
                again.under_way.insert(delivery.name());
            }
        }
        // It takes over what was claimed.
        node.start();
        wait_until("everything is done", PATIENCE * 4, || queued(&own).is_empty());
        let done = done(&node);
        judge(&done, &emitted, &again);
        figures.twice = done.iter().filter(|done| done.attempt > 1).count();
        figures.done = done.len();
    }
    figures.unanswered = emitted.sent.len() - emitted.answered.len();
    assert_eq!(rows::<(i64,)>(&own, "SELECT COUNT(*) FROM dead_letters")[0], (0,));
    println!("{rounds} kills, {} emits answered, at the kills: {figures:?}", emitted.answered.len());
    node.stop();
}
