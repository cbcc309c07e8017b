//! Logins: where tokens are kept, who may read them, and which node a command means.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
};

use serde_json::{Value, json};

use crate::kit::{
    api::{admin, token},
    node::{Node, node},
    visitor::{Visitor, printed, url},
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn start(answer: &str) -> Node {
    node(&[("a.rhai", answer)]).start()
}

#[test]
fn a_token_is_kept_for_its_owner_alone_and_used_from_then_on() {
    let (node, visitor) = (start("1"), Visitor::new());
    let secret = token(&node, "ci", "deploy", None);
    assert!(visitor.refused(&["status", "--url", &url(&node)]).contains("picloud login"));
    // Folders of another umask are closed.
    fs::create_dir_all(visitor.home().join(".config/picloud")).unwrap();
    fs::set_permissions(visitor.home().join(".config/picloud"), Permissions::from_mode(0o755)).unwrap();
    let said = visitor.log_in(&node, &secret);
    assert_eq!(said, format!("logged in to {} as `ci` (deploy)\n", url(&node)));
    assert_eq!([mode(&visitor.credentials()), mode(visitor.credentials().parent().unwrap())], [0o600, 0o700]);
    let left: Vec<_> = fs::read_dir(visitor.credentials().parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "a file and its lock: {left:?}");
    assert!(visitor.done(&["status"]).starts_with(&format!("node      running at {}", url(&node))));
    assert!(visitor.done(&["status", "--url", &format!("{}/", url(&node))]).contains("running at"));
    assert!(visitor.done(&["sync"]).starts_with("live "));
    // Its scope counts as ever.
    assert!(visitor.refused(&["token", "list"]).contains("this needs `admin`"));
    let listed: Value = serde_json::from_str(&visitor.done(&["login", "--json"])).unwrap();
    assert_eq!(listed, json!([{ "url": url(&node), "name": "ci", "scope": "deploy", "is_default": true }]));
    assert!(!visitor.done(&["login"]).contains(&secret));
    assert_eq!(visitor.done(&["logout"]), format!("logged out of {}\n", url(&node)));
    assert!(!visitor.credentials().exists());
    assert!(visitor.refused(&["sync"]).contains("no node runs on"));
    assert!(visitor.refused(&["logout"]).contains("no node is meant"));
}

#[test]
fn a_wrong_token_is_not_kept() {
    let (node, visitor) = (start("1"), Visitor::new());
    let wrong = format!("picloud_{}", "0".repeat(64));
    let login = |input: &str| {
        let output = visitor.tell(&["login", &url(&node)], input);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = login(&wrong);
    assert!(said.contains("the token is not known here") && !said.contains(&wrong), "{said}");
    assert!(login("\n").contains("no token was given"));
    assert!(login("").contains("no token was given"));
    assert!(!visitor.credentials().exists());
    for place in ["127.0.0.1", "ftp://127.0.0.1", "http://x:secret@127.0.0.1"] {
        let said = visitor.refused(&["login", place]);
        assert!(said.contains("hint:"), "{said}");
    }
    assert!(visitor.refused(&["login", "http://127.0.0.1:1"]).contains("no token was given"));
    let output = visitor.tell(&["login", "http://127.0.0.1:1"], &wrong);
    assert!(String::from_utf8(output.stderr).unwrap().contains("does not answer"));
}

#[test]
fn several_nodes_stand_side_by_side_and_the_last_is_meant() {
    let (one, two, visitor) = (start("1"), start("2"), Visitor::new());
    visitor.log_in(&one, &admin(&one));
    visitor.log_in(&two, &admin(&two));
    let meant = || visitor.done(&["status"]);
    assert!(meant().contains(&url(&two)));
    assert!(visitor.done(&["status", "--url", &url(&one)]).contains(&url(&one)));
    assert!(visitor.refused(&["logout", "http://127.0.0.1:1"]).contains("you are not logged in"));
    visitor.done(&["logout", &url(&two)]);
    assert!(meant().contains(&url(&one)), "the only one left");
}

#[test]
fn what_is_named_counts_more_than_a_login() {
    let (near, far, visitor) = (start("1"), start("2"), Visitor::new());
    visitor.log_in(&far, &admin(&far));
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = visitor.command(arguments);
        command.envs(variables.iter().copied());
        command
    };
    let says = |command: &mut Command| printed(&[], command.output().unwrap());
    let (near_url, near_token) = (url(&near), admin(&near));
    // The node of the folder, without a word.
    assert!(says(run(&["status"], &[]).current_dir(near.folder())).contains(&near_url));
    assert!(says(run(&["status", "--url", &url(&far)], &[]).current_dir(near.folder())).contains(&url(&far)));
    // The environment, and flags before it.
    let variables = [("PICLOUD_URL", near_url.as_str()), ("PICLOUD_TOKEN", near_token.as_str())];
    assert!(says(&mut run(&["status"], &variables)).contains(&near_url));
    let file = visitor.home().join("token");
    fs::write(&file, admin(&far)).unwrap();
    let flags = ["status", "--url", &url(&far), "--token-file", file.to_str().unwrap()];
    assert!(says(&mut run(&flags, &variables)).contains(&url(&far)));
    let wrong = run(&["status"], &[("PICLOUD_TOKEN", "picloud_0")]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2), "the environment counts more than the login's token");
    // Whoever names a folder means that, whether a node runs there or not.
    let data = visitor.home().join("data");
    assert!(visitor.refused(&["sync", "--data", data.to_str().unwrap()]).contains("no node runs on"));
}

