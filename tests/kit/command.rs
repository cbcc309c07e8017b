//! Commands of the program.

use std::{
    path::Path,
    process::{Command, Output},
};

use super::node::Node;

/// What a program said on stderr.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Prepares a command of the program.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picloud"));
    command.args(arguments).current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// Makes a token on the command line, and returns its secret.
pub fn token(node: &Node, arguments: &[&str]) -> String {
    picloud(node, &[&["token", "create"], arguments].concat()).trim().into()
}

/// Runs a command in a node's folder.
pub fn run(node: &Node, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_picloud")).args(arguments).current_dir(node.folder()).env_clear().output().unwrap()
}

/// Runs a command in a node's folder, which must succeed, and returns what it printed.
#[track_caller]
pub fn picloud(node: &Node, arguments: &[&str]) -> String {
    let output = run(node, arguments);
    assert!(output.status.success(), "picloud {arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}
