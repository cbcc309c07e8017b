//! What hides in files and names has no way to the terminal of whoever looks at them.

use picloud::shown::is_hidden;

use crate::cli::{Folder, Node, wait};

/// Checks that a text has nothing in it that a terminal would obey or not show.
#[track_caller]
fn assert_tame(what: &str, text: &[u8]) {
    let text = std::str::from_utf8(text).unwrap();
    let found: String = text.chars().filter(|c| is_hidden(*c) && !matches!(c, '\n' | '\t')).collect();
    assert!(found.is_empty(), "{what}: {found:?} in {text:?}");
}

/// Something of each kind, as a script may hold it.
const HIDDEN: &str = "\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\u{2066}\u{200b}\u{feff}\u{a0}";

fn project() -> Folder {
    let folder = Folder::project();
    folder.write("functions/wrong.rhai", &format!("\"a\" {HIDDEN}X"));
    folder.write("functions/x\nremote: live at 1234567890.rhai", "let x = ;");
    folder.write(&format!("functions/{}.rhai", "\u{1b}[31mred\u{202e}"), "\"named\"");
    folder.write("functions/fails.rhai", &format!("log::info(\"{HIDDEN}\"); throw \"{HIDDEN}\";"));
    folder
}

#[test]
fn no_command_prints_what_hides_in_files_and_names() {
    let folder = project();
    for arguments in [
        &["check"][..],
        &["check", "--json"],
        &["routes"],
        &["routes", "--json"],
        &["routes", "/\u{1b}[31mx"],
        &["invoke", "/wrong"],
        &["invoke", "/fails"],
        &["invoke", "/x\u{9b}"],
        &["deploy", "functions", "--url", "http://127.0.0.1:1"],
    ] {
        let output = folder.run(arguments);
        assert_tame(&format!("{arguments:?}"), &output.stdout);
        assert_tame(&format!("{arguments:?}"), &output.stderr);
    }
    let told = String::from_utf8(folder.run(&["check"]).stdout).unwrap();
    assert!(told.contains(r"functions/x\nremote: live at 1234567890.rhai: error: the name has"), "{told}");
    assert!(told.contains(r#"1 | "a" \u{1b}[2J\u{9b}31m\u{7f}\u{202e}\u{2066}\u{200b}\u{feff}\u{a0}X"#), "{told}");
}

#[test]
fn what_a_node_remembers_is_shown_as_tamely() {
    let folder = project();
    let node = Node::start(&folder);
    wait(|| node.get("/fails").starts_with("HTTP/1.1 502").then_some(()));
    wait(|| (folder.json(&["executions", "--json"]).as_array().is_some_and(|all| !all.is_empty())).then_some(()));
    for arguments in
        [&["status"][..], &["status", "--json"], &["logs"], &["logs", "--json"], &["executions"], &["deployments"], &["diff"], &["health"]]
    {
        let output = folder.run(arguments);
        assert!(!output.stdout.is_empty() || arguments == ["diff"], "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_tame(&format!("{arguments:?}"), &output.stderr);
        // Its lines are for `patch` where no terminal is.
        if arguments != ["diff"] {
            assert_tame(&format!("{arguments:?}"), &output.stdout);
        }
    }
}
