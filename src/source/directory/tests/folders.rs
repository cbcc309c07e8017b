//! Many files and folders at once.

use std::{fs, time::Duration};

use super::*;

#[tokio::test]
async fn a_file_renamed_inside_moves() {
    let mut watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai", "b.rhai", "c.rhai"]);
    watched.until_settled().await;
    fs::create_dir(watched.path("x")).unwrap();
    watched.rename("a.rhai", "x/new.rhai");
    watched.until_files(&[("x/new.rhai", "a.rhai"), ("b.rhai", "b.rhai"), ("c.rhai", "c.rhai")]).await;
}

#[tokio::test]
async fn a_folder_moves_in_with_its_files_and_out_again() {
    let mut watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai", "b.rhai", "c.rhai"]);
    watched.until_settled().await;
    let outside = watched.base.path().join("outside");
    write(&outside.join("deep/d.rhai"), "d");
    fs::rename(&outside, watched.path("in")).unwrap();
    let files = [("in/deep/d.rhai", "d"), ("a.rhai", "a.rhai"), ("b.rhai", "b.rhai"), ("c.rhai", "c.rhai")];
    watched.until_files(&files).await;
    watched.write("in/deep/d.rhai", "new");
    watched.until(|snapshot| text_of(snapshot, "in/deep/d.rhai").as_deref() == Some("new")).await;
    fs::rename(watched.path("in"), &outside).unwrap();
    watched.until_files(&files[1..]).await;
}

#[tokio::test]
async fn a_file_in_folders_made_at_once_is_found() {
    let mut watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai"]);
    watched.until_settled().await;
    watched.write("x/y/z/deep.rhai", "deep");
    watched.until_files(&[("a.rhai", "a.rhai"), ("x/y/z/deep.rhai", "deep")]).await;
}

#[tokio::test]
async fn every_one_of_10_000_files_in_new_folders_is_found() {
    let mut watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai"]);
    watched.until_settled().await;
    for folder in 0..100 {
        for file in 0..100 {
            watched.write(&format!("new/{folder}/{file}.rhai"), "x");
        }
    }
    let way = watched.until(|snapshot| snapshot.tree.len() == 10_001 && snapshot.unsettled.is_empty()).await;
    assert!(way.iter().map(|snapshot| snapshot.tree.len()).is_sorted(), "files only come");
}

#[tokio::test]
async fn most_files_gone_is_believed_later_than_one() {
    let files: Vec<String> = (0..12).map(|number| format!("{number}.rhai")).collect();
    let paths: Vec<&str> = files.iter().map(String::as_str).collect();
    let settings = DirectorySettings { many_gone_after: Duration::from_millis(700), ..DirectorySettings::default() };
    let mut watched = WatchedFolder::with(settings, &paths);
    watched.until_settled().await;
    let began = crate::clock::monotonic();
    paths[..11].iter().for_each(|path| fs::remove_file(watched.path(path)).unwrap());
    let way = watched.until_files(&[("11.rhai", "11.rhai")]).await;
    assert!(began.elapsed() >= Duration::from_millis(700));
    assert_eq!(way.len(), 1, "they go together");
}

#[tokio::test]
async fn all_files_gone_is_believed_when_somebody_says_so() {
    let settings = DirectorySettings { all_gone_after: Duration::from_millis(300), ..DirectorySettings::default() };
    let mut watched = WatchedFolder::with(settings, &["a.rhai", "b.rhai"]);
    watched.until_settled().await;
    let began = crate::clock::monotonic();
    ["a.rhai", "b.rhai"].iter().for_each(|path| fs::remove_file(watched.path(path)).unwrap());
    let empty = watched.next().await.unwrap_err();
    assert!(began.elapsed() >= Duration::from_millis(300) && empty.contains("is empty; its volume may not be mounted"), "{empty}");
    watched.source.refresh(true).await;
    assert!(watched.next().await.unwrap().tree.is_empty());
    watched.write("c.rhai", "c");
    watched.until_files(&[("c.rhai", "c")]).await;
}

#[tokio::test]
async fn one_file_is_enough_to_end_that_a_root_is_empty() {
    let settings = DirectorySettings { all_gone_after: Duration::from_millis(300), ..DirectorySettings::default() };
    let mut watched = WatchedFolder::with(settings, &["a.rhai", "b.rhai"]);
    watched.until_settled().await;
    ["a.rhai", "b.rhai"].iter().for_each(|path| fs::remove_file(watched.path(path)).unwrap());
    watched.next().await.unwrap_err();
    watched.write("c.rhai", "c");
    let first = watched.next().await.unwrap();
    assert!(first.tree.contains_key("a.rhai"), "the others may be on their way");
    watched.until_files(&[("c.rhai", "c")]).await;
}

#[tokio::test]
async fn names_of_editors_and_version_control_are_not_functions() {
    let others = [
        ".hidden.rhai",
        ".git/a.rhai",
        "x~/a.rhai",
        "a.rhai___jb_tmp___",
        "a.rhai~",
        "a_BASE_1234.rhai",
        "flycheck_a.rhai",
        "a_flymake.rhai",
        "a.sync-conflict-20260101-120000-ABCDEFG.rhai",
        "notes.txt",
        "rhai",
    ];
    let mut watched = WatchedFolder::with(DirectorySettings::default(), &others);
    watched.write(".well-known/a.rhai", "a");
    fs::create_dir(watched.path("folder.rhai")).unwrap();
    watched.until_files(&[(".well-known/a.rhai", "a")]).await;
    others.iter().for_each(|path| watched.write(path, "new"));
    watched.nothing_until_a_marker().await;
}
