//! Beginning a project, and the commands that look at its files.

use std::{fs, process::Command};

use super::Folder;

#[test]
fn a_new_project_checks_and_answers() {
    let folder = Folder::empty();
    insta::assert_snapshot!("init", folder.done(&["init"]));
    assert_eq!(folder.done(&["check"]), "2 functions, no errors\n");
    assert_eq!(folder.done(&["invoke", "/hello?name=Ada"]), "{\"message\":\"hello Ada\"}");
    assert_eq!(folder.done(&["invoke", "/users/7"]), "{\"id\":7,\"path\":\"/users/7\"}");
}

#[test]
fn init_overwrites_nothing() {
    let folder = Folder::empty();
    folder.write("shop/functions/hello.rhai", "\"mine\"");
    insta::assert_snapshot!("init_in_the_way", folder.refused(2, &["init", "shop"]));
    assert_eq!(fs::read_to_string(folder.0.path().join("shop/functions/hello.rhai")).unwrap(), "\"mine\"");
    assert!(!folder.0.path().join("shop/picloud.toml").exists());
    folder.write("new/shop/.gitignore", "/target\n");
    assert!(folder.done(&["init", "new/shop"]).contains("  cd new/shop\n"));
    assert_eq!(fs::read_to_string(folder.0.path().join("new/shop/.gitignore")).unwrap(), "/target\n");
    assert!(folder.refused(2, &["init", "new/shop"]).contains("`new/shop/picloud.toml` is there already"));
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(Folder::empty().done(&["completions", shell]).contains("picloud"));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::project();
    for number in 0..300 {
        folder.write(&format!("functions/many/f{number}.rhai"), "1");
    }
    let piped = |script: &str| {
        let script = script.replace("picloud", env!("CARGO_BIN_EXE_picloud"));
        Command::new("bash").args(["-c", &script]).current_dir(folder.0.path()).output().unwrap()
    };
    let output = piped("set -o pipefail; picloud routes | head -1");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    // What it found it still says.
    folder.write("functions/broken.rhai", "(");
    let output = piped("picloud check --json | true; exit ${PIPESTATUS[0]}");
    assert_eq!((output.status.code(), output.stderr.is_empty()), (Some(1), true));
    let output = piped("picloud routes > /dev/full");
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!("full_disk", String::from_utf8(output.stderr).unwrap());
}
