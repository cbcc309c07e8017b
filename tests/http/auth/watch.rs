//! `picloud status --watch`, and how commands look on a terminal.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command},
    sync::{Arc, Mutex},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::kit::{
    api::admin,
    node::{Node, PATIENCE, node, wait_until},
    visitor::{Visitor, url},
};

/// A command that goes on, and what it has printed.
struct Watcher {
    child: Child,
    printed: Arc<Mutex<String>>,
}

impl Watcher {
    fn begin(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (stdout, printed) = (child.stdout.take().unwrap(), Arc::new(Mutex::new(String::new())));
        let shared = printed.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                *shared.lock().unwrap() += &(line + "\n");
            }
        });
        Self { child, printed }
    }

    fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    #[track_caller]
    fn wait_for(&self, what: &str) {
        wait_until(&format!("`{what}` is shown"), PATIENCE, || self.printed().contains(what));
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start() -> (Node, Visitor) {
    let (node, visitor) = (node(&[("a.rhai", "1")]).start(), Visitor::new());
    visitor.log_in(&node, &admin(&node));
    (node, visitor)
}

#[test]
fn what_changes_is_shown_in_plain_lines_until_ctrl_c() {
    let (mut node, visitor) = start();
    let mut watcher = Watcher::begin(visitor.command(&["status", "--watch"]));
    watcher.wait_for("1 function,");
    node.write("b.rhai", "2");
    watcher.wait_for("2 functions,");
    node.write("b.rhai", "let x = ;");
    watcher.wait_for("b.rhai:1:9: error");
    let url = url(&node);
    node.kill();
    watcher.wait_for(&format!("the node at {url} does not answer"));
    let printed = watcher.printed();
    assert!(!printed.contains('\u{1b}'), "{printed}");
    // A block for each change and none between: live, live again, wrong, gone; a look between may see one more.
    let blocks = printed.split("\n\n").filter(|block| block.starts_with("node ")).count();
    assert!((3..=5).contains(&blocks), "{printed}");
    kill_process(Pid::from_child(&watcher.child), Signal::INT).unwrap();
    assert!(!watcher.child.wait().unwrap().success());
}

#[test]
fn tools_get_an_object_a_line() {
    let (node, visitor) = start();
    let watcher = Watcher::begin(visitor.command(&["status", "--watch", "--json"]));
    watcher.wait_for("\n");
    node.write("b.rhai", "2");
    watcher.wait_for("\"functions\":2");
    for line in watcher.printed().lines() {
        let status: Value = serde_json::from_str(line).unwrap();
        assert!(status["live"]["id"].is_string(), "{line}");
    }
}

#[test]
fn a_reader_that_leaves_ends_it() {
    let (node, visitor) = start();
    let mut child = visitor.command(&["status", "--watch"]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    drop(stdout);
    node.write("b.rhai", "2");
    wait_until("it ends", PATIENCE, || child.try_wait().unwrap().is_some());
}

#[test]
fn colours_are_for_terminals_whose_user_wants_them() {
    let (_node, visitor) = start();
    let shown = |variables: &[(&str, &str)]| {
        let program = visitor.command(&["login"]);
        let words = format!("{} login", program.get_program().to_str().unwrap());
        let mut terminal = Command::new("script");
        terminal.args(["--quiet", "--return", "--command", &words, "/dev/null"]).env_clear().env("PATH", "/usr/bin:/bin");
        terminal.env("HOME", visitor.home()).envs(variables.iter().copied()).stdin(std::process::Stdio::null());
        String::from_utf8(terminal.output().unwrap().stdout).unwrap()
    };
    assert!(shown(&[("TERM", "xterm")]).contains("\u{1b}[1mNODE"));
    for plain in [&[("TERM", "xterm"), ("NO_COLOR", "1")][..], &[("TERM", "dumb")]] {
        let shown = shown(plain);
        assert!(shown.contains("NODE") && !shown.contains('\u{1b}'), "{plain:?}: {shown}");
    }
    assert!(shown(&[("TERM", "xterm"), ("NO_COLOR", "")]).contains("\u{1b}[1mNODE"), "an empty one says nothing");
    assert!(!visitor.done(&["login"]).contains('\u{1b}'), "no terminal, no colours");
}

#[test]
fn a_terminal_is_drawn_anew() {
    let (node, visitor) = start();
    let words = format!("{} status --watch", visitor.command(&[]).get_program().to_str().unwrap());
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--flush", "--command", &words, "/dev/null"]).env_clear().env("PATH", "/usr/bin:/bin");
    terminal.env("HOME", visitor.home()).env("TERM", "xterm").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut watcher = Watcher::begin(terminal);
    let _stdin = watcher.child.stdin.take();
    watcher.wait_for("1 function,");
    node.write("b.rhai", "2");
    watcher.wait_for("2 functions,");
    assert!(watcher.printed().matches("\u{1b}[H\u{1b}[2J").count() >= 2, "{:?}", watcher.printed());
}
