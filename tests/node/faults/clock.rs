//! The machine's clock jumps, while the node runs and between two runs. The monotonic clock does not, as on a real machine.

use std::{fs, time::Duration};

use picloud::clock::monotonic;
use picloud::id::id_time_us;

use crate::{
    faults::load::{FILES, Load, ask, recorded},
    kit::{
        machine::{Need, clock_library, needs},
        node::{Node, PATIENCE, node, wait_until},
    },
};

const DAY: i64 = 24 * 3600;

/// A node whose clock a file sets.
struct Story {
    node: Node,
}

impl Story {
    fn begin(config: &str) -> Self {
        let library = clock_library().expect("the story needs `Need::OwnClock`");
        let setup =
            node(&[&FILES[..], &[("slow.rhai", "+++\ntimeout = \"1s\"\n[limits]\noperations = 5_000_000_000\n+++\nloop {}")]].concat());
        let file = setup.folder().join("clock");
        fs::write(&file, "+0").unwrap();
        let setup = setup
            .config(config)
            .variable("LD_PRELOAD", library.to_str().unwrap())
            .variable("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap())
            .variable("FAKETIME_NO_CACHE", "1")
            .variable("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Self { node: setup.start() }
    }

    /// Sets the clock so far ahead of the real one, or behind it.
    fn set(&self, seconds: i64) {
        let next = self.node.folder().join("clock.next");
        fs::write(&next, format!("{seconds:+}")).unwrap();
        fs::rename(next, self.node.folder().join("clock")).unwrap();
    }

    /// Asks, and returns the ids, with how far ahead of the real clock they were made.
    fn ids(&self) -> (Vec<String>, i64) {
        let mut answered = Vec::new();
        ask(&self.node, 20, &mut answered);
        let made_us = id_time_us(picloud::id::parse_id(&answered[19]).unwrap());
        let real_us = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros() as i64;
        (answered, (made_us - real_us) / 1_000_000)
    }

    /// Saves, and returns the deployment that it makes.
    fn save(&self, text: &str) -> String {
        self.node.write("n.rhai", &format!("\"{text}\""));
        self.node.wait_for("/n", text);
        self.node.ready()["deployment"].as_str().unwrap().to_owned()
    }

    /// A run is stopped at its limit, whatever the clock does meanwhile.
    fn time_limit_holds_while(&self, jump: impl FnOnce()) {
        let mut client = self.node.client();
        let began = monotonic();
        client.begin("/slow");
        jump();
        assert_eq!(client.read("GET").unwrap().status, 504);
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(10), "it took {took:?}");
    }
}

#[test]
fn a_jump_while_the_node_runs_or_is_down_keeps_the_order_of_ids_and_every_limit() {
    needs!(Need::OwnClock);
    let mut story = Story::begin("");
    let mut all = Vec::new();
    let mut deployments = vec![story.node.ready()["deployment"].as_str().unwrap().to_owned()];
    let (ids, ahead) = story.ids();
    assert!(ahead.abs() < 60, "{ahead}");
    all.extend(ids);

    story.time_limit_holds_while(|| story.set(DAY));
    let (ids, ahead) = story.ids();
    assert!((ahead - DAY).abs() < 60, "the clock really jumps: {ahead}");
    all.extend(ids);
    deployments.push(story.save("ahead"));

    story.time_limit_holds_while(|| story.set(-DAY));
    all.extend(story.ids().0);
    deployments.push(story.save("behind"));

    story.node.stop();
    story.set(-2 * DAY);
    story.node.start();
    all.extend(story.ids().0);
    deployments.push(story.save("further behind"));
    story.node.restart();
    assert_eq!(story.node.get("/n").text(), "further behind");
    assert_eq!(story.node.ready()["deployment"].as_str(), deployments.last().map(String::as_str), "what is live is the newest");

    story.node.stop();
    story.set(DAY + DAY / 2);
    story.node.start();
    let (ids, ahead) = story.ids();
    assert!((ahead - DAY - DAY / 2).abs() < 60, "ids follow the clock again: {ahead}");
    all.extend(ids);
    deployments.push(story.save("ahead again"));

    let is_rising = |ids: &[String]| ids.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(is_rising(&all) && is_rising(&deployments), "{deployments:?}");
    wait_until("all are recorded", PATIENCE, || recorded(&story.node).len() == all.len());
    assert_eq!(recorded(&story.node), all);
    let live = crate::kit::command::picloud(&story.node, &["deployments", "--limit", "1"]);
    assert!(live.contains(deployments.last().unwrap()), "{live}");
    story.node.stop();
}

#[test]
fn a_day_ahead_deletes_nothing_that_is_kept_for_longer() {
    needs!(Need::OwnClock);
    // So many writes make it look for what is old.
    const WRITES: usize = 10_000;
    let mut story = Story::begin("[retention]\nmax_age = \"3d\"\nmax_count = 100_000\n[log]\nlevel = \"info,picloud::store=debug\"\n");
    let (first, _) = story.ids();
    wait_until("they are recorded", PATIENCE, || recorded(&story.node).len() == first.len());
    for (days, are_kept) in [(1, true), (4, false)] {
        story.set(days * DAY);
        let load = Load::default();
        std::thread::scope(|scope| {
            let clients = load.start(scope, &story.node, 4, "/id");
            load.during(|| wait_until("many requests are answered", PATIENCE * 4, || load.count() > WRITES));
            clients.into_iter().for_each(|client| client.join().unwrap().unwrap());
        });
        let is_first_there = || recorded(&story.node).starts_with(&first);
        match are_kept {
            true => wait_until("all are recorded", PATIENCE, || recorded(&story.node).len() > WRITES),
            false => wait_until("a clock that is further ahead than executions are kept has them removed", PATIENCE, || !is_first_there()),
        }
        assert_eq!(is_first_there(), are_kept, "{days} days ahead");
    }
    story.node.wait_for_line(&["old executions were removed"]);
    story.node.stop();
}
