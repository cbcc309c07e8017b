//! Going back, and what the source may do after: the same for a directory and for git.

use std::process::{Command, Output, Stdio};

use crate::kit::node::{Node, Signal, node};
use crate::kit::{
    command::{picloud, said},
    git::Checkout,
};
use serde_json::Value;

/// Runs a command in a node's folder.
fn run(node: &Node, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_picloud")).args(arguments).current_dir(node.folder()).env_clear().output().unwrap()
}

fn json(node: &Node, arguments: &[&str]) -> Value {
    serde_json::from_str(&picloud(node, &[arguments, &["--json"]].concat())).unwrap()
}

/// A node that follows a bare repository beside it, and a working copy that pushes there.
fn git_node(files: &[(&str, &[u8])]) -> (Node, Checkout) {
    let setup = node(&[]).config("[source]\nkind = \"git\"\nrepository = \"repo.git\"\n");
    let made =
        Command::new(env!("CARGO_BIN_EXE_picloud")).args(["init", "--bare", "repo.git"]).current_dir(setup.folder()).output().unwrap();
    assert!(made.status.success(), "{}", said(&made));
    let node = setup.start();
    let checkout = Checkout::with(files);
    push(&node, &checkout);
    (node, checkout)
}

fn repository(node: &Node) -> String {
    node.folder().join("repo.git").display().to_string()
}

