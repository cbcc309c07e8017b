//! What people type who do not know the commands yet.

use crate::Folder;

#[test]
fn words_of_other_programs_are_told_with_the_word_here() {
    let folder = Folder::project();
    for (arguments, tip) in [
        (&["run"][..], "picloud serve"),
        (&["start"], "picloud serve"),
        (&["dev"], "picloud serve"),
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
    let told = folder.refused(2, &["stats"]);
    assert!(told.contains("'status'"), "what is near is still found: {told}");
}

#[test]
fn help_is_a_command_like_the_others() {
    let folder = Folder::empty();
    assert!(folder.done(&["help"]).contains("serve"));
    assert!(folder.done(&["help", "--help"]).contains("Usage: picloud help"));
    assert!(folder.done(&["help", "help"]).contains("Usage: picloud help"));
    assert!(folder.done(&["help", "token", "create"]).contains("Usage: picloud token create"));
    assert_eq!(folder.refused(2, &["help", "stats"]), "error: there is no command `stats`\n  hint: did you mean `status`?\n");
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
    crate::Node::start(&folder).stop();
    assert_eq!(folder.refused(2, &["backup", "nowhere/x.tar.gz"]), "error: there is no folder `nowhere` to put the backup in\n");
    assert!(folder.done(&["backup", "x.tar.gz"]).starts_with("made x.tar.gz, "));
}

#[test]
fn a_folder_without_functions_is_told_of_init() {
    let folder = Folder::empty();
    let mut node = folder.command(&["serve", "--listen", "0"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let told = std::io::BufRead::lines(std::io::BufReader::new(node.stderr.take().unwrap()));
    assert!(told.map_while(Result::ok).any(|line| line.contains("`picloud init` makes a project")));
    node.kill().unwrap();
    node.wait().unwrap();
}
