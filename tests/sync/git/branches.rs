//! References that move past the gate, and what moves without meaning anything.

use std::fs;

use crate::kit::{
    command::{command, said},
    node::{PATIENCE, wait_until},
    story::Story,
};

/// Brings a commit into the repository without moving the branch.
fn smuggle(story: &Story, commit: &str) {
    story.push(&[&format!("{commit}:refs/smuggled/{commit}")]);
}

/// What `picloud status` prints.
fn status(story: &Story, arguments: &[&str]) -> String {
    let output = command(story.node.folder(), &[&["status"], arguments].concat()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    story.tame(&String::from_utf8(output.stdout).unwrap())
}

#[test]
fn packing_undeploys_nothing() {
    let story = Story::begin();
    let one = story.deploy("one");
    for arguments in [["pack-refs", "--all"].as_slice(), &["gc", "--quiet", "--prune=now"], &["repack", "-adq"]] {
        story.bare(arguments);
        story.wait_for("one", &one);
    }
    assert!(!story.repository().join("refs/heads/main").exists(), "the branch is packed");
    let two = story.deploy("two");
    story.wait_for("two", &two);
    story.bare(&["pack-refs", "--all"]);
    story.bare(&["gc", "--quiet"]);
    story.wait_for("two", &two);
    assert_eq!(story.commits(), [two, one]);
    assert!(!story.node.log().contains("WARN"), "{}", story.node.log());
}

#[test]
fn a_branch_that_moves_past_the_gate_goes_live_by_itself() {
    let story = Story::begin();
    let one = story.deploy("one");
    let two = story.commit("two");
    smuggle(&story, &two);
    story.wait_for("one", &one);
    story.bare(&["update-ref", "refs/heads/main", &two]);
    story.wait_for("two", &two);
    // Back, and packed at once, so that no file of its own holds the branch.
    story.bare(&["update-ref", "refs/heads/main", &one]);
    story.bare(&["pack-refs", "--all"]);
    story.wait_for("one", &one);
    assert_eq!(story.live().unwrap().note, Some(format!("forced: does not contain {two}")));
    assert_eq!(story.live().unwrap().pushed_by, None);
}

#[test]
fn a_broken_commit_past_the_gate_leaves_the_last_good_one_live() {
    let mut story = Story::begin();
    let one = story.deploy("one");
    let broken = story.checkout.commit(&[("functions/a.rhai", b"let x = ;"), ("functions/b.rhai", b"\"two\"")]);
    smuggle(&story, &broken);
    story.bare(&["update-ref", "refs/heads/main", &broken]);
    story.node.wait_for_state("degraded");
    for _ in 0..2 {
        assert_eq!(story.answer(), "one");
        insta::assert_snapshot!("status_broken_running", told(&status(&story, &[])));
        let json: serde_json::Value = serde_json::from_str(&status(&story, &["--json"])).unwrap();
        assert_eq!((&json["live"]["revision"], &json["wanted"]), (&"COMMIT1".into(), &"COMMIT2".into()));
        assert_eq!((&json["is_in_sync"], &json["diagnostics"][0]["line"]), (&false.into(), &1.into()));
        assert_eq!(story.live().unwrap().revision.0, one);
        assert!(story.node.ready()["degraded"].to_string().contains("1 mistake"), "{}", story.node.ready());
        story.node.restart();
    }
    story.node.wait_for_line(&[&broken, "is refused as before"]);
    assert_eq!(story.commits(), [broken, one], "a restart records nothing anew");
    story.node.stop();
    insta::assert_snapshot!("status_broken", told(&status(&story, &[])));
    let json: serde_json::Value = serde_json::from_str(&status(&story, &["--json"])).unwrap();
    assert_eq!((&json["live"]["revision"], &json["refused"]["revision"]), (&"COMMIT1".into(), &"COMMIT2".into()));
    assert_eq!((&json["diagnostics"][0]["file"], &json["diagnostics"][0]["line"]), (&"a.rhai".into(), &1.into()));
    story.node.start();
    let three = story.deploy("three");
    story.wait_for("three", &three);
    story.node.wait_for_state("ready");
}

#[test]
fn a_branch_that_is_deleted_past_the_gate_leaves_what_was_live() {
    let mut story = Story::begin();
    let one = story.deploy("one");
    story.bare(&["update-ref", "-d", "refs/heads/main"]);
    story.node.wait_for_state("degraded");
    for _ in 0..2 {
        assert_eq!((story.answer().as_str(), story.live().unwrap().revision.0.as_str()), ("one", &*one));
        insta::assert_snapshot!("branch_gone", story.node.ready()["degraded"][0].as_str().unwrap());
        insta::assert_snapshot!("status_branch_gone", told(&status(&story, &[])));
        let json: serde_json::Value = serde_json::from_str(&status(&story, &["--json"])).unwrap();
        assert_eq!((&json["is_in_sync"], &json["wanted"]), (&false.into(), &serde_json::Value::Null));
        story.node.restart();
    }
    story.push(&["main"]);
    story.node.wait_for_state("ready");
    story.wait_for("one", &one);
}

#[test]
fn what_moves_while_the_node_is_down_is_live_when_it_is_up() {
    let mut story = Story::begin();
    story.deploy("one");
    let two = story.commit("two");
    smuggle(&story, &two);
    story.node.stop();
    story.bare(&["update-ref", "refs/heads/main", &two]);
    story.node.start();
    story.wait_for("two", &two);
}

#[test]
fn a_folder_of_branches_is_followed() {
    let story = Story::with("branch = \"deploy/production\"\n");
    let one = story.commit("one");
    story.push(&["main:deploy/production"]);
    assert_eq!((story.answer().as_str(), story.branch("deploy/production")), ("one", one.clone()));
    let two = story.commit("two");
    smuggle(&story, &two);
    story.bare(&["pack-refs", "--all"]);
    fs::remove_dir(story.repository().join("refs/heads/deploy")).ok();
    story.bare(&["update-ref", "refs/heads/deploy/production", &two]);
    wait_until("the new commit is live", PATIENCE, || story.answer() == "two");
    story.commit("three");
    assert!(story.push(&["main"]).contains("`deploy/production` is the branch that deploys"));
    assert_eq!(story.answer(), "two");
}

/// Replaces the times, ids and the address in what `status` prints. When it looks again it may not have said yet.
fn told(text: &str) -> String {
    let text = text.replace(&format!("pushed by user:{}", crate::kit::git::whoami()), "pushed by USER");
    let word = |word: &str| match word {
        word if word.starts_with("20") && word.contains('T') => "TIME".to_owned(),
        word if word.starts_with("http://") => "ADDRESS".to_owned(),
        word if word.len() == 13 && word.bytes().all(|byte| byte.is_ascii_alphanumeric()) => "DEPLOYMENT".to_owned(),
        word => word.to_owned(),
    };
    let line = |line: &str| match line.split_once(", for ") {
        Some((wanted, _)) => format!("{wanted}, for SOME TIME"),
        None => line.split(' ').map(word).collect::<Vec<_>>().join(" "),
    };
    text.lines().filter(|line| !line.starts_with("looked ")).map(line).collect::<Vec<_>>().join("\n")
}
