//! Beginning a project, and the commands that look at its files.

use std::{fs, process::Command};

use super::{Folder, Node, wait};

#[test]
fn a_new_project_checks_and_answers() {
    let folder = Folder::empty();
    insta::assert_snapshot!("init", folder.done(&["init"]));
    assert_eq!(folder.done(&["check"]), "2 functions, no errors\n");
    assert_eq!(folder.done(&["invoke", "/hello?name=Ada"]), "{\"message\":\"hello Ada\"}");
    assert_eq!(folder.done(&["invoke", "/users/7"]), "{\"id\":7,\"path\":\"/users/7\"}");
}

#[test]
fn each_template_checks_and_says_what_to_type_next() {
    for (template, functions, next) in [
        ("api", 2, "curl 'http://127.0.0.1:8080/hello?name=Ada'"),
        ("webhook", 1, "picloud secret set GITHUB_SECRET"),
        ("app", 2, "curl http://127.0.0.1:8080/"),
        ("cron", 3, "picloud run _cron/report"),
    ] {
        let folder = Folder::empty();
        let told = folder.done(&["init", "shop", "--template", template]);
        assert!(told.contains("  cd shop\n  picloud dev\n") && told.contains(next), "{told}");
        let plural = if functions == 1 { "" } else { "s" };
        assert_eq!(folder.done(&["check", "shop"]), format!("{functions} function{plural}, no errors\n"), "{template}");
    }
    let said = Folder::empty().refused(2, &["init", "--template", "blog"]);
    assert!(said.contains("[possible values: api, webhook, app, cron]"), "{said}");
}

#[test]
fn the_templates_do_what_they_say() {
    let folder = Folder::empty();
    folder.done(&["init", "--template", "app"]);
    let node = Node::start(&folder);
    let kept = node.post("/notes", "text=buy+%3Cmilk%3E");
    assert!(kept.starts_with("HTTP/1.1 303 ") && kept.contains("\r\nlocation: /\r\n"), "{kept}");
    assert!(node.get("/").contains("<li>buy &lt;milk&gt;</li>"));
    assert!(node.post("/notes", "text=+").starts_with("HTTP/1.1 422 "));
    node.stop();

    let folder = Folder::empty();
    folder.done(&["init", "--template", "cron"]);
    let node = Node::start(&folder);
    assert!(node.get("/visit").ends_with("{\"visits\":1}") && node.get("/report").starts_with("HTTP/1.1 404 "));
    assert_eq!(folder.done(&["run", "_cron/report"]), "{\"visits\":1}");
    assert!(node.get("/report").ends_with("\"visits\":1}"));
    node.stop();

    let folder = Folder::empty();
    folder.done(&["init", "--template", "webhook"]);
    let node = Node::start(&folder);
    folder.write("secret", "a-long-secret");
    folder.done(&["secret", "set", "GITHUB_SECRET", "--from", "secret"]);
    let path = folder.0.path().join("try.sh");
    let script = fs::read_to_string(&path).unwrap().replace("127.0.0.1:8080", &node.address);
    fs::write(&path, script).unwrap();
    let send = |secret: &str| {
        let output = Command::new("sh").arg("try.sh").current_dir(folder.0.path()).env("SECRET", secret).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    wait(|| send("a-long-secret").ends_with("{\"seen\":false}").then_some(()));
    assert!(send("a-long-secret").ends_with("{\"seen\":true}"), "a delivery that comes again is told so");
    assert!(send("another").starts_with("HTTP/1.1 401 "));
    node.stop();
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
