//! Pushes at the same time, and clients that leave before the end.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt;

use crate::kit::{
    git::Checkout,
    node::{PATIENCE, wait_until},
    story::{Story, When, waiting},
};

/// Starts a push in a process group of its own.
fn begin(story: &Story, checkout: &Checkout) -> Child {
    story.pushing_from(checkout, &["main"]).process_group(0).spawn().unwrap()
}

/// Ends it with every process that it started, without warning.
fn kill(mut push: Child) {
    kill_process_group(Pid::from_raw(push.id() as i32).unwrap(), Signal::KILL).unwrap();
    push.wait().unwrap();
}

#[test]
fn of_two_pushes_at_once_what_is_live_is_what_the_branch_points_to() {
    for story in [Story::begin(), Story::over_http()] {
        story.deploy("start");
        let other = Checkout::of(&story.remote());
        for round in 0..10 {
            for checkout in [&story.checkout, &other] {
                checkout.done(&["fetch", "--quiet", &story.remote(), "main"]);
                checkout.done(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
            }
            let (left, right) = (format!("left {round}"), format!("right {round}"));
            let commits = [story.checkout.agree(&left), other.agree(&right)];
            let pushes = [begin(&story, &story.checkout), begin(&story, &other)];
            let mut has_won = Vec::new();
            for push in pushes {
                let output = push.wait_with_output().unwrap();
                has_won.push(output.status.success());
            }
            // The loser's commit does not contain the winner's, so it cannot follow it either.
            assert_eq!(has_won.iter().filter(|has_won| **has_won).count(), 1, "round {round}: {has_won:?}");
            let (answer, commit) = if has_won[0] { (left, &commits[0]) } else { (right, &commits[1]) };
            story.wait_for(&answer, commit);
            let loser = &commits[usize::from(has_won[0])];
            assert!(!story.commits().contains(loser), "round {round}: what git refused was never live");
        }
    }
}

#[test]
fn a_client_that_is_killed_while_its_push_is_judged_leaves_the_branch_and_what_is_live_alike() {
    for story in [Story::begin(), Story::over_http()] {
        story.deploy("one");
        let waiting = waiting(&story, "pre-receive", When::Before);
        let two = story.commit("two");
        let push = begin(&story, &story.checkout);
        waiting.reached();
        kill(push);
        waiting.go_on();
        wait_until("nothing of the push runs any more", PATIENCE, || !waiting.runs());
        // Of a push over HTTP the children are the node's, and go on to the end; by a path they died with the client.
        if story.is_hosted {
            wait_until("the branch has moved", PATIENCE, || story.branch("main") == two);
        }
        let branch = story.branch("main");
        let answer = if branch == two { "two" } else { "one" };
        story.wait_for(answer, &branch);
        // And the next push is as any other.
        let three = story.deploy("three");
        story.wait_for("three", &three);
    }
}

#[test]
fn a_client_that_is_killed_after_its_branch_has_moved_has_deployed() {
    for story in [Story::begin(), Story::over_http()] {
        story.deploy("one");
        let waiting = waiting(&story, "post-receive", When::Before);
        let two = story.commit("two");
        let push = begin(&story, &story.checkout);
        waiting.reached();
        kill(push);
        story.wait_for("two", &two);
        waiting.go_on();
        story.wait_for("two", &two);
    }
}
