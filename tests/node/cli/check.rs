//! `picloud check`: what is right in a folder, and what is not.

use std::fs;

use super::Folder;

#[test]
fn check_tells_every_mistake_and_exits_with_1() {
    let folder = Folder::project();
    folder.write("functions/a.rhai", "let x = ;");
    folder.write("functions/b.rhai", "+++\nmetods = []\n+++\n1");
    folder.write("functions/c.rhai", "import \"greetigns\" as g;\ng::hi()");
    let output = folder.run(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
    let json = folder.json(&["check", "--json"]);
    assert_eq!((&json["ok"], &json["functions"], &json["diagnostics"][0]["line"]), (&false.into(), &2.into(), &1.into()));
}

#[test]
fn an_empty_file_is_the_same_for_every_command() {
    let folder = Folder::project();
    folder.write("functions/fresh.rhai", "");
    folder.write("functions/blank.get.rhai", " \n");
    let output = folder.run(&["check"]);
    let told = String::from_utf8(output.stdout).unwrap();
    for file in ["fresh.rhai", "blank.get.rhai"] {
        assert!(told.contains(&format!("{file}: warning: the file is empty, and is not served")), "{told}");
    }
    assert_eq!(output.status.code(), Some(0));
    let json = folder.json(&["routes", "--json"]);
    assert!(!json.to_string().contains("fresh"), "{json}");
    let output = folder.run(&["invoke", "/fresh"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("no function answers at `/fresh` (404)"), "{told}");
}

#[test]
fn check_counts_what_is_right_and_what_is_not() {
    let folder = Folder::empty();
    folder.write("f/a.rhai", "1");
    assert_eq!(folder.done(&["check", "f"]), "1 function, no errors\n");
    folder.write("f/b.gett.rhai", "2");
    let told = folder.done(&["check", "f"]);
    assert!(told.starts_with("f/b.gett.rhai: warning: ") && told.ends_with("\n\n2 functions, no errors, 1 warning\n"), "{told}");
    folder.write("f/c.rhai", "(");
    let output = folder.run(&["check", "f"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.ends_with("\n\n1 error, 1 warning; 2 functions without errors\n"), "{told}");
    let json = folder.json(&["check", "f", "--json"]);
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["diagnostics", "functions", "ok"]);
    assert_eq!((&json["diagnostics"][0]["severity"], &json["diagnostics"][1]["file"]), (&"warning".into(), &"c.rhai".into()));
}

#[test]
fn check_tells_of_names_that_are_probably_meant_as_others() {
    let folder = Folder::empty();
    for path in ["f/hello.rhai", "f/hello.rhai.txt", "f/BYE.RHAI", "f/hello - Copy.rhai", "f/hello_LOCAL_12.rhai"] {
        folder.write(path, "1");
    }
    let told = folder.done(&["check", "f"]);
    for part in
        ["`hello.rhai.txt` is not read", "`BYE.RHAI` is not read", "`hello - Copy` looks like a copy", "2 functions, no errors, 3 warnings"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    folder.write("f/adm/s.rhai", "1");
    for name in ["_middleware.RHAI", ".middleware.rhai", "_middleware/index.rhai", "_middleware.test.rhai"] {
        let path = format!("f/adm/{name}");
        folder.write(&path, "1");
        let output = folder.run(&["check", "f"]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(1) && told.contains("looks like a guard and is none"), "{name}: {told}");
        fs::remove_file(folder.0.path().join(path)).unwrap();
    }
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let told = Folder::empty().refused(2, &["check"]);
    insta::assert_snapshot!(told);
}

#[test]
fn a_wrong_configuration_is_told_with_its_place() {
    let folder = Folder::project();
    folder.write("picloud.toml", "[server]\nlisen = \"127.0.0.1:1\"\n");
    insta::assert_snapshot!(folder.refused(2, &["check"]));
}

#[test]
fn a_project_is_checked_where_its_functions_are_as_it_is_deployed() {
    let folder = Folder::empty();
    folder.write("shop/picloud.toml", "[source]\npath = \"src\"\n[limits]\nfile = \"1KiB\"\n");
    folder.write("shop/src/a.rhai", "import \"m\" as m; m::f()");
    folder.write("shop/src/_lib/m.rhai", "fn f() { 1 }");
    folder.write("shop/notes.rhai", "let x = ;");
    for dir in ["shop", "./shop"] {
        let checked = folder.run(&["check", dir]);
        assert_eq!(String::from_utf8_lossy(&checked.stdout), "1 function, no errors\n", "{}", String::from_utf8_lossy(&checked.stderr));
        let told = format!("`{dir}` is a project; its functions are in `{dir}/src`\n");
        assert_eq!((checked.status.code(), String::from_utf8_lossy(&checked.stderr)), (Some(0), told.into()));
    }
    // Its own limits hold, and a folder of functions is taken as it is.
    folder.write("shop/src/large.rhai", &format!("/*{}*/1", "x".repeat(1024)));
    assert_eq!(folder.run(&["check", "shop"]).status.code(), Some(1));
    assert_eq!(folder.done(&["check", "shop/src"]), "2 functions, no errors\n");
    folder.write("shop/picloud.toml", "[source]\npath = \"nowhere\"\n");
    assert!(folder.refused(2, &["check", "shop"]).contains("nowhere`, which is no folder"));
}
