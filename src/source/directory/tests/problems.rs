//! Files that are there and cannot be used.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, symlink},
    },
    thread,
};

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use super::*;

async fn until_problems(watched: &mut WatchedFolder, count: usize) -> Snapshot {
    watched.until(|snapshot| snapshot.problems.len() == count && snapshot.unsettled.is_empty()).await.pop().unwrap()
}

fn told(snapshot: &Snapshot, watched: &WatchedFolder) -> String {
    let base = watched.base.path().canonicalize().unwrap();
    let problems: Vec<String> = snapshot.problems.iter().map(ToString::to_string).collect();
    problems.join("\n").replace(base.to_str().unwrap(), "<base>")
}

#[tokio::test]
async fn every_problem_says_what_and_what_to_do() {
    let settings = DirectorySettings { max_file_bytes: 10, ..DirectorySettings::default() };
    let mut watched = WatchedFolder::with(settings, &["ok.rhai", "x/ok.rhai"]);
    write(&watched.base.path().join("outside/secret.rhai"), "secret");
    symlink("../outside/secret.rhai", watched.path("file_out.rhai")).unwrap();
    symlink("../outside", watched.path("folder_out")).unwrap();
    symlink("../outside/notes.txt", watched.path("somebody_elses")).unwrap();
    symlink("nowhere", watched.path("dangling.rhai")).unwrap();
    symlink("itself.rhai", watched.path("itself.rhai")).unwrap();
    symlink("..", watched.path("x/up")).unwrap();
    watched.write("large.rhai", "12345678901");
    fs::write(watched.root.join(OsStr::from_bytes(b"\xff.rhai")), "x").unwrap();
    let snapshot = until_problems(&mut watched, 7).await;
    insta::assert_snapshot!(told(&snapshot, &watched), @r"
    dangling.rhai: error: this link leads to `nowhere`, which is not there
      hint: mend the link or delete it
    file_out.rhai: error: this link leads out of the functions folder, to `<base>/outside/secret.rhai`
      hint: copy the file into the folder, or link to one inside it
    folder_out: error: this link leads out of the functions folder, to `<base>/outside`
      hint: copy the file into the folder, or link to one inside it
    itself.rhai: error: this link leads round in a circle
      hint: mend the link or delete it
    large.rhai: error: the file has 11 bytes; the limit is 10
      hint: move parts of it into modules that it imports, or raise the limit
    x/up: error: this link leads round in a circle
      hint: mend the link or delete it
    �.rhai: error: this name is not UTF-8
      hint: rename it; names become URLs, and those are UTF-8
    ");
    assert_eq!(snapshot.tree.keys().map(|path| &**path).collect::<Vec<_>>(), ["ok.rhai", "x/ok.rhai"]);
    watched.nothing_until_a_marker().await;
}

#[tokio::test]
async fn a_link_inside_the_root_is_followed() {
    let mut watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai", "x/b.rhai"]);
    symlink("a.rhai", watched.path("link.rhai")).unwrap();
    symlink("x", watched.path("y")).unwrap();
    watched.until_files(&[("a.rhai", "a.rhai"), ("link.rhai", "a.rhai"), ("x/b.rhai", "x/b.rhai"), ("y/b.rhai", "x/b.rhai")]).await;
    watched.write("a.rhai", "1");
    watched.write("x/b.rhai", "2");
    watched.until_files(&[("a.rhai", "1"), ("link.rhai", "1"), ("x/b.rhai", "2"), ("y/b.rhai", "2")]).await;
}

#[tokio::test]
async fn a_good_file_that_turns_bad_leaves_with_a_word_and_comes_back() {
    let settings = DirectorySettings { max_file_bytes: 10, ..DirectorySettings::default() };
    let mut watched = WatchedFolder::with(settings, &["a.rhai", "b.rhai"]);
    let before = watched.until_settled().await;
    let spoil: [fn(&WatchedFolder); 2] = [
        |watched| watched.write("a.rhai", "12345678901"),
        |watched| {
            fs::remove_file(watched.path("a.rhai")).unwrap();
            symlink("/etc/hostname", watched.path("a.rhai")).unwrap();
        },
    ];
    for spoil in spoil {
        spoil(&watched);
        for snapshot in watched.until(|snapshot| snapshot.problems.len() == 1).await {
            assert_ne!(snapshot.tree.contains_key("a.rhai"), snapshot.problems.iter().any(|problem| &*problem.file == "a.rhai"));
        }
        fs::remove_file(watched.path("a.rhai")).unwrap();
        watched.write("a.rhai", "a.rhai");
        let mended = watched.until(|snapshot| snapshot.problems.is_empty() && snapshot.unsettled.is_empty()).await.pop().unwrap();
        assert_eq!(mended.tree, before.tree);
    }
}

#[tokio::test]
async fn a_bad_file_that_is_deleted_is_forgotten() {
    let settings = DirectorySettings { max_file_bytes: 10, ..DirectorySettings::default() };
    let mut watched = WatchedFolder::with(settings, &["a.rhai", "large.rhai.rhai"]);
    until_problems(&mut watched, 1).await;
    fs::remove_file(watched.path("large.rhai.rhai")).unwrap();
    until_problems(&mut watched, 0).await;
}

#[tokio::test]
async fn folders_too_deep_are_told_of() {
    let mut watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai"]);
    let path = |depth: usize| format!("{}z.rhai", "d/".repeat(depth));
    watched.write(&path(32), "deep");
    watched.write(&path(33), "too deep");
    let snapshot = until_problems(&mut watched, 1).await;
    assert_eq!(snapshot.problems[0].message, "this folder is more than 32 folders deep");
    assert!(snapshot.tree.contains_key(path(32).as_str()) && snapshot.tree.len() == 2);
}

#[test]
fn what_may_not_be_read_is_told_of_and_keeps_its_content() {
    // In a thread of its own, because the administrator must give up the right to read everything.
    let story = || {
        let rights = capabilities(None).unwrap();
        let lesser = rights.effective - CapabilitySet::DAC_OVERRIDE - CapabilitySet::DAC_READ_SEARCH;
        set_capabilities(None, rustix::thread::CapabilitySets { effective: lesser, ..rights }).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai", "x/b.rhai", "x/c.rhai"]);
            let before = watched.until_settled().await;
            let set_mode = |path: &str, mode| fs::set_permissions(watched.path(path), fs::Permissions::from_mode(mode)).unwrap();
            set_mode("a.rhai", 0o000);
            set_mode("x", 0o000);
            let snapshot = until_problems(&mut watched, 2).await;
            insta::assert_snapshot!(told(&snapshot, &watched), @r"
            a.rhai: error: cannot be read: Permission denied (os error 13)
              hint: let the user that PiCloud runs as read it
            x: error: cannot be read: Permission denied (os error 13)
              hint: let the user that PiCloud runs as read it
            ");
            let kept: Vec<&str> = snapshot.tree.keys().map(|path| &**path).collect();
            assert_eq!(kept, ["x/b.rhai", "x/c.rhai"], "what cannot be looked into is not gone");
            let set_mode = |path: &str, mode| fs::set_permissions(watched.path(path), fs::Permissions::from_mode(mode)).unwrap();
            set_mode("a.rhai", 0o600);
            set_mode("x", 0o700);
            assert_eq!(until_problems(&mut watched, 0).await.tree, before.tree);
            let set_root = |mode| fs::set_permissions(&watched.root, fs::Permissions::from_mode(mode)).unwrap();
            set_root(0o000);
            assert!(watched.next().await.unwrap_err().starts_with("cannot read"));
            let set_root = |mode| fs::set_permissions(&watched.root, fs::Permissions::from_mode(mode)).unwrap();
            set_root(0o700);
            assert_eq!(watched.next().await.unwrap().tree, before.tree);
        });
    };
    thread::spawn(story).join().unwrap();
}
