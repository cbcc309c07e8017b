//! What people type who do not know the commands yet.

use crate::cli::{Folder, Node, wait};

#[test]
fn words_of_other_programs_are_told_with_the_word_here() {
    let folder = Folder::project();
    for (arguments, tip) in [
        (&["run"][..], "picloud serve"),
        (&["start"], "picloud serve"),
        (&["version"], "picloud --version"),
        (&["new", "shop"], "picloud init"),
        (&["serve", "--port", "3000"], "--listen 3000"),
        (&["serve", "-p", "3000"], "--listen 3000"),
        (&["serve", "./functions"], "--functions ./functions"),
    ] {
        let told = folder.refused(2, arguments);
        assert!(told.contains("tip: ") && told.contains(tip), "{arguments:?}: {told}");
        assert_eq!(told.matches("tip: ").count(), 1, "{told}");
    }
    let told = folder.refused(2, &["statuz"]);
    assert!(told.contains("'status'"), "what is near is still found: {told}");
}

#[test]
fn help_is_a_command_like_the_others() {
    let folder = Folder::empty();
    assert!(folder.done(&["help"]).contains("serve"));
    assert!(folder.done(&["help", "--help"]).contains("Usage: picloud help"));
    assert!(folder.done(&["help", "help"]).contains("Usage: picloud help"));
    assert!(folder.done(&["help", "token", "create"]).contains("Usage: picloud token create"));
    assert_eq!(folder.refused(2, &["help", "statuz"]), "error: there is no command `statuz`\n  hint: did you mean `status`?\n");
    assert_eq!(folder.refused(2, &["help", "token", "x"]), "error: there is no command `x`\n  hint: `picloud help` lists them\n");
}

#[test]
fn what_most_commands_take_stands_at_the_end_of_their_help() {
    let folder = Folder::empty();
    for command in ["serve", "check", "invoke", "routes", "status", "logs", "deploy"] {
        let help = folder.done(&["help", command]);
        let (own, shared) = help.split_once("Node options:").unwrap_or_else(|| panic!("{help}"));
        assert!(shared.contains("--config") && shared.contains("--data") && !own.contains("--config"), "{help}");
    }
    for command in ["invoke", "routes"] {
        let help = folder.done(&[command, "--help"]);
        assert!(
            help.contains("[default: none; the files here are meant, whatever node runs]") && !help.contains("picloud login` ["),
            "{help}"
        );
    }
}

#[test]
fn a_limit_of_none_is_refused() {
    let folder = Folder::empty();
    for arguments in [&["executions"][..], &["logs"], &["deployments"], &["audit"], &["versions", "hello"]] {
        let told = folder.refused(2, &[arguments, &["--limit", "0"]].concat());
        assert!(told.contains("invalid value '0' for '--limit <N>'"), "{told}");
    }
}

#[test]
fn a_backup_in_no_folder_is_told_so() {
    let folder = Folder::project();
    Node::start(&folder).stop();
    assert_eq!(folder.refused(2, &["backup", "nowhere/x.tar.gz"]), "error: there is no folder `nowhere` to put the backup in\n");
    assert!(folder.done(&["backup", "x.tar.gz"]).starts_with("made x.tar.gz, "));
}

