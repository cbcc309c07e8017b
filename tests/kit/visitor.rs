//! Somebody who works with nodes from elsewhere.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

use super::node::Node;

/// Somebody on another machine: a home and a working folder of their own, and no node.
pub struct Visitor {
    folder: TempDir,
}

impl Visitor {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        Self { folder }
    }

    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    pub fn credentials(&self) -> PathBuf {
        self.home().join(".config/picloud/credentials.json")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_picloud"));
        command.args(arguments).current_dir(self.home().join("work")).env_clear().env("HOME", self.home());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command with something on its stdin.
    pub fn tell(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // One that refuses what it was told otherwise reads nothing.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Runs a command that must succeed, and returns what it printed.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> String {
        printed(arguments, self.run(arguments))
    }

    /// Runs a command that must fail, and returns what it told.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    /// Logs in to a node.
    #[track_caller]
    pub fn log_in(&self, node: &Node, secret: &str) -> String {
        let arguments = ["login", &url(node)];
        printed(&arguments, self.tell(&arguments, &format!("{secret}\n")))
    }
}

/// What a command printed, which must have succeeded.
#[track_caller]
pub fn printed(arguments: &[&str], output: Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Where a node answers.
pub fn url(node: &Node) -> String {
    format!("http://{}", node.address())
}

/// Runs a command, waits until it shows something, types, and returns all that was shown.
pub fn on_terminal(mut command: Command, prompt: &str, typed: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut shown, mut part) = (Vec::new(), [0; 1024]);
    let mut has_typed = false;
    loop {
        let read = stdout.read(&mut part).unwrap();
        if read == 0 {
            break;
        }
        shown.extend_from_slice(&part[..read]);
        if !has_typed && String::from_utf8_lossy(&shown).contains(prompt) {
            has_typed = true;
            stdin.write_all(typed.as_bytes()).unwrap();
            stdin.flush().unwrap();
        }
    }
    child.wait().unwrap();
    String::from_utf8_lossy(&shown).into_owned()
}
