//! Going back, and what the source may do after: the same for a directory and for git.

mod directory;
mod guards;
mod pin;
mod suspension;
mod target;

use std::process::Command;

use serde_json::Value;

use crate::kit::{
    command::{picloud, said},
    git::Checkout,
    node::{Node, node},
};

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
