//! Commits that must be signed by somebody who may deploy.

use std::{fs, path::Path, process::Command};

use crate::kit::{
    node::Setup,
    story::{Story, follower},
};

/// Makes a key, and returns the line by which its owner is allowed.
fn key(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&path).status();
    assert!(made.expect("ssh-keygen is installed: scripts/setup test").success());
    let public = fs::read_to_string(path.with_extension("pub")).unwrap();
    format!("{name}@example.org namespaces=\"git\" {public}")
}

/// A node that only takes what Ann has signed; `ann` and `eve` have keys.
pub fn signed_by_ann() -> Setup {
    let setup = follower("require_signed = true\nallowed_signers = \"allowed\"\n");
    fs::write(setup.folder().join("allowed"), key(setup.folder(), "ann")).unwrap();
    key(setup.folder(), "eve");
    setup
}

/// Commits functions that all answer this, signed by somebody.
pub fn commit_by(story: &Story, who: &str, answer: &str) -> String {
    let key = story.node.folder().join(who);
    for (name, value) in [("gpg.format", "ssh"), ("user.signingKey", key.to_str().unwrap()), ("commit.gpgSign", "true")] {
        story.checkout.done(&["config", name, value]);
    }
    let commit = story.commit(answer);
    story.checkout.done(&["config", "commit.gpgSign", "false"]);
    commit
}

#[test]
fn only_what_an_allowed_signer_signed_goes_live() {
    let story = Story::of(signed_by_ann());
    let one = commit_by(&story, "ann", "one");
    story.push(&["main"]);
    story.wait_for("one", &one);
    story.commit("two");
    insta::assert_snapshot!("unsigned", story.refused(&["main"]));
    story.checkout.done(&["reset", "--quiet", "--hard", &one]);
    commit_by(&story, "eve", "three");
    insta::assert_snapshot!("signed_by_nobody_allowed", story.refused(&["main"]));
    story.wait_for("one", &one);
    // The newest counts: it answers for all that it contains.
    let four = commit_by(&story, "ann", "four");
    story.push(&["main"]);
    story.wait_for("four", &four);
}

#[test]
fn past_the_gate_signatures_are_asked_for_as_well() {
    let mut story = Story::of(signed_by_ann());
    let one = commit_by(&story, "ann", "one");
    story.push(&["main"]);
    let eve = commit_by(&story, "eve", "two");
    story.push(&["main:refs/hidden/eve"]);
    story.bare(&["update-ref", "refs/heads/main", &eve]);
    story.node.wait_for_state("degraded");
    story.node.restart();
    assert_eq!((story.answer().as_str(), story.live().unwrap().revision.0.as_str()), ("one", &*one));
    story.node.wait_for_line(&["is signed by nobody who is listed"]);
    let three = commit_by(&story, "ann", "three");
    story.push(&["main"]);
    story.wait_for("three", &three);
}

#[test]
fn the_signature_of_another_commit_does_not_help() {
    let story = Story::of(signed_by_ann());
    let one = commit_by(&story, "ann", "one");
    story.push(&["main"]);
    let two = story.commit("two");
    // git would show the signed commit wherever it is asked for the other.
    story.push(&[&format!("{one}:refs/replace/{two}")]);
    assert!(story.refused(&["main"]).contains("is not signed"));
    // Nor does a signature that was taken from one commit and put into another.
    let signed = story.checkout.done(&["cat-file", "commit", &one]);
    let (_, signature) = signed.split_once("gpgsig ").unwrap();
    let signature = &signature[..signature.find("-----END SSH SIGNATURE-----").unwrap()];
    let unsigned = story.checkout.done(&["cat-file", "commit", &two]);
    let (head, message) = unsigned.split_once("\n\n").unwrap();
    let forged = format!("{head}\ngpgsig {signature}-----END SSH SIGNATURE-----\n\n{message}");
    fs::write(story.checkout.folder().join("forged"), forged).unwrap();
    let forged = story.checkout.done(&["hash-object", "-t", "commit", "-w", "forged"]).trim().to_owned();
    let told = story.refused(&[&format!("{forged}:main")]);
    insta::assert_snapshot!("signature_wrong", told.replace(&forged, "FORGED").replace(&forged[..10], "FORGED"));
    story.wait_for("one", &one);
}

#[test]
fn a_missing_list_of_signers_lets_nobody_in() {
    let story = Story::of(signed_by_ann());
    let one = commit_by(&story, "ann", "one");
    story.push(&["main"]);
    fs::remove_file(story.node.folder().join("allowed")).unwrap();
    commit_by(&story, "ann", "two");
    insta::assert_snapshot!("no_list", story.refused(&["main"]));
    story.wait_for("one", &one);
}
