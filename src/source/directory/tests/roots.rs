//! The root itself goes, comes, and leads elsewhere.

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use super::*;

fn release(base: &Path, name: &str, text: &str) {
    write(&base.join(name).join("functions/a.rhai"), text);
    write(&base.join(name).join("functions/b.rhai"), text);
}

/// Replaces a link as deployment tools do: the new one takes the old one's name in one step.
fn relink(target: &str, link: &Path) {
    let new = link.with_file_name("..new_link");
    symlink(target, &new).unwrap();
    fs::rename(new, link).unwrap();
}

/// Proves that the root is watched, not only looked at once.
async fn lives(watched: &mut WatchedFolder) {
    for text in ["1", "2"] {
        watched.write("a.rhai", text);
        watched.until(|snapshot| text_of(snapshot, "a.rhai").as_deref() == Some(text)).await;
    }
}

#[tokio::test]
async fn a_root_made_again_is_watched_again() {
    let mut watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai", "b.rhai"]);
    watched.until_settled().await;
    for round in ["one", "two", "three"] {
        // ext4 gives the new folder the old one's inode number.
        fs::remove_dir_all(&watched.root).unwrap();
        fs::create_dir(&watched.root).unwrap();
        ["a.rhai", "b.rhai"].iter().for_each(|path| watched.write(path, round));
        let is_whole =
            |seen: &Result<Snapshot, String>| seen.as_ref().is_ok_and(|snapshot| text_of(snapshot, "b.rhai").as_deref() == Some(round));
        let mut seen = watched.next().await;
        while !is_whole(&seen) {
            assert!(seen.as_ref().is_err() || seen.as_ref().is_ok_and(|snapshot| snapshot.tree.len() == 2), "{seen:?}");
            seen = watched.next().await;
        }
        lives(&mut watched).await;
    }
}

#[tokio::test]
async fn a_root_replaced_by_another_is_watched() {
    let mut watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai", "b.rhai"]);
    watched.until_settled().await;
    let (old, new) = (watched.base.path().join("old"), watched.base.path().join("new"));
    ["a.rhai", "b.rhai"].iter().for_each(|path| write(&new.join(path), "new"));
    fs::rename(&watched.root, &old).unwrap();
    fs::rename(&new, &watched.root).unwrap();
    let mut seen = watched.next().await;
    while seen.as_ref().is_err() || text_of(seen.as_ref().unwrap(), "a.rhai").as_deref() != Some("new") {
        seen = watched.next().await;
    }
    lives(&mut watched).await;
    write(&old.join("a.rhai"), "nobody looks here");
    watched.nothing_until_a_marker().await;
}

#[tokio::test]
async fn a_root_that_is_a_link_follows_it() {
    let mut watched = WatchedFolder::prepared(DirectorySettings::default(), |base| {
        ["1", "2", "3"].iter().for_each(|number| release(base, number, number));
        symlink("1/functions", base.join("root")).unwrap();
    });
    watched.until_files(&[("a.rhai", "1"), ("b.rhai", "1")]).await;
    for number in ["2", "3"] {
        relink(&format!("{number}/functions"), &watched.root);
        watched.until_files(&[("a.rhai", number), ("b.rhai", number)]).await;
    }
    lives(&mut watched).await;
}

#[tokio::test]
async fn a_root_below_a_link_follows_it() {
    let base = tempfile::tempdir().unwrap();
    ["1", "2"].iter().for_each(|number| release(base.path(), number, number));
    symlink("1", base.path().join("current")).unwrap();
    let root = base.path().join("current/functions");
    let source = DirectorySource::new(root.clone(), DirectorySettings::default());
    let mut watched = WatchedFolder { base, root, source, last: None, problem: None };
    watched.until_files(&[("a.rhai", "1"), ("b.rhai", "1")]).await;
    relink("2", &watched.base.path().join("current"));
    watched.until_files(&[("a.rhai", "2"), ("b.rhai", "2")]).await;
    lives(&mut watched).await;
}

#[tokio::test]
async fn a_mounted_config_map_follows_its_swaps() {
    let version = |root: &Path, name: &str, text: &str| {
        write(&root.join(name).join("k.rhai"), text);
        write(&root.join(name).join("l.rhai"), text);
        relink(name, &root.join("..data"));
    };
    let mut watched = WatchedFolder::prepared(DirectorySettings::default(), |base| {
        let root = base.join("root");
        version(&root, "..v0", "0");
        ["k.rhai", "l.rhai"].iter().for_each(|name| symlink(Path::new("..data").join(name), root.join(name)).unwrap());
    });
    watched.until_files(&[("k.rhai", "0"), ("l.rhai", "0")]).await;
    for (number, before) in [("1", "0"), ("2", "1"), ("3", "2")] {
        version(&watched.root, &format!("..v{number}"), number);
        fs::remove_dir_all(watched.path(&format!("..v{before}"))).unwrap();
        watched.until_files(&[("k.rhai", number), ("l.rhai", number)]).await;
    }
}

#[tokio::test]
async fn a_root_that_is_not_there_yet_is_awaited() {
    let settings = DirectorySettings { poll_interval: LIMIT, ..DirectorySettings::default() };
    let base = tempfile::tempdir().unwrap();
    let root = base.path().join("not/yet/root");
    let source = DirectorySource::new(root.clone(), settings);
    let mut watched = WatchedFolder { base, root, source, last: None, problem: None };
    let missing = watched.look().await.unwrap_err();
    assert_eq!(missing, format!("the functions folder `{}` is missing", watched.root.display()));
    fs::create_dir(watched.base.path().join("not")).unwrap();
    watched.write("a.rhai", "a");
    let mut seen = watched.next().await;
    while seen.as_ref().is_err() || text_of(seen.as_ref().unwrap(), "a.rhai").is_none() {
        seen = watched.next().await;
    }
    lives(&mut watched).await;
}

#[tokio::test]
async fn a_root_that_vanishes_loses_nothing() {
    let settings = DirectorySettings { gone_after: Duration::ZERO, all_gone_after: Duration::ZERO, ..DirectorySettings::default() };
    let mut watched = WatchedFolder::with(settings, &["a.rhai", "b.rhai"]);
    let before = watched.until_settled().await;
    for _ in 0..2 {
        let away = watched.base.path().join("away");
        fs::rename(&watched.root, &away).unwrap();
        assert!(watched.next().await.unwrap_err().ends_with("is missing"));
        fs::rename(&away, &watched.root).unwrap();
        // It may be told more than once that it is missing.
        let mut seen = watched.next().await;
        while seen.is_err() {
            seen = watched.next().await;
        }
        assert_eq!(seen.unwrap().tree, before.tree);
    }
    lives(&mut watched).await;
}

#[tokio::test]
async fn a_root_that_is_a_file_is_an_error_until_it_is_a_folder() {
    let mut watched = WatchedFolder::prepared(DirectorySettings::default(), |base| fs::write(base.join("root"), "").unwrap());
    assert_eq!(watched.look().await.unwrap_err(), format!("the functions folder `{}` is a file", watched.root.display()));
    fs::remove_file(&watched.root).unwrap();
    watched.write("a.rhai", "a");
    let mut seen = watched.next().await;
    while seen.is_err() || seen.as_ref().unwrap().tree.is_empty() {
        seen = watched.next().await;
    }
}
