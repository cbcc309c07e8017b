//! `picloud deploy`: a folder on one machine becomes the functions of a node elsewhere.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::kit::{
    api::{admin, on_a_bare_repository, on_a_directory, on_a_hosted_repository},
    command::{said, token},
    node::Node,
};

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Deploys to a node by its URL, from a place that knows nothing else of it.
fn deploy(node: &Node, token: &str, folder: &Path, arguments: &[&str]) -> Output {
    let elsewhere = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_picloud"));
    command.arg("deploy").arg(folder).args(arguments).current_dir(elsewhere.path()).env_clear();
    command.env("PICLOUD_URL", format!("http://{}", node.address())).env("PICLOUD_TOKEN", token).output().unwrap()
}

/// What it printed, without what differs each time.
fn shown(output: &Output, folder: &Path) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap().replace(folder.to_str().unwrap(), "DIR");
    let tame = |line: &str| match line.split_once(" in ") {
        Some((live, _)) if live.starts_with("live at ") => "live at REVISION in N ms, deployment DEPLOYMENT".to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(tame).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_folder_becomes_the_functions_of_a_node() {
    for node in [on_a_directory(), on_a_hosted_repository(), on_a_bare_repository()] {
        becomes_its_functions(&node);
    }
}

fn becomes_its_functions(node: &Node) {
    insta::allow_duplicates! {
        let ci = token(node, &["ci", "--scope", "deploy"]);
        let functions = folder(&[("hello.rhai", "1"), ("users/[id].get.rhai", "2"), ("notes.txt", "text"), (".git/config", "x")]);
        let planned = deploy(node, &ci, functions.path(), &["--dry-run"]);
        assert_eq!(planned.status.code(), Some(0), "{}", said(&planned));
        insta::assert_snapshot!(shown(&planned, functions.path()), @r"
        + any method /hello  hello.rhai
        + GET /users/[id]    users/[id].get.rhai
        2 added, 0 changed, 0 removed
        dry run: nothing has changed
        ");
        assert_eq!(node.get("/hello").status, 404);

        let done = deploy(node, &ci, functions.path(), &[]);
        assert_eq!(done.status.code(), Some(0), "{}", said(&done));
        insta::assert_snapshot!(shown(&done, functions.path()), @r"
        + any method /hello  hello.rhai
        + GET /users/[id]    users/[id].get.rhai
        2 added, 0 changed, 0 removed
        live at REVISION in N ms, deployment DEPLOYMENT
        ");
        assert_eq!((node.get("/hello").text().as_str(), node.get("/users/7").text().as_str()), ("1", "2"));

        fs::write(functions.path().join("hello.rhai"), "let x = ;").unwrap();
        let refused = deploy(node, &ci, functions.path(), &[]);
        assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
        insta::assert_snapshot!(shown(&refused, functions.path()), @r"
        DIR/hello.rhai:1:9: error: unexpected ';'
             1 | let x = ;
               |         ^

        1 error; nothing was deployed, and what is live stays live
        ");
        assert_eq!(node.get("/hello").text(), "1");

        fs::write(functions.path().join("hello.rhai"), "3").unwrap();
        let done = deploy(node, &ci, functions.path(), &["--json"]);
        let done: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!((&done["plan"]["changed"], done["live"]["deployment"].is_string()), (&1.into(), true));
        assert_eq!(node.get("/hello").text(), "3");
    }
}

#[test]
fn what_cannot_be_meant_is_asked_for() {
    let node = on_a_directory();
    let token = admin(&node);
    let names: Vec<(String, &str)> = (0..10).map(|number| (format!("f{number}.rhai"), "1")).collect();
    let many = folder(&names.iter().map(|(name, text)| (name.as_str(), *text)).collect::<Vec<_>>());
    assert_eq!(deploy(&node, &token, many.path(), &[]).status.code(), Some(0));
    let few = folder(&[("f0.rhai", "1")]);
    let refused = deploy(&node, &token, few.path(), &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(
        said(&refused),
        "error: this would remove 9 of 10 functions, and nothing was written\n  hint: if that is meant: `--allow-mass-delete`\n"
    );
    assert_eq!(String::from_utf8_lossy(&refused.stdout).lines().count(), 9, "what would go is shown");
    assert_eq!(node.get("/f9").text(), "1");
    assert_eq!(deploy(&node, &token, few.path(), &["--allow-mass-delete"]).status.code(), Some(0));
    assert_eq!((node.get("/f0").text().as_str(), node.get("/f9").status), ("1", 404));

    let nothing = folder(&[("README.md", "text")]);
    let refused = deploy(&node, &token, nothing.path(), &["--allow-mass-delete"]);
    assert!(said(&refused).starts_with("error: there is no `.rhai` file in `"), "{}", said(&refused));
    assert_eq!(refused.status.code(), Some(2));
    let refused = deploy(&node, &token, &nothing.path().join("nowhere"), &[]);
    assert!(said(&refused).starts_with("error: there is no folder `"), "{}", said(&refused));
    assert_eq!(node.get("/f0").text(), "1");
}

#[test]
fn a_project_is_deployed_from_where_its_functions_are() {
    let node = on_a_directory();
    let token = admin(&node);
    let in_functions = [("functions/hello.rhai", "1"), ("notes.rhai", "let x = ;"), ("picloud.toml", "")];
    let in_source = [("src/api/hello.rhai", "1"), ("picloud.toml", "[source]\npath = \"src/api\"\n")];
    let in_root = [("fns/hello.rhai", "1"), ("picloud.toml", "[source]\nkind = \"git\"\nroot = \"fns\"\n")];
    for (files, functions) in [(&in_functions[..], "functions"), (&in_source, "src/api"), (&in_root, "fns")] {
        let project = folder(files);
        let done = deploy(&node, &token, project.path(), &["--allow-mass-delete"]);
        assert_eq!(done.status.code(), Some(0), "{}", said(&done));
        let dir = project.path().display();
        assert_eq!(said(&done), format!("`{dir}` is a project; its functions are in `{dir}/{functions}`\n"));
        assert_eq!((node.get("/hello").text().as_str(), node.get("/functions/hello").status), ("1", 404));
        fs::write(project.path().join(functions).join("hello.rhai"), "let x = ;").unwrap();
        let refused = deploy(&node, &token, project.path(), &[]);
        assert!(shown(&refused, project.path()).starts_with(&format!("DIR/{functions}/hello.rhai:1:9: error: ")), "{}", said(&refused));
    }
    let elsewhere = folder(&[("a.rhai", "1"), ("picloud.toml", "[source]\npath = \"nowhere\"\n")]);
    let refused = deploy(&node, &token, elsewhere.path(), &[]);
    assert!(said(&refused).contains("nowhere`, which is no folder"), "{}", said(&refused));
    let wrong = folder(&[("functions/a.rhai", "1"), ("picloud.toml", "[sauce]\n")]);
    assert!(said(&deploy(&node, &token, wrong.path(), &[])).contains("unknown key `sauce`"));
    assert_eq!(node.get("/hello").text(), "1");
}

#[test]
fn a_folder_around_the_source_is_not_written_into_it() {
    let node = on_a_directory();
    node.write("hello.rhai", "1");
    node.write("users/me.rhai", "2");
    node.wait_for("/users/me", "2");
    let here = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_picloud")).args(arguments).current_dir(node.folder()).env_clear().output().unwrap()
    };
    fs::create_dir(node.folder().join("beside")).unwrap();
    for (dir, flags) in [(".", &["--functions", "functions"][..]), ("beside/..", &["--allow-mass-delete"]), ("..", &["--dry-run"])] {
        let refused = here(&[&["deploy", dir], flags].concat());
        assert_eq!(refused.status.code(), Some(2), "{dir}: {}", said(&refused));
        let told = format!("error: `{dir}` contains the folder `functions`, which the node serves");
        assert!(said(&refused).starts_with(&told) && said(&refused).contains("hint: `picloud deploy functions`"), "{}", said(&refused));
    }
    assert_eq!((node.file("hello.rhai").exists(), node.file("functions").exists()), (true, false));
    let same = here(&["deploy", "functions"]);
    assert_eq!(same.status.code(), Some(0), "{}", said(&same));

    // A node elsewhere has no folder here, but files that all move are asked about there, however few they are.
    let around = folder(&[("api/hello.rhai", "1"), ("api/users/me.rhai", "2")]);
    let refused = deploy(&node, &admin(&node), around.path(), &[]);
    let asked = "error: this would remove 2 of 2 functions, and nothing was written\n  hint: if that is meant: `--allow-mass-delete`\n";
    assert_eq!(said(&refused), asked);
    assert_eq!(node.get("/hello").text(), "1");
}

#[test]
fn links_and_tokens_that_lead_nowhere_are_told() {
    let node = on_a_directory();
    let functions = folder(&[("a.rhai", "1")]);
    std::os::unix::fs::symlink("/etc/hostname", functions.path().join("b.rhai")).unwrap();
    let refused = deploy(&node, &admin(&node), functions.path(), &[]);
    assert_eq!(refused.status.code(), Some(1));
    let told = shown(&refused, functions.path());
    assert!(
        told.contains("DIR/b.rhai: error: this link leads out of the functions folder") && told.ends_with("1 error; nothing was sent"),
        "{told}"
    );
    fs::remove_file(functions.path().join("b.rhai")).unwrap();
    let reader = token(&node, &["reader", "--scope", "read"]);
    for (token, what) in [("picloud_x", "error: the token is not known here"), (&*reader, "error: the token `reader` has the scope `read`")]
    {
        let refused = deploy(&node, token, functions.path(), &[]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(said(&refused).starts_with(what), "{}", said(&refused));
    }
    // A token may be in a file, and a node may be the one of the folder that one is in.
    let file = functions.path().join("token");
    fs::write(&file, admin(&node)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_picloud"));
    command.args(["deploy", ".", "--url", &format!("http://{}", node.address()), "--token-file", "token"]);
    assert_eq!(command.current_dir(functions.path()).env_clear().status().unwrap().code(), Some(0));
    assert_eq!(node.get("/a").text(), "1");
    fs::write(functions.path().join("a.rhai"), "2").unwrap();
    let here =
        Command::new(env!("CARGO_BIN_EXE_picloud")).arg("deploy").arg(functions.path()).current_dir(node.folder()).env_clear().output();
    assert_eq!(here.unwrap().status.code(), Some(0));
    assert_eq!(node.get("/a").text(), "2");
}
