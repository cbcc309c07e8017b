//! Pushes and clones through Caddy, with the real git.

use std::process::Output;

use crate::{
    caddy::proxy::{Caddy, OUTSIDE},
    kit::{
        command::{said, token},
        git::Checkout,
        machine::{Need, needs},
        node::Node,
        story::hosted,
    },
};

/// A node that hosts its repository, Caddy in front, and somebody who may push.
struct Story {
    node: Node,
    caddy: Caddy,
    url: String,
}

impl Story {
    fn begin() -> Self {
        let node = hosted().start();
        let caddy = Caddy::before(&node);
        let url = caddy.url("/functions.git").replace("https://", &format!("https://x:{}@", token(&node, &["ann", "--scope", "deploy"])));
        Self { node, caddy, url }
    }

    fn run(&self, checkout: &Checkout, arguments: &[&str]) -> Output {
        let trusted = format!("http.sslCAInfo={}", self.caddy.root().display());
        checkout.run(&[&["-c", &trusted], arguments].concat())
    }

    #[track_caller]
    fn push(&self, checkout: &Checkout) -> String {
        let pushed = self.run(checkout, &["push", &self.url, "main"]);
        assert!(pushed.status.success(), "{}\n{}", said(&pushed), self.caddy.log());
        said(&pushed)
    }
}

#[test]
fn a_good_push_goes_live_and_a_bad_one_hears_why() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    let story = Story::begin();
    let checkout = Checkout::empty();
    checkout.agree("one");
    let told = story.push(&checkout);
    assert!(told.contains("remote: "), "{told}");
    assert_eq!(story.caddy.ask(OUTSIDE, "/a", &[]).text(), "one");
    checkout.commit(&[("functions/a.rhai", b"let x = ;")]);
    let refused = story.run(&checkout, &["push", &story.url, "main"]);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("functions/a.rhai:1:9"), "{}", said(&refused));
    assert_eq!(story.caddy.ask(OUTSIDE, "/a", &[]).text(), "one");
    let clone = Checkout::empty();
    let pulled = story.run(&clone, &["pull", "--quiet", &story.url, "main"]);
    assert!(pulled.status.success(), "{}", said(&pulled));
    assert_eq!(std::fs::read_to_string(clone.folder().join("functions/a.rhai")).unwrap(), "\"one\"");
}

#[test]
fn a_large_push_is_no_matter_for_the_proxy() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    let story = Story::begin();
    let checkout = Checkout::empty();
    // What does not get smaller by compression.
    let noise: Vec<u8> =
        (0..20_000_000_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n.rotate_left(17)).to_be_bytes()[2]).collect();
    checkout.commit(&[("functions/a.rhai", b"\"one\""), ("large", &noise)]);
    story.push(&checkout);
    story.node.wait_for("/a", "one");
}