#[track_caller]
fn push(node: &Node, checkout: &Checkout) -> String {
    let output = checkout.run(&["push", &repository(node), "main"]);
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

#[test]
fn a_commit_that_was_gone_back_from_does_not_return_by_itself() {
    let (mut node, checkout) = git_node(&[("functions/a.rhai", b"1")]);
    let first = json(&node, &["status"])["live"]["id"].clone();
    checkout.commit(&[("functions/a.rhai", b"2"), ("functions/b.rhai", b"2")]);
    push(&node, &checkout);
    node.wait_for("/a", "2");

    let shown = picloud(&node, &["rollback", "--dry-run"]);
    assert!(shown.contains("~ any method /a  a.rhai\n- any method /b  b.rhai"), "{shown}");
    assert_eq!(node.get("/a").text(), "2", "a dry run changes nothing");

    picloud(&node, &["rollback", "--reason", "prices are wrong"]);
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").status), ("1", 404));
    let status = json(&node, &["status"]);
    assert_eq!((&status["live"]["cause"], &status["live"]["by"]), (&"rollback".into(), &"admin".into()));
    assert_eq!(status["live"]["note"], format!("back to {}: prices are wrong", first.as_str().unwrap()));
    assert_eq!(status["is_in_sync"], false);
    assert!(status["held"].as_str().unwrap().contains("admin went back from "), "{status}");

    // No look, no restart and no crash brings it back.
    picloud(&node, &["sync"]);
    assert_eq!(node.get("/a").text(), "1");
    node.restart();
    assert_eq!(node.get("/a").text(), "1");
    node.kill();
    node.start();
    picloud(&node, &["sync"]);
    assert_eq!(node.get("/a").text(), "1");

    // A newer good push does, with what it changes.
    checkout.commit(&[("functions/a.rhai", b"3")]);
    let told = push(&node, &checkout);
    assert!(told.contains("live at "), "{told}");
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").status), ("3", 404));
    checkout.commit(&[("functions/b.rhai", b"3")]);
    push(&node, &checkout);
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").text().as_str()), ("3", "3"));
    let status = json(&node, &["status"]);
    assert_eq!((&status["is_in_sync"], &status["following"]["pin"]), (&true.into(), &Value::Null));
}

#[test]
fn a_push_keeps_what_was_gone_back_to_where_it_changes_nothing() {
    let (mut node, checkout) = git_node(&[("functions/v.rhai", b"\"good\""), ("functions/w.rhai", b"\"good\"")]);
    checkout.commit(&[("functions/v.rhai", b"\"bad\""), ("functions/w.rhai", b"\"bad\"")]);
    push(&node, &checkout);
    picloud(&node, &["rollback", "--reason", "leaks customer data"]);
    let answers = |node: &Node| ["/v", "/w"].map(|path| node.get(path).text());
    let stays = "(\"leaks customer data\") stays: v.rhai, w.rhai";

    // Documentation, and nothing at all.
    checkout.commit(&[("README.md", b"docs")]);
    let told = checkout.refused(&["push", "-o", "dry-run", &repository(&node), "main"]);
    assert!(told.contains("admin's rollback of 20") && told.contains(stays) && told.contains("picloud unpin"), "{told}");
    for files in [&[("README.md", &b"docs"[..])][..], &[]] {
        let commit = checkout.commit(files);
        let told = push(&node, &checkout);
        assert!(told.contains(stays) && told.contains("live at"), "{told}");
        assert_eq!(answers(&node), ["good", "good"]);
        let status = json(&node, &["status"]);
        assert_eq!((&status["live"]["revision"], &status["is_in_sync"]), (&commit.as_str().into(), &false.into()));
        assert!(
            status["held"]
                .as_str()
                .unwrap()
                .ends_with("; v.rhai, w.rhai stay so until they change in the source, or until `picloud unpin`"),
            "{status}"
        );
        assert!(status["live"]["note"].as_str().unwrap().contains(stays), "{status}");
    }
    node.restart();
    picloud(&node, &["sync"]);
    assert_eq!(answers(&node), ["good", "good"]);

    // What a push changes follows it, and that is said before and after.
    checkout.commit(&[("functions/w.rhai", b"\"mended\"")]);
    let part = "(\"leaks customer data\") for w.rhai; it stays for v.rhai";
    let told = checkout.refused(&["push", "-o", "dry-run", &repository(&node), "main"]);
    assert!(told.contains("this ends admin's rollback of 20") && told.contains(part), "{told}");
    let told = push(&node, &checkout);
    assert!(told.contains("this ends admin's rollback of 20") && told.contains(part), "{told}");
    assert_eq!(answers(&node), ["good", "mended"]);
    let audit = picloud(&node, &["audit", "--json"]);
    assert!(audit.contains("ends admin's rollback of 20") && audit.contains("it stays for v.rhai"), "{audit}");

    checkout.commit(&[("functions/v.rhai", b"\"mended\"")]);
    let told = push(&node, &checkout);
    assert!(told.contains("this ends admin's rollback of 20") && told.contains("(\"leaks customer data\")\u{20}"), "{told}");
    assert_eq!(answers(&node), ["mended", "mended"]);
    let status = json(&node, &["status"]);
    assert_eq!((&status["is_in_sync"], &status["held"], &status["following"]["pin"]), (&true.into(), &Value::Null, &Value::Null));
}

#[test]
fn a_guard_that_a_push_brings_is_never_left_out_of_what_it_guards() {
    let (node, checkout) = git_node(&[("functions/adm/s.rhai", b"\"secret\"")]);
    checkout.commit(&[("functions/adm/s.rhai", b"\"changed\""), ("functions/adm/_middleware.rhai", b"#{ statusCode: 401 }")]);
    push(&node, &checkout);
    assert_eq!(node.get("/adm/s").status, 401);
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/adm/s").text(), "secret");
    // A new function below the guard wants it, so all of the folder follows the push.
    checkout.commit(&[("functions/adm/t.rhai", b"\"new\"")]);
    push(&node, &checkout);
    assert_eq!(["/adm/s", "/adm/t"].map(|path| node.get(path).status), [401, 401]);
}

#[test]
fn a_guard_that_was_put_back_stays_where_a_push_changes_what_is_behind_it() {
    const STRICT: &[u8] = b"#{ statusCode: 401 }";
    let guard = "functions/z/_middleware.rhai";
    let (mut node, checkout) = git_node(&[(guard, STRICT), ("functions/z/x.rhai", b"1"), ("functions/z/new.rhai", b"\"secret\"")]);
    let statuses = |node: &Node| ["/z/x", "/z/new"].map(|path| node.get(path).status);
    std::fs::remove_file(checkout.folder().join(guard)).unwrap();
    checkout.commit(&[]);
    push(&node, &checkout);
    assert_eq!(statuses(&node), [200, 200]);
    picloud(&node, &["rollback"]);
    assert_eq!(statuses(&node), [401, 401]);
    checkout.commit(&[("functions/z/x.rhai", b"2"), ("functions/z/y.rhai", b"2")]);
    let told = push(&node, &checkout);
    assert!(told.contains("stays: z/_middleware.rhai") && told.contains("picloud unpin"), "{told}");
    assert_eq!((statuses(&node), node.get("/z/y").status), ([401, 401], 401));
    node.restart();
    picloud(&node, &["sync"]);
    assert_eq!(statuses(&node), [401, 401]);

    // Of two guards nobody knows which holds back more: nothing of the push goes live.
    checkout.commit(&[(guard, b"#{ statusCode: 403 }")]);
    push(&node, &checkout);
    assert_eq!(statuses(&node), [403, 403]);
    checkout.commit(&[(guard, b"()")]);
    push(&node, &checkout);
    picloud(&node, &["rollback"]);
    checkout.commit(&[("functions/z/x.rhai", b"3")]);
    let told = checkout.refused(&["push", &repository(&node), "main"]);
    assert!(told.contains("functions/z/_middleware.rhai: error: admin's rollback of 20"), "{told}");
    assert!(told.contains("cannot stay so") && told.contains("nothing was pushed") && told.contains("picloud unpin"), "{told}");
    assert_eq!(statuses(&node), [403, 403]);
    // With a guard of its own it does.
    checkout.commit(&[(guard, STRICT)]);
    push(&node, &checkout);
    assert_eq!(statuses(&node), [401, 401]);
}

#[test]
fn what_was_never_live_is_not_what_was_gone_back_from() {
    let (node, checkout) = git_node(&[("functions/v.rhai", b"0")]);
    for content in [b"1", b"2"] {
        checkout.commit(&[("functions/v.rhai", content)]);
        push(&node, &checkout);
    }
    picloud(&node, &["source", "suspend"]);
    assert!(picloud(&node, &["status"]).contains("the source is suspended by admin"), "at once");
    checkout.commit(&[("functions/v.rhai", b"3")]);
    push(&node, &checkout);
    let told = picloud(&node, &["rollback"]);
    assert!(told.contains("the source is suspended"), "{told}");
    assert_eq!(node.get("/v").text(), "1");
    let told = picloud(&node, &["source", "resume"]);
    assert!(told.starts_with("live "), "{told}");
    assert_eq!(node.get("/v").text(), "3", "the newer commit goes live");

    // Going back twice abandons what was live first, and passes over what was gone back from before.
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/v").text(), "1");
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/v").text(), "0");
    picloud(&node, &["sync"]);
    assert_eq!(node.get("/v").text(), "0");
}

#[test]
fn going_back_again_leads_to_what_was_live_right_before_and_never_to_what_was_abandoned() {
    let (mut node, checkout) = git_node(&[("functions/a.rhai", b"90"), ("functions/b.rhai", b"90")]);
    let go = |node: &Node, a: &[u8], b: &[u8]| {
        checkout.commit(&[("functions/a.rhai", a), ("functions/b.rhai", b)]);
        push(node, &checkout);
    };
    let answers = |node: &Node| ["/a", "/b"].map(|path| node.get(path).text());
    go(&node, b"91", b"91");
    go(&node, b"92", b"92");
    picloud(&node, &["rollback", "--reason", "92: it leaks"]);
    assert_eq!(answers(&node), ["91", "91"]);
    // A part of the rollback holds.
    go(&node, b"93", b"92");
    assert_eq!(answers(&node), ["93", "91"]);
    node.restart();
    picloud(&node, &["rollback"]);
    assert_eq!(answers(&node), ["91", "91"]);
    // And it is none of the two that were abandoned that comes next.
    picloud(&node, &["rollback"]);
    assert_eq!(answers(&node), ["90", "90"]);
    let next = picloud(&node, &["rollback", "--dry-run"]);
    assert!(next.contains("- any method /a") && next.contains("- any method /b"), "what was there first was nothing: {next}");
    // The same once nothing of a rollback holds.
    go(&node, b"94", b"94");
    picloud(&node, &["rollback"]);
    assert_eq!(answers(&node), ["90", "90"]);
    let next = picloud(&node, &["rollback", "--dry-run"]);
    assert!(next.contains("- any method /a") && next.contains("- any method /b"), "what was there first was nothing: {next}");
}

#[test]
fn of_a_suspended_directory_what_was_never_live_goes_live_when_it_is_resumed() {
    let node = Node::start_with(&[("v.rhai", "1")]);
    node.replace("v.rhai", "2");
    node.wait_for("/v", "2");
    picloud(&node, &["source", "suspend"]);
    node.replace("v.rhai", "3");
    picloud(&node, &["sync"]);
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/v").text(), "1");
    picloud(&node, &["source", "resume"]);
    node.wait_for("/v", "3");
}

#[test]
fn a_broken_push_does_not_end_a_pin() {
    let (node, checkout) = git_node(&[("functions/a.rhai", b"1")]);
    let good = checkout.commit(&[("functions/a.rhai", b"2")]);
    push(&node, &checkout);
    picloud(&node, &["rollback"]);
    checkout.commit(&[("functions/a.rhai", b"let x = ;")]);
    checkout.refused(&["push", &repository(&node), "main"]);
    assert_eq!(node.get("/a").text(), "1");
    assert_eq!(json(&node, &["status"])["following"]["pin"]["abandoned"], good.as_str());
}

#[test]
fn a_pin_that_holds_ends_only_by_unpin() {
    let (node, checkout) = git_node(&[("functions/a.rhai", b"1")]);
    checkout.commit(&[("functions/a.rhai", b"2")]);
    push(&node, &checkout);
    picloud(&node, &["rollback", "--hold"]);
    checkout.commit(&[("functions/a.rhai", b"3")]);
    let told = push(&node, &checkout);
    assert!(told.contains("stored, and not live: admin went back"), "{told}");
    assert_eq!(node.get("/a").text(), "1");
    let told = picloud(&node, &["unpin"]);
    assert!(told.starts_with("live "), "{told}");
    assert_eq!(node.get("/a").text(), "3");
    let again = run(&node, &["unpin"]);
    assert_eq!((again.status.code(), said(&again).as_str()), (Some(2), "error: nothing is pinned\n"));
}

#[test]
fn unpin_brings_back_what_was_abandoned() {
    let (node, checkout) = git_node(&[("functions/a.rhai", b"1")]);
    checkout.commit(&[("functions/a.rhai", b"2")]);
    push(&node, &checkout);
    picloud(&node, &["rollback"]);
    picloud(&node, &["unpin"]);
    assert_eq!(node.get("/a").text(), "2");
}

#[test]
fn going_back_needs_no_repository() {
    let (node, checkout) = git_node(&[("functions/a.rhai", b"1")]);
    checkout.commit(&[("functions/a.rhai", b"2")]);
    push(&node, &checkout);
    std::fs::remove_dir_all(repository(&node)).unwrap();
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/a").text(), "1");
}

#[test]
fn one_can_go_back_further_by_id_or_by_commit() {
    let (node, checkout) = git_node(&[("functions/a.rhai", b"1")]);
    let second = checkout.commit(&[("functions/a.rhai", b"2")]);
    push(&node, &checkout);
    let id = json(&node, &["status"])["live"]["id"].as_str().unwrap().to_owned();
    for text in ["3", "4"] {
        checkout.commit(&[("functions/a.rhai", text.as_bytes())]);
        push(&node, &checkout);
    }
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/a").text(), "3");
    // Again: one step further, not back to where we came from.
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/a").text(), "2");
    let same = run(&node, &["rollback", &id]);
    assert_eq!(said(&same), format!("error: the files of deployment {id} are what is live already\n"));
    picloud(&node, &["unpin"]);
    assert_eq!(node.get("/a").text(), "4");
    picloud(&node, &["rollback", &second[..8]]);
    assert_eq!(node.get("/a").text(), "2");
    let unknown = run(&node, &["rollback", "0000000000000"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        said(&unknown).contains("no deployment has the id or the revision `0000000000000`\n  hint: `picloud deployments`"),
        "{}",
        said(&unknown)
    );
}

#[test]
fn of_a_directory_only_what_is_saved_after_going_back_goes_live() {
    let mut node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    node.replace("a.rhai", "2");
    node.wait_for("/a", "2");
    node.replace("c.rhai", "2");
    node.wait_for("/c", "2");
    let first = json(&node, &["deployments"]).as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    picloud(&node, &["rollback", &first]);
    assert_eq!((node.get("/a").text().as_str(), node.get("/c").status), ("1", 404));
    let status = json(&node, &["status"]);
    assert!(status["following"]["pin"]["files"].as_object().unwrap().keys().eq(["a.rhai", "c.rhai"]), "{status}");
    assert_eq!(status["is_in_sync"], false);

    node.replace("b.rhai", "3");
    node.wait_for("/b", "3");
    assert_eq!((node.get("/a").text().as_str(), node.get("/c").status), ("1", 404));
    node.restart();
    picloud(&node, &["sync"]);
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").text().as_str(), node.get("/c").status), ("1", "3", 404));

    node.replace("a.rhai", "4");
    node.wait_for("/a", "4");
    assert_eq!(node.get("/c").status, 404);
    picloud(&node, &["unpin"]);
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").text().as_str(), node.get("/c").text().as_str()), ("4", "3", "2"));
    assert_eq!(json(&node, &["status"])["is_in_sync"], true);
}

#[test]
fn of_a_directory_a_pin_ends_when_nothing_of_it_is_left() {
    let node = Node::start_with(&[("a.rhai", "1")]);
    node.replace("a.rhai", "2");
    node.wait_for("/a", "2");
    picloud(&node, &["rollback"]);
    assert_eq!(node.get("/a").text(), "1");
    node.replace("a.rhai", "3");
    node.wait_for("/a", "3");
    assert_eq!(json(&node, &["status"])["following"]["pin"], Value::Null);
    // Now it is a save as any other.
    node.replace("a.rhai", "2");
    node.wait_for("/a", "2");
}

#[test]
fn of_a_directory_a_pin_that_holds_stops_every_save() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    node.replace("a.rhai", "2");
    node.wait_for("/a", "2");
    picloud(&node, &["rollback", "--hold"]);
    node.replace("b.rhai", "2");
    picloud(&node, &["sync"]);
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").text().as_str()), ("1", "1"));
    picloud(&node, &["unpin"]);
    node.wait_for("/a", "2");
    node.wait_for("/b", "2");
}

#[test]
fn a_suspended_source_is_not_followed_until_it_is_resumed() {
    let mut node = Node::start_with(&[("a.rhai", "1")]);
    assert_eq!(picloud(&node, &["health"]), "ready\n");
    picloud(&node, &["source", "suspend"]);
    // Nothing has changed since, and both say it.
    let held = json(&node, &["status"])["held"].as_str().unwrap().to_owned();
    assert!(held.starts_with("the source is suspended by admin since "), "{held}");
    let health = picloud(&node, &["health"]);
    assert!(health.starts_with("ready\nheld: the source is suspended since ") && !health.contains("admin"), "{health}");
    node.replace("a.rhai", "2");
    let told = picloud(&node, &["sync"]);
    assert!(told.contains("not live  the source is suspended by admin since "), "{told}");
    assert_eq!(node.get("/a").text(), "1");
    node.restart();
    assert_eq!(node.get("/a").text(), "1", "what was live is live again, not what the folder holds");
    let again = run(&node, &["source", "suspend"]);
    assert_eq!((again.status.code(), said(&again).as_str()), (Some(2), "error: the source is suspended already\n"));
    picloud(&node, &["source", "resume"]);
    assert_eq!(node.get("/a").text(), "2");
    assert_eq!(json(&node, &["status"])["held"], Value::Null);
    assert_eq!(picloud(&node, &["health"]), "ready\n");
}

#[test]
fn a_rollback_of_a_folder_says_at_once_what_it_holds_back_and_why() {
    let node = Node::start_with(&[("a.rhai", "1"), ("b.rhai", "1")]);
    let first = json(&node, &["status"])["live"]["id"].as_str().unwrap().to_owned();
    node.replace("a.rhai", "2");
    node.wait_for("/a", "2");
    picloud(&node, &["rollback", &first, "--reason", "prices are wrong"]);
    let held = |node: &Node| json(node, &["status"])["held"].clone();
    let said = held(&node).as_str().unwrap_or_default().to_owned();
    assert!(said.starts_with("admin went back from ") && said.contains(&format!("to deployment {first} at ")), "{said}");
    assert!(said.ends_with(" (prices are wrong); a.rhai stays so until it changes in the source, or until `picloud unpin`"), "{said}");
    let health = picloud(&node, &["health"]);
    assert!(health.starts_with(&format!("ready\nheld: a rollback to deployment {first} holds the source back since ")), "{health}");
    // Another file goes live, and the one that is held still is.
    node.replace("b.rhai", "2");
    node.wait_for("/b", "2");
    assert_eq!((held(&node), node.get("/a").text().as_str()), (said.into(), "1"));
    // It is saved anew: nothing is held any more.
    node.replace("a.rhai", "3");
    node.wait_for("/a", "3");
    assert_eq!(held(&node), Value::Null);
}

#[test]
fn a_push_to_a_suspended_source_is_stored_and_told_so() {
    let (node, checkout) = git_node(&[("functions/a.rhai", b"1")]);
    picloud(&node, &["source", "suspend"]);
    checkout.commit(&[("functions/a.rhai", b"2")]);
    let told = push(&node, &checkout);
    assert!(told.contains("stored, and not live: the source is suspended by admin"), "{told}");
    assert_eq!(node.get("/a").text(), "1");
    // Even so, what is broken is refused.
    checkout.commit(&[("functions/a.rhai", b"let x = ;")]);
    checkout.refused(&["push", &repository(&node), "main"]);
    picloud(&node, &["source", "resume"]);
    assert_eq!(node.get("/a").text(), "2");
}

#[test]
fn a_crash_while_going_back_leaves_one_whole_state() {
    let (mut node, checkout) = git_node(&[("functions/a.rhai", b"1"), ("functions/b.rhai", b"1")]);
    for round in 0..12 {
        let text = format!("2 // {round}");
        checkout.commit(&[("functions/a.rhai", text.as_bytes()), ("functions/b.rhai", text.as_bytes())]);
        push(&node, &checkout);
        let mut rollback = Command::new(env!("CARGO_BIN_EXE_picloud"));
        let mut rollback = rollback
            .args(["rollback", "--yes"])
            .current_dir(node.folder())
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // From before it is asked for until after it is done.
        std::thread::sleep(std::time::Duration::from_millis(round * 4));
        node.signal(Signal::KILL);
        node.ended();
        let _ = rollback.wait();
        node.start();
        let both = (node.get("/a").text(), node.get("/b").text());
        let is_back = json(&node, &["status"])["following"]["pin"].is_object();
        let expected = if is_back { "1" } else { "2" };
        assert_eq!((both.0.as_str(), both.1.as_str()), (expected, expected), "round {round}");
        // And so it stays.
        picloud(&node, &["sync"]);
        assert_eq!(node.get("/a").text(), expected);
        if !is_back {
            picloud(&node, &["rollback"]);
        }
        assert_eq!(node.get("/b").text(), "1");
    }
}

#[test]
fn what_today_s_rules_refuse_cannot_be_gone_back_to() {
    let mut node = node(&[("a.rhai", "+++\ntimeout = \"200s\"\n+++\n1")]).start();
    node.replace("a.rhai", "2");
    node.wait_for("/a", "2");
    std::fs::write(node.folder().join("picloud.toml"), "[ceilings]\ntimeout = \"100s\"\n").unwrap();
    node.restart();
    let refused = run(&node, &["rollback"]);
    assert_eq!(refused.status.code(), Some(2));
    let told = said(&refused);
    assert!(told.contains("cannot go live any more\na.rhai:2:1: error: `timeout` is 3m 20s, above this node"), "{told}");
    assert_eq!(node.get("/a").text(), "2");
}
