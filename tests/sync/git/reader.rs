//! What is read of a commit, and what in it is refused.

use std::{fs, io::Write, os::unix::fs::symlink, process::Stdio};

use crate::kit::{command::said, git::git, story::Story};

/// Commits the tree that `git mktree` makes of these lines as `functions`, and returns the commit.
fn commit_tree(story: &Story, functions: &str) -> String {
    let top = mktree(story, &format!("040000 tree {functions}\tfunctions\0"));
    let commit = story.checkout.done(&["commit-tree", &top, "-m", "made by hand", "-p", "HEAD"]).trim().to_owned();
    story.checkout.done(&["update-ref", "HEAD", &commit]);
    commit
}

fn mktree(story: &Story, entries: &str) -> String {
    mktree_of(story, entries.as_bytes())
}

fn mktree_of(story: &Story, entries: &[u8]) -> String {
    let mut mktree = git(story.checkout.folder());
    let mut mktree = mktree.args(["mktree", "-z"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    mktree.stdin.take().unwrap().write_all(entries).unwrap();
    let output = mktree.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap().trim().into()
}

fn blob(story: &Story, text: &str) -> String {
    fs::write(story.checkout.folder().join("blob"), text).unwrap();
    let blob = story.checkout.done(&["hash-object", "-w", "blob"]).trim().to_owned();
    fs::remove_file(story.checkout.folder().join("blob")).unwrap();
    blob
}

#[test]
fn what_is_no_file_is_refused() {
    let story = Story::begin();
    let one = story.deploy("one");
    let folder = story.checkout.folder().join("functions");
    symlink("a.rhai", folder.join("link.rhai")).unwrap();
    symlink("deep", folder.join("folder.rhai")).unwrap();
    symlink("/etc", folder.join("no_function")).unwrap();
    story.checkout.commit(&[]);
    story.checkout.done(&["update-index", "--add", "--cacheinfo", &format!("160000,{one},functions/module.rhai")]);
    story.checkout.done(&["update-index", "--add", "--cacheinfo", &format!("160000,{one},functions/module")]);
    story.checkout.done(&["commit", "--quiet", "--message=modules"]);
    insta::assert_snapshot!("no_files", story.refused(&["main"]));
    story.wait_for("one", &one);
}

#[test]
fn a_file_over_the_limit_is_refused() {
    let story = Story::of(crate::kit::story::follower("[limits]\nfile = \"1KiB\"\n"));
    let one = story.deploy("one");
    let mut text = vec![b'1'; 1024];
    let just = story.checkout.commit(&[("functions/big.rhai", &[b"//", &text[2..]].concat()), ("large.bin", &[0; 5000])]);
    story.push(&["main"]);
    assert_eq!(story.branch("main"), just);
    text.push(b'1');
    story.checkout.commit(&[("functions/big.rhai", &[b"//", &text[2..]].concat())]);
    insta::assert_snapshot!("too_large", story.refused(&["main"]));
    story.wait_for("one", &just);
    assert!(story.commits().contains(&one));
}

#[test]
fn a_name_that_is_not_utf_8_is_refused() {
    let story = Story::begin();
    let one = story.deploy("one");
    let blob = blob(&story, "1");
    let entry = |name: &[u8]| [format!("100644 blob {blob}\t").as_bytes(), name, b"\0"].concat();
    let functions = mktree_of(&story, &[entry(b"bad\xff.rhai"), entry(b"gr\xc3\xb6\xc3\x9fe.rhai"), entry(b"other\xff.txt")].concat());
    commit_tree(&story, &functions);
    insta::assert_snapshot!("not_utf_8", story.refused(&["main"]));
    story.wait_for("one", &one);
}

#[test]
fn names_that_lead_elsewhere_never_arrive() {
    let story = Story::begin();
    let one = story.deploy("one");
    let inner = mktree(&story, &format!("100644 blob {}\tx.rhai\0", blob(&story, "1")));
    // git's own check of objects refuses this before anybody is asked.
    let mut hash = git(story.checkout.folder());
    let mut hash = hash
        .args(["hash-object", "-t", "tree", "-w", "--stdin", "--literally"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let id: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&inner[2 * at..2 * at + 2], 16).unwrap()).collect();
    hash.stdin.take().unwrap().write_all(&[b"40000 ..\0".as_slice(), &id].concat()).unwrap();
    let output = hash.wait_with_output().unwrap();
    let evil = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    commit_tree(&story, &evil);
    let told = story.refused(&["main"]);
    assert!(told.contains("hasDotdot"), "{told}");
    story.wait_for("one", &one);
}

#[test]
fn without_its_folder_of_functions_a_commit_is_refused() {
    let story = Story::begin();
    let one = story.deploy("one");
    story.checkout.done(&["mv", "functions", "funktions"]);
    story.checkout.commit(&[]);
    insta::assert_snapshot!("no_root", story.refused(&["main"]));
    story.checkout.commit(&[("functions", b"a file")]);
    assert!(story.refused(&["main"]).contains("the commit has no folder `functions`"));
    story.wait_for("one", &one);
}

#[test]
fn the_root_may_be_everything_or_far_down() {
    let everything = Story::with("root = \"\"\n");
    everything.checkout.commit(&[("a.rhai", b"1"), ("sub/b.rhai", b"2"), ("README.md", b"hello"), (".github/c.rhai", b"let x = ;")]);
    everything.push(&["main"]);
    assert_eq!(["/a", "/sub/b", "/README.md"].map(|path| everything.node.get(path).status), [200, 200, 404]);
    everything.checkout.commit(&[("sub/b.rhai", b"let x = ;")]);
    assert!(everything.refused(&["main"]).contains("remote: sub/b.rhai:1:9: error"));

    let nested = Story::with("root = \"services/web/functions\"\n");
    nested.checkout.commit(&[("services/web/functions/a.rhai", b"1"), ("services/web/b.rhai", b"let x = ;"), ("c.rhai", b"let x = ;")]);
    nested.push(&["main"]);
    assert_eq!(["/a", "/b", "/c"].map(|path| nested.node.get(path).status), [200, 404, 404]);
    nested.checkout.commit(&[("services/web/functions/a.rhai", b"let x = ;")]);
    assert!(nested.refused(&["main"]).contains("remote: services/web/functions/a.rhai:1:9: error"));
}

#[test]
fn a_tree_without_end_is_refused_soon() {
    for file in ["f.rhai", "notes.txt"] {
        let story = Story::begin();
        let one = story.deploy("one");
        let mut tree = mktree(&story, &format!("100644 blob {}\t{file}\0", blob(&story, "1")));
        for _ in 0..10 {
            let entries: Vec<String> = (0..10).map(|number| format!("040000 tree {tree}\td{number}\0")).collect();
            tree = mktree(&story, &entries.concat());
        }
        commit_tree(&story, &tree);
        // A judgement has half a minute, and says so where that was too short.
        let told = story.refused(&["main"]);
        assert!(told.contains("the commit has more than 200000 files and folders"), "{told}");
        assert_eq!(told.matches("error: ").count(), 1 + usize::from(told.contains("\nerror: failed to push")), "{told}");
        story.wait_for("one", &one);
    }
}

#[test]
fn folders_may_be_so_deep_and_no_deeper() {
    let story = Story::begin();
    let path = |depth: usize| format!("functions/{}f.rhai", "d/".repeat(depth));
    // The file's own name is a segment of the path, too.
    let good = story.checkout.commit(&[(&path(31), b"1")]);
    let told = story.push(&["main"]);
    assert_eq!((story.branch("main"), told.contains("1 added")), (good, true), "{told}");
    story.checkout.commit(&[(&path(33), b"1")]);
    assert!(story.refused(&["main"]).contains("this folder is more than 32 folders deep"));
}

#[test]
fn links_and_submodules_that_are_left_out_are_told() {
    let story = Story::begin();
    let library = crate::kit::git::Checkout::with(&[("fromsub.rhai", b"1")]);
    story.checkout.commit(&[("functions/a.rhai", b"1"), ("functions/v2/x.rhai", b"1"), ("docs/notes.txt", b"hello")]);
    story.checkout.done(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        library.folder().to_str().unwrap(),
        "functions/shared",
    ]);
    for (name, target) in
        [("latest", "v2"), ("v2/up", ".."), ("out", "/srv/elsewhere"), ("notes", "../docs/notes.txt"), ("gone", "nowhere")]
    {
        std::os::unix::fs::symlink(target, story.checkout.folder().join("functions").join(name)).unwrap();
    }
    story.checkout.commit(&[]);
    let told = story.push(&["main"]);
    for (file, what) in [("shared", "a submodule"), ("latest", "a link"), ("v2/up", "a link"), ("out", "a link")] {
        assert!(told.contains(&format!("functions/{file}: warning: this is {what}")), "{file}: {told}");
    }
    assert!(!told.contains("functions/notes") && !told.contains("functions/gone"), "{told}");
    assert_eq!(["/a", "/v2/x", "/latest/x", "/shared/fromsub"].map(|path| story.node.get(path).status), [200, 200, 404, 404]);
    // The same before the push.
    let output = crate::kit::command::command(story.checkout.folder(), &["check", "functions"]).output().unwrap();
    let checked = String::from_utf8(output.stdout).unwrap();
    for file in ["shared", "latest", "v2/up", "out"] {
        assert!(checked.contains(&format!("functions/{file}: warning: ")), "{file}: {checked}");
    }
    assert!(!checked.contains("functions/notes"), "{checked}");
    let away = tempfile::tempdir().unwrap();
    std::fs::write(away.path().join("a.rhai"), "1").unwrap();
    std::os::unix::fs::symlink(".", away.path().join("loop")).unwrap();
    let output = crate::kit::command::command(away.path(), &["check", "."]).output().unwrap();
    assert!(!String::from_utf8(output.stdout).unwrap().contains("a push leaves it out"), "outside of a working copy nothing is pushed");
}

#[test]
fn a_root_that_is_something_else_is_told_what_it_is() {
    let story = Story::begin();
    let one = story.deploy("one");
    story.checkout.done(&["mv", "functions", "Functions"]);
    story.checkout.commit(&[]);
    assert!(story.refused(&["main"]).contains("did you mean `Functions`?"));
    std::os::unix::fs::symlink("Functions", story.checkout.folder().join("functions")).unwrap();
    story.checkout.commit(&[]);
    let told = story.refused(&["main"]);
    assert!(told.contains("the commit has no folder `functions`: `functions` is a link"), "{told}");
    std::fs::remove_file(story.checkout.folder().join("functions")).unwrap();
    story.checkout.commit(&[("functions", b"a file")]);
    assert!(story.refused(&["main"]).contains("`functions` is a file"));
    story.wait_for("one", &one);
    let nested = Story::with("root = \"services/web/functions\"\n");
    nested.checkout.commit(&[("services/wbe/functions/a.rhai", b"1")]);
    assert!(nested.refused(&["main"]).contains("did you mean `wbe`?"));
}
