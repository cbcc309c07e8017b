//! `kill -9` again and again, at any moment, under load and deployments: nothing that was promised is lost.
//!
//! `PICLOUD_KILL_ROUNDS` says how often; `PICLOUD_TEST_SEED` repeats a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use picloud::{
    clock::monotonic,
    deployment::DeploymentStatus,
    id::{id_time_us, parse_id},
    store::{ExecutionFilter, Store},
};

use crate::{
    faults::load::{Answered, FILES, Load, assert_whole},
    kit::{
        node::{Node, PATIENCE, node, wait_until},
        story::{Story, deployments},
    },
};

/// Executions of so long before a kill may be lost: the journal writes every 100 ms, and writing takes a while.
const LAST_MOMENT: Duration = Duration::from_millis(200);

pub(super) fn rounds() -> u64 {
    std::env::var("PICLOUD_KILL_ROUNDS").map_or(12, |rounds| rounds.parse().unwrap())
}

/// A small generator of numbers, so that a run can be repeated.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn seeded() -> Self {
        let seed = std::env::var("PICLOUD_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
        eprintln!("PICLOUD_TEST_SEED={seed}");
        Self(seed)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// What all rounds came to.
#[derive(Default)]
struct Figures {
    answered: usize,
    deployments_seen: usize,
    lost: usize,
    /// The oldest that was lost, before its kill.
    longest_ago: Duration,
    slowest_start: Duration,
}

impl Figures {
    /// Looks at one round: what clients saw against what the database has now, where `killed` is when.
    fn count(&mut self, node: &Node, answered: &[Answered], killed: Instant) {
        let recorded = recorded_since(node, answered);
        for answered in answered {
            if !recorded.contains(&answered.id) {
                self.lost += 1;
                self.longest_ago = self.longest_ago.max(killed.duration_since(answered.at));
            }
        }
        let known: BTreeMap<String, DeploymentStatus> =
            deployments(node).into_iter().map(|deployment| (deployment.id.to_string(), deployment.status)).collect();
        let seen: BTreeSet<&String> = answered.iter().map(|answered| &answered.deployment).collect();
        for deployment in &seen {
            assert_eq!(known.get(*deployment), Some(&DeploymentStatus::Live), "deployment {deployment} was seen live");
        }
        self.answered += answered.len();
        self.deployments_seen += seen.len();
    }

    /// On a machine that is busy the journal's turn may come late, but never by much.
    fn judge(&self, rounds: u64, what: &str) {
        println!(
            "{rounds} kills under {what}: {} answers, {} deployments seen live and none lost, {} executions lost, the oldest {:?} before its kill, slowest start {:?}",
            self.answered, self.deployments_seen, self.lost, self.longest_ago, self.slowest_start
        );
        assert!(self.longest_ago < LAST_MOMENT * 5, "an execution of {:?} before the kill is lost", self.longest_ago);
    }
}

/// The executions in the database from the first of these on.
fn recorded_since(node: &Node, answered: &[Answered]) -> BTreeSet<String> {
    let first = answered.iter().map(|answered| parse_id(&answered.id).unwrap()).min();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open_read_only("sqlite", &node.data()).await.unwrap();
        let filter = ExecutionFilter { since_us: first.map(id_time_us), limit: u32::MAX, ..ExecutionFilter::default() };
        let found = store.executions(&filter).await.unwrap();
        store.close().await;
        found.into_iter().map(|execution| execution.id.to_string()).collect()
    })
}

/// Starts a node again; its database is whole.
fn start_again(node: &mut Node, figures: &mut Figures) {
    assert_whole(node);
    let began = monotonic();
    node.start();
    figures.slowest_start = figures.slowest_start.max(began.elapsed());
}

#[test]
fn nothing_that_was_promised_is_lost_by_kills_under_load_and_saves() {
    let (mut random, mut figures) = (Random::seeded(), Figures::default());
    let mut node = node(&FILES).start();
    let mut live = "one".to_owned();
    for round in 0..rounds() {
        let load = Load::default();
        let moment = Duration::from_micros(random.below(600_000));
        let texts: Vec<String> = (0..1 + random.below(3)).map(|save| format!("{round}.{save}")).collect();
        let mut killed = monotonic();
        std::thread::scope(|scope| {
            let clients = load.start(scope, &node, 2, "/n");
            load.during(|| {
                load.wait_for_more(10);
                let began = monotonic();
                for text in &texts {
                    node.replace("n.rhai", &format!("\"{text}\""));
                }
                wait_until("the moment has come", PATIENCE, || began.elapsed() >= moment);
                killed = monotonic();
                node.signal(crate::kit::node::Signal::KILL);
            });
            clients.into_iter().for_each(|client| drop(client.join().unwrap()));
        });
        node.kill();
        let answered = load.answered();
        let allowed: Vec<&String> = [&live].into_iter().chain(&texts).collect();
        for answered in &answered {
            assert!(allowed.contains(&&answered.text), "round {round}: {} of {allowed:?}", answered.text);
        }
        start_again(&mut node, &mut figures);
        live = texts.last().unwrap().clone();
        node.wait_for("/n", &live);
        figures.count(&node, &answered, killed);
    }
    node.stop();
    assert_whole(&node);
    figures.judge(rounds(), "load and saves");
}

#[test]
fn nothing_that_was_promised_is_lost_by_kills_under_load_and_pushes() {
    let (mut random, mut figures) = (Random::seeded(), Figures::default());
    let mut story = Story::over_http();
    let mut before = (story.deploy("start"), "start".to_owned());
    // Each takes some programs of git's.
    let rounds = rounds().div_ceil(3);
    for round in 0..rounds {
        let load = Load::default();
        let answer = round.to_string();
        let commit = story.commit(&answer);
        let moment = Duration::from_micros(random.below(400_000));
        let mut killed = monotonic();
        let mut is_pushed = false;
        std::thread::scope(|scope| {
            let clients = load.start(scope, &story.node, 2, "/a");
            load.during(|| {
                load.wait_for_more(10);
                let began = monotonic();
                let push = story.pushing(&["main"]).spawn().unwrap();
                wait_until("the moment has come", PATIENCE, || began.elapsed() >= moment);
                killed = monotonic();
                story.node.signal(crate::kit::node::Signal::KILL);
                is_pushed = push.wait_with_output().unwrap().status.success();
            });
            clients.into_iter().for_each(|client| drop(client.join().unwrap()));
        });
        story.node.kill();
        let answered = load.answered();
        for answered in &answered {
            assert!([&before.1, &answer].contains(&&answered.text), "round {round}: {}", answered.text);
        }
        start_again(&mut story.node, &mut figures);
        let branch = story.branch("main");
        assert!(branch == commit || !is_pushed, "git said that it was pushed");
        assert!(branch == commit || branch == before.0);
        let live = if branch == commit { &answer } else { &before.1 };
        story.wait_for(live, &branch);
        figures.count(&story.node, &answered, killed);
        if branch != commit {
            story.push(&["main"]);
            story.wait_for(&answer, &commit);
        }
        before = (commit, answer);
    }
    story.node.stop();
    figures.judge(rounds, "load and pushes");
}