/// Prepares a command on a terminal.
fn terminal(visitor: &Visitor, arguments: &[&str]) -> Command {
    let program = visitor.command(arguments);
    let words: Vec<&str> = std::iter::once(program.get_program()).chain(program.get_args()).map(|word| word.to_str().unwrap()).collect();
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--echo", "always", "--command", &words.join(" "), "/dev/null"]);
    terminal.current_dir(visitor.home().join("work")).env_clear();
    terminal.env("PATH", "/usr/bin:/bin").env("HOME", visitor.home()).env("TERM", "xterm");
    terminal
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let (node, visitor) = (start("1"), Visitor::new());
    visitor.log_in(&node, &admin(&node));
    for open in [0o640, 0o604, 0o660] {
        fs::set_permissions(visitor.credentials(), Permissions::from_mode(open)).unwrap();
        for arguments in [&["status"][..], &["login"], &["logout"], &["status", "--url", &url(&node)]] {
            let said = visitor.refused(arguments);
            assert!(said.contains("is open to others") && said.contains("chmod 600"), "{arguments:?}: {said}");
        }
        assert_eq!(visitor.tell(&["login", &url(&node)], &admin(&node)).status.code(), Some(2));
    }
    fs::set_permissions(visitor.credentials(), Permissions::from_mode(0o600)).unwrap();
    fs::write(visitor.credentials(), "{\"default\": 1, \"secret\": 2}").unwrap();
    let said = visitor.refused(&["status"]);
    assert!(said.contains("is damaged in line 1") && !said.contains("secret"), "{said}");
}

#[test]
fn the_folder_of_settings_may_be_elsewhere() {
    let (node, visitor) = (start("1"), Visitor::new());
    let folder = visitor.home().join("settings");
    let mut child =
        visitor.command(&["login", &url(&node)]).env("XDG_CONFIG_HOME", &folder).stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), admin(&node).as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(mode(&folder.join("picloud/credentials.json")), 0o600);
    assert!(!visitor.credentials().exists());
}

#[test]
fn many_logins_at_once_all_stay() {
    let (nodes, visitor) = ((0..4).map(|_| start("1")).collect::<Vec<_>>(), Visitor::new());
    std::thread::scope(|scope| {
        for node in &nodes {
            scope.spawn(|| visitor.log_in(node, &admin(node)));
        }
    });
    let listed: Value = serde_json::from_str(&visitor.done(&["login", "--json"])).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), nodes.len());
}

#[test]
fn a_node_that_only_a_login_names_is_told_and_asked_about() {
    let (node, visitor) = (start("1"), Visitor::new());
    visitor.log_in(&node, &admin(&node));
    let to = format!("to {}\n", url(&node));
    let said = |arguments: &[&str]| String::from_utf8(visitor.run(arguments).stderr).unwrap();
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["sync"],
        &["executions", "--json"],
        &["deployments"],
        &["token", "list", "--json"],
        &["audit"],
        &["source", "suspend"],
        &["source", "resume"],
        &["unpin", "--yes"],
    ] {
        let told = said(arguments);
        assert!(told.starts_with(&to), "{arguments:?}: {told}");
        // Whoever names a node knows which.
        let address = url(&node);
        let named = [arguments, &["--url", &address]].concat();
        assert!(!said(&named).starts_with("to "), "{arguments:?}");
    }
    assert!(serde_json::from_str::<Value>(&visitor.done(&["status", "--json"])).is_ok());

    fs::create_dir(visitor.home().join("work/functions")).unwrap();
    fs::write(visitor.home().join("work/functions/b.rhai"), "2").unwrap();
    let on_terminal = |arguments: &[&str], answer: &str| crate::kit::visitor::on_terminal(terminal(&visitor, arguments), "[y/N]", answer);
    let question = |change: &str| format!("{change} on {}? [y/N]", url(&node));
    for (arguments, change) in [
        (&["deploy", "functions"][..], "deploy"),
        (&["source", "suspend"], "suspend the source"),
        (&["token", "create", "two", "--scope", "read"], "make a token"),
        (&["token", "revoke", "two"], "revoke a token"),
        (&["unpin"], "unpin"),
    ] {
        let shown = on_terminal(arguments, "n\n");
        assert!(shown.contains(&question(change)) && shown.contains("nothing was changed"), "{arguments:?}: {shown}");
    }
    assert_eq!((node.get("/a").text().as_str(), node.get("/b").status), ("1", 404));
    let shown = on_terminal(&["deploy", "functions", "--allow-mass-delete"], "y\n");
    assert!(shown.contains(&question("deploy")) && shown.contains("live at "), "{shown}");
    fs::write(visitor.home().join("work/functions/b.rhai"), "3").unwrap();
    for unasked in [&["deploy", "functions", "--yes"][..], &["deploy", "functions", "--dry-run"], &["status"]] {
        let shown = on_terminal(unasked, "");
        assert!(!shown.contains("[y/N]") && shown.contains(to.trim_end()), "{unasked:?}: {shown}");
    }
    assert_eq!(node.get("/b").text(), "3");
}

#[test]
fn a_terminal_asks_for_the_token_and_does_not_show_it() {
    let (node, visitor) = (start("1"), Visitor::new());
    let secret = admin(&node);
    let shown = crate::kit::visitor::on_terminal(terminal(&visitor, &["login", &url(&node)]), "Token for ", &format!("{secret}\n"));
    assert!(shown.contains("Token for ") && shown.contains("logged in to"), "{shown}");
    assert!(!shown.contains(&secret), "{shown}");
    assert_eq!(mode(&visitor.credentials()), 0o600);
}
