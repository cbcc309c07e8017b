//! Every key of `picloud.toml` with values at the ends of what can be written.

use std::{fs, path::Path};

use picloud::config::{Config, Overrides};

use crate::kit::node::node;

/// Values that somebody may write anywhere.
const VALUES: &[&str] =
    &["0", "-1", "9_223_372_036_854_775_807", "\"\"", "\"0s\"", "\"9999999y\"", "\"16777216TiB\"", "\"nonsense\"", "[]", "true"];

/// Returns every key that the repository's own file names, with its section.
fn keys() -> Vec<(String, String)> {
    let (mut section, mut keys) = (String::new(), Vec::new());
    for line in include_str!("../../../picloud.toml").lines().map(|line| line.trim_start_matches("# ")) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.into();
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| key.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_')))
        {
            keys.push((section.clone(), key.into()));
        }
    }
    keys
}

fn write(settings: &[(String, String, &str)]) -> String {
    let mut text = String::new();
    let mut sections: Vec<&str> = settings.iter().map(|(section, ..)| section.as_str()).collect();
    sections.sort_unstable();
    sections.dedup();
    for section in sections {
        text += &if section.is_empty() { String::new() } else { format!("[{section}]\n") };
        for (_, key, value) in settings.iter().filter(|(of, ..)| of == section) {
            text += &format!("{key} = {value}\n");
        }
    }
    text
}

fn load(folder: &Path, text: &str) -> Result<Config, String> {
    let file = folder.join("picloud.toml");
    fs::write(&file, text).unwrap();
    Config::load(Some(&file), Overrides::default()).map_err(|error| error.to_string())
}

#[test]
fn a_value_that_makes_no_sense_is_refused_and_any_other_makes_a_node_that_works() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys();
    assert!(keys.len() > 80, "{}", keys.len());
    for value in VALUES {
        // What is taken is taken together, so that few nodes try them all.
        let mut taken = Vec::new();
        // With an address of its own for the control plane a story would ask that for functions.
        for (section, key) in keys.iter().filter(|(_, key)| key != "admin_listen") {
            let alone = [(section.clone(), key.clone(), *value)];
            match load(folder.path(), &write(&alone)) {
                Err(why) => {
                    assert!(["hint: ", "error: ", "is none of"].iter().any(|word| why.contains(word)), "{section}.{key} = {value}: {why}")
                }
                Ok(_) => {
                    taken.extend(alone);
                    if load(folder.path(), &write(&taken)).is_err() {
                        taken.pop();
                    }
                }
            }
        }
        println!("{value}: {}", taken.iter().map(|(section, key, _)| format!("{section}.{key} ")).collect::<String>());
        let functions = tempfile::tempdir().unwrap();
        fs::write(functions.path().join("a.rhai"), "1").unwrap();
        let setup = node(&[]).config(&write(&taken)).argument("--functions").argument(functions.path().to_str().unwrap());
        let mut node = setup.argument("--data").argument(".picloud").start();
        assert_eq!(node.get("/a").text(), "1", "{taken:?}");
        if !taken.iter().any(|(_, key, _)| key == "record") {
            node.wait_for_execution("of /a", |execution| execution.path.as_str() == "/a");
        }
        node.stop();
    }
}
