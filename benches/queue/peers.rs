//! The other queues, which a program for Node.js measures.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use super::Figures;

const PROGRAM: &str = include_str!("peers.mjs");

/// Measures one in an empty database.
pub fn measure(name: &str, url: &str) -> Figures {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/queue");
    let program = folder.join("peers.mjs");
    fs::write(&program, PROGRAM).expect("benches/queue/setup has run");
    let output = Command::new(folder.join("node_modules/.bin/node")).arg(program).args([name, url]).output().unwrap();
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let number = |name: &str| figures[name].as_f64().unwrap();
    let times = figures["times"].as_array().unwrap().iter().map(|time| time.as_f64().unwrap()).collect();
    Figures { one: number("one"), many: number("many"), handled: number("handled"), times }
}
