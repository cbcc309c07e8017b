//! The database goes away and comes back while somebody pushes.

use std::time::Duration;

use picloud::clock::monotonic;

use crate::kit::{
    proxy::Proxy,
    store::Fresh,
    story::{Story, follower},
};

#[test]
fn without_its_database_the_node_refuses_a_push_and_says_so() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (fresh, proxy, url) = runtime.block_on(async {
        let fresh = Fresh::postgres().await;
        let (proxy, url) = Proxy::before(&fresh.url).await;
        (fresh, proxy, url)
    });
    let story = Story::of(follower("").variable("PICLOUD_DATABASE_URL", &url));
    let live = || runtime.block_on(async { fresh.open().await.live_deployment().await.unwrap().unwrap().revision.0 });
    let one = story.commit("one");
    story.push(&["main"]);
    assert_eq!((story.answer(), live()), ("one".into(), one.clone()));

    proxy.cut();
    let two = story.commit("two");
    let began = monotonic();
    let told = story.refused(&["main"]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let (what, why) = told.split_once("does not answer: ").unwrap();
    assert_eq!(what.lines().last().unwrap(), "remote: picloud: the database ");
    assert!(why.contains("hint: nothing was pushed; push again when it does"), "{told}");
    assert!(!told.contains("trust") && !told.contains("postgres://"), "a URL is in {told}");
    assert_eq!((story.answer(), story.branch("main")), ("one".into(), one.clone()));
    // A commit that comes past the gate waits.
    story.checkout.commit(&[("README.md", b"hello")]);
    assert!(!story.pushing(&["main"]).output().unwrap().status.success());

    proxy.restore();
    story.checkout.done(&["reset", "--quiet", "--hard", &two]);
    story.push(&["main"]);
    story.node.wait_for("/a", "two");
    assert_eq!((story.branch("main"), live()), (two.clone(), two));
}

#[test]
fn a_branch_that_moves_while_the_database_is_away_goes_live_when_it_is_back() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_fresh, proxy, url) = runtime.block_on(async {
        let fresh = Fresh::postgres().await;
        let (proxy, url) = Proxy::before(&fresh.url).await;
        (fresh, proxy, url)
    });
    let mut story = Story::of(follower("").variable("PICLOUD_DATABASE_URL", &url));
    story.commit("one");
    story.push(&["main"]);
    let two = story.commit("two");
    story.push(&["main:topic"]);
    proxy.cut();
    story.bare(&["update-ref", "refs/heads/main", &two]);
    story.node.wait_for_state("degraded");
    assert_eq!(story.answer(), "one");
    proxy.restore();
    story.node.wait_for("/a", "two");
    story.node.wait_for_state("ready");
    story.node.restart();
    assert_eq!(story.answer(), "two");
}