#[test]
fn a_folder_without_functions_is_told_of_init() {
    let folder = Folder::empty();
    let mut node = folder.command(&["serve", "--listen", "0"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let told = std::io::BufRead::lines(std::io::BufReader::new(node.stderr.take().unwrap()));
    // The hint follows what it is about.
    let told: Vec<String> = told.map_while(Result::ok).filter(|line| line.contains("functions folder")).take(2).collect();
    assert!(
        told[0].contains("the functions folder `functions` is missing") && told[1].contains("`picloud init` makes a project"),
        "{told:?}"
    );
    node.kill().unwrap();
    node.wait().unwrap();
}

#[test]
fn a_file_in_the_place_of_a_folder_is_called_a_file() {
    let folder = Folder::project();
    let mut node =
        folder.command(&["serve", "--listen", "0", "--functions", ".gitignore"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut told = std::io::BufRead::lines(std::io::BufReader::new(node.stderr.take().unwrap())).map_while(Result::ok);
    assert!(told.any(|line| line.contains("the functions folder `.gitignore` is a file")));
    node.kill().unwrap();
    node.wait().unwrap();
    assert_eq!(
        folder.refused(2, &["init", ".gitignore"]),
        "error: `.gitignore` is a file\n  hint: name a folder: `picloud init my-project`\n"
    );
}

#[test]
fn a_wrong_variable_of_the_environment_is_named() {
    let folder = Folder::project();
    let refused = |variable: &str, value: &str, arguments: &[&str]| {
        let output = folder.command(arguments).env(variable, value).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    for (variable, value) in [("PICLOUD_DEV", "1"), ("PICLOUD_LISTEN", "here"), ("PICLOUD_ADMIN_LISTEN", "99999"), ("PICLOUD_LISTEN", "")] {
        let told = refused(variable, value, &["serve"]);
        assert!(told.contains(&format!("'{value}' for '{variable}'")), "{told}");
    }
    assert!(refused("PICLOUD_CONFIG", "", &["status"]).contains("'PICLOUD_CONFIG'"));
    // What was typed wins over the environment, and is what is wrong.
    assert!(refused("PICLOUD_LISTEN", "8080", &["serve", "--listen", "here"]).contains("'here' for '--listen <ADDRESS>'"));
    assert!(refused("PICLOUD_LISTEN", "8080", &["serve", "--listen=here"]).contains("'here' for '--listen <ADDRESS>'"));
}

#[test]
fn tokens_health_and_versions_are_told_to_programs_too() {
    let folder = Folder::project();
    let node = Node::start(&folder);
    wait(|| (folder.run(&["health"]).status.code() == Some(0)).then_some(()));
    let health = folder.json(&["health", "--json"]);
    assert_eq!((&health["status"], health["degraded"].as_array().map(Vec::len)), (&"ready".into(), Some(0)));
    let token = folder.json(&["token", "create", "ci", "--scope", "read", "--json"]);
    assert!(token["secret"].as_str().is_some_and(|secret| secret.starts_with("picloud_")), "{token}");
    assert_eq!((&token["name"], &token["scope"]), (&"ci".into(), &"read".into()));
    let live = folder.json(&["versions", "hello", "--json"])[0]["version"].clone();
    folder.write("functions/hello.rhai", "1");
    wait(|| node.get("/hello").ends_with("\n1").then_some(()));
    assert_eq!(folder.json(&["versions", "hello", "--json"]).as_array().unwrap().len(), 2);
    let newest = folder.json(&["versions", "hello", "--json", "--limit", "1"]);
    assert_eq!(newest.as_array().unwrap().len(), 1);
    assert_ne!(newest[0]["version"], live);
}

#[test]
fn who_changes_the_database_is_who_the_machine_says() {
    let folder = Folder::project();
    Node::start(&folder).stop();
    let made = folder.command(&["token", "create", "ci", "--scope", "read"]).env("USER", "somebody-else").output().unwrap();
    assert_eq!(made.status.code(), Some(0));
    let whoami = String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    assert_eq!(folder.json(&["audit", "--json", "--limit", "1"])[0]["who"], whoami.trim());
}

#[test]
fn the_admin_token_is_changed_by_a_start_without_it() {
    let folder = Folder::project();
    let token = || std::fs::read_to_string(folder.0.path().join(".picloud/admin-token")).unwrap();
    Node::start(&folder).stop();
    let old = token();
    let told = folder.refused(2, &["token", "revoke", "admin"]);
    let hint = "hint: `picloud token rotate-admin` makes it worthless, and writes another to `.picloud/admin-token`";
    assert!(told.contains("there is no token `admin`") && told.contains(hint), "{told}");
    std::fs::remove_file(folder.0.path().join(".picloud/admin-token")).unwrap();
    let node = Node::start(&folder);
    assert_ne!(token(), old);
    let url = format!("http://{}", node.address);
    for (secret, code) in [(old, 2), (token(), 0)] {
        let asked = folder.command(&["sync", "--url", &url]).env("PICLOUD_TOKEN", secret.trim()).output().unwrap();
        assert_eq!(asked.status.code(), Some(code), "{}", String::from_utf8_lossy(&asked.stderr));
    }
}

#[test]
fn there_is_a_page_for_man_of_every_command() {
    let folder = Folder::empty();
    let written = folder.done(&["man", "pages"]);
    let pages: Vec<String> =
        std::fs::read_dir(folder.0.path().join("pages")).unwrap().map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(written, format!("wrote {} pages into pages\n", pages.len()));
    for name in ["picloud.1", "picloud-serve.1", "picloud-token-create.1"] {
        assert!(pages.contains(&name.to_owned()), "{name}: {pages:?}");
    }
    // Those that only programs call have none.
    assert!(!pages.contains(&"picloud-hook.1".to_owned()));
    let read = |name: &str| std::fs::read_to_string(folder.0.path().join("pages").join(name)).unwrap();
    assert!(read("picloud.1").contains(".SH EXIT STATUS"));
    assert!(read("picloud-serve.1").contains("PICLOUD_LISTEN"));
    folder.write("file", "");
    assert!(folder.refused(2, &["man", "file"]).contains("error: cannot write into `file`"));
}

#[test]
fn the_version_begins_with_that_of_the_package() {
    let version = Folder::empty().done(&["--version"]);
    assert!(version.starts_with(concat!("picloud ", env!("CARGO_PKG_VERSION"))), "{version}");
}
