//! The node is killed at every step of a push. What is live is always one whole commit, and in the end the one that the branch points to.

use std::{process::Child, time::Duration};

use picloud::clock::monotonic;
use sqlx::{Connection, SqliteConnection};

use crate::kit::{
    command::said,
    node::{PATIENCE, wait_until},
    story::{Story, When, waiting},
};

fn begin(story: &Story) -> Child {
    story.pushing(&["main"]).spawn().unwrap()
}

/// Waits for the end of a push; returns whether it succeeded, and what the pusher was told.
fn ended(push: Child) -> (bool, String) {
    let output = push.wait_with_output().unwrap();
    (output.status.success(), said(&output))
}

/// Starts the node again: what the branch points to is live, whole, and recorded.
fn recovers(story: &mut Story, commits: [(&str, &str); 2]) -> String {
    story.node.start();
    let branch = story.branch("main");
    let (_, answer) = commits.into_iter().find(|(commit, _)| *commit == branch).expect("the branch is before or after the push");
    story.wait_for(answer, &branch);
    assert_eq!(story.bare(&["fsck", "--connectivity-only"]), "");
    answer.into()
}

#[test]
fn a_push_to_a_node_that_is_down_is_refused_at_once() {
    let mut story = Story::begin();
    let one = story.deploy("one");
    story.node.stop();
    let two = story.commit("two");
    for _ in 0..2 {
        let began = monotonic();
        let told = story.refused(&["main"]);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert!(told.contains("remote: picloud: the node that checks pushes does not run here"), "{told}");
        assert!(told.contains("hint: start it with `picloud serve`, and push again"), "{told}");
        // Killed, it leaves its socket behind.
        story.node.start();
        story.node.kill();
    }
    assert_eq!(recovers(&mut story, [(&one, "one"), (&two, "two")]), "one");
    story.push(&["main"]);
    story.wait_for("two", &two);
}

#[test]
fn killed_before_the_push_is_judged() {
    let mut story = Story::begin();
    let one = story.deploy("one");
    let waiting = waiting(&story, "pre-receive", When::Before);
    let two = story.commit("two");
    let push = begin(&story);
    waiting.reached();
    story.node.kill();
    waiting.go_on();
    let (is_done, told) = ended(push);
    assert!(!is_done && told.contains("the node that checks pushes does not run here"), "{told}");
    assert_eq!(recovers(&mut story, [(&one, "one"), (&two, "two")]), "one");
}

#[test]
fn killed_while_it_judges() {
    let mut story = Story::begin();
    let one = story.deploy("one");
    // A module is run when it is checked; this one takes until its limit.
    story.checkout.commit(&[
        ("functions/_lib/slow.rhai", b"let n = 0; while true { n += 1 } export n;"),
        ("functions/d.rhai", b"import \"slow\" as s; s::n"),
    ]);
    let two = story.commit("two");
    let push = begin(&story);
    wait_until("the node checks", PATIENCE, || is_checking(&story));
    story.node.kill();
    let (is_done, told) = ended(push);
    assert!(!is_done && told.contains("remote: picloud:"), "{told}");
    assert_eq!(recovers(&mut story, [(&one, "one"), (&two, "two")]), "one");
}

/// Whether the node's thread for that is there.
fn is_checking(story: &Story) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{}/task", story.node.pid())).unwrap();
    threads.flatten().any(|thread| std::fs::read_to_string(thread.path().join("comm")).is_ok_and(|name| name.trim() == "check"))
}

#[test]
fn killed_between_its_yes_and_the_move_of_the_branch() {
    let mut story = Story::begin();
    let one = story.deploy("one");
    let waiting = waiting(&story, "pre-receive", When::After);
    let two = story.commit("two");
    let push = begin(&story);
    waiting.reached();
    assert_eq!(story.answer(), "one", "it is only checked");
    story.node.kill();
    waiting.go_on();
    let (is_done, told) = ended(push);
    assert!(is_done, "{told}");
    assert_eq!(recovers(&mut story, [(&one, "one"), (&two, "two")]), "two");
}

#[test]
fn killed_after_the_branch_has_moved_and_before_it_is_told() {
    let mut story = Story::begin();
    let one = story.deploy("one");
    let waiting = waiting(&story, "post-receive", When::Before);
    // What watches the branch must not be faster.
    let held = Held::take(&story);
    let two = story.commit("two");
    let push = begin(&story);
    waiting.reached();
    assert_eq!(story.branch("main"), two);
    story.node.kill();
    held.release();
    waiting.go_on();
    let (is_done, told) = ended(push);
    assert!(is_done, "{told}");
    insta::assert_snapshot!("node_gone_after", story.tame(&told));
    assert_eq!(recovers(&mut story, [(&one, "one"), (&two, "two")]), "two");
}

#[test]
fn killed_while_the_deployment_is_recorded() {
    let mut story = Story::begin();
    let one = story.deploy("one");
    let held = Held::take(&story);
    let waiting = waiting(&story, "post-receive", When::Before);
    let two = story.commit("two");
    let push = begin(&story);
    waiting.reached();
    waiting.go_on();
    let pushed = monotonic();
    // It says so once it has waited for the record in vain.
    story.node.wait_for_line(&["waits for the database"]);
    assert_eq!((story.answer().as_str(), pushed.elapsed() < PATIENCE), ("one", true));
    story.node.kill();
    held.release();
    let (is_done, told) = ended(push);
    assert!(is_done, "{told}");
    assert_eq!(recovers(&mut story, [(&one, "one"), (&two, "two")]), "two");
}

/// The database's only right to write.
struct Held {
    runtime: tokio::runtime::Runtime,
    connection: SqliteConnection,
}

impl Held {
    fn take(story: &Story) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("sqlite://{}", story.node.data().join("picloud.db").display());
        let connection = runtime.block_on(async {
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
            connection
        });
        Self { runtime, connection }
    }

    fn release(mut self) {
        self.runtime.block_on(async {
            sqlx::query("ROLLBACK").execute(&mut self.connection).await.unwrap();
            self.connection.close().await.unwrap();
        });
    }
}

/// A small generator of numbers, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn killed_at_any_moment_of_a_push() {
    for (mut story, rounds) in [(Story::begin(), 25), (Story::over_http(), 15)] {
        let seed = std::env::var("PICLOUD_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
        let mut random = Random(seed);
        let mut before = (story.deploy("start"), "start".to_owned());
        for round in 0..rounds {
            eprintln!("PICLOUD_TEST_SEED={seed}, round {round}");
            let answer = format!("{round}");
            let commit = story.commit(&answer);
            let (began, moment) = (monotonic(), Duration::from_micros(random.below(250_000)));
            let push = begin(&story);
            wait_until("the moment has come", PATIENCE, || {
                story.answer();
                began.elapsed() >= moment
            });
            story.node.kill();
            let (is_done, told) = ended(push);
            let live = story.live().expect("something was live").revision.0;
            assert!([&commit, &before.0].contains(&&live), "{live} was live, which is neither {commit} nor {}", before.0);
            let is_moved = story.branch("main") == commit;
            assert!(is_moved || !is_done, "git said that it was pushed: {told}");
            recovers(&mut story, [(&before.0, &before.1), (&commit, &answer)]);
            if !is_moved {
                story.push(&["main"]);
                story.wait_for(&answer, &commit);
            }
            before = (commit, answer);
        }
    }
}
