//! One file, and every way in which editors and tools save it.

use std::{fs, io::Write as _, thread, time::Duration};

use super::*;

/// Longer than any test.
const NEVER: Duration = Duration::from_secs(3600);

async fn saved(save: impl FnOnce(&WatchedFolder)) -> Vec<Snapshot> {
    let mut watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai", "b.rhai"]);
    watched.until_settled().await;
    save(&watched);
    let way = watched.until_files(&[("a.rhai", "new"), ("b.rhai", "b.rhai")]).await;
    for snapshot in &way {
        let text = text_of(snapshot, "a.rhai").expect("a file is never gone while it is saved");
        assert!(["a.rhai", "new"].contains(&text.as_str()), "seen half written: {text:?}");
    }
    way
}

#[tokio::test]
async fn a_save_in_place_is_seen_at_once_and_again_when_it_has_settled() {
    let way = saved(|watched| watched.write("a.rhai", "new")).await;
    assert_eq!(way.len(), 2);
    assert_eq!(way[0].unsettled, ["a.rhai".into()]);
    assert_eq!(way[0].revision, way[1].revision);
    assert_eq!(way[0].revision, directory_revision(&way[0].tree));
}

#[tokio::test]
async fn a_save_through_a_temporary_file_is_seen() {
    for temporary in [".a.rhai.swp", "a.rhai~", "a.rhai.tmp", "sedA1b2C3", ".a.rhai.x7Yz", "a.rhai___jb_tmp___", "4913"] {
        saved(|watched| {
            watched.write(temporary, "new");
            watched.rename(temporary, "a.rhai");
        })
        .await;
    }
}

#[tokio::test]
async fn a_save_that_moves_the_old_file_away_first_is_no_deletion() {
    for (old, new) in [("a.rhai~", "a.rhai"), ("a.rhai___jb_old___", "a.rhai___jb_tmp___")] {
        saved(|watched| {
            watched.rename("a.rhai", old);
            watched.write(new, "new");
            if new != "a.rhai" {
                watched.rename(new, "a.rhai");
            }
            fs::remove_file(watched.path(old)).unwrap();
        })
        .await;
    }
}

#[tokio::test]
async fn a_deletion_that_is_taken_back_at_once_is_none() {
    saved(|watched| {
        fs::remove_file(watched.path("a.rhai")).unwrap();
        watched.write("a.rhai", "new");
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_empty_for_a_moment_keeps_its_content() {
    saved(|watched| {
        let mut file = fs::File::create(watched.path("a.rhai")).unwrap();
        // Longer than the quiet window and the settling: the pause is what is tested.
        thread::sleep(Duration::from_millis(300));
        file.write_all(b"new").unwrap();
    })
    .await;
}

/// Writes a file in two parts that both make sense; `seen_as` must never be seen to hold the first alone.
async fn written_in_two_parts(mut watched: WatchedFolder, written: &str, seen_as: &str, pause: Duration) {
    let before = text_of(&watched.until_settled().await, seen_as);
    let path = watched.path(written);
    let writer = thread::spawn(move || {
        let mut file = fs::File::create(path).unwrap();
        for part in ["n", "ew"] {
            // The pause is what is tested: longer than the quiet window, the settling and the look at everything that follows.
            thread::sleep(pause);
            file.write_all(part.as_bytes()).unwrap();
        }
        thread::sleep(pause);
    });
    for snapshot in watched.until(|snapshot| text_of(snapshot, seen_as).as_deref() == Some("new")).await {
        let text = text_of(&snapshot, seen_as);
        assert!(text == before || text.as_deref() == Some("new"), "seen half written: {text:?}");
    }
    writer.join().unwrap();
}

#[tokio::test]
async fn a_file_that_is_open_for_writing_is_not_looked_into() {
    let watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai", "b.rhai"]);
    written_in_two_parts(watched, "a.rhai", "a.rhai", Duration::from_millis(900)).await;
}

#[tokio::test]
async fn a_new_file_that_is_open_for_writing_is_not_looked_into() {
    let watched = WatchedFolder::with(DirectorySettings::default(), &["b.rhai"]);
    written_in_two_parts(watched, "a.rhai", "a.rhai", Duration::from_millis(900)).await;
}

#[tokio::test]
async fn a_link_to_a_file_that_is_open_for_writing_is_not_looked_into() {
    for target in ["a.rhai", "..data", "plain.txt"] {
        let watched = WatchedFolder::prepared(DirectorySettings::default(), |base| {
            write(&base.join("root").join(target), "old");
            std::os::unix::fs::symlink(target, base.join("root/link.rhai")).unwrap();
        });
        written_in_two_parts(watched, target, "link.rhai", Duration::from_millis(900)).await;
    }
}

#[tokio::test]
async fn where_nothing_is_reported_a_file_is_looked_into_when_it_is_left_alone() {
    let poll_interval = Duration::from_millis(50);
    let settings =
        DirectorySettings { force_polling: true, poll_interval, unclosed_for: Duration::from_secs(2), ..DirectorySettings::default() };
    let watched = WatchedFolder::with(settings, &["a.rhai", "b.rhai"]);
    written_in_two_parts(watched, "a.rhai", "a.rhai", Duration::from_millis(300)).await;
}

#[tokio::test]
async fn a_file_that_is_never_closed_is_looked_into_at_last() {
    let settings = DirectorySettings { open_at_most: Duration::from_millis(400), ..DirectorySettings::default() };
    let mut watched = WatchedFolder::with(settings, &["a.rhai", "b.rhai"]);
    watched.until_settled().await;
    let mut file = fs::File::create(watched.path("a.rhai")).unwrap();
    file.write_all(b"new").unwrap();
    watched.until_files(&[("a.rhai", "new"), ("b.rhai", "b.rhai")]).await;
    drop(file);
}

#[tokio::test]
async fn an_empty_file_counts_when_it_stays_empty() {
    let settings = DirectorySettings { empty_after: Duration::from_millis(200), ..DirectorySettings::default() };
    let mut watched = WatchedFolder::with(settings, &["a.rhai", "b.rhai"]);
    watched.until_settled().await;
    watched.write("a.rhai", "");
    watched.until_files(&[("a.rhai", ""), ("b.rhai", "b.rhai")]).await;
}

#[tokio::test]
async fn a_young_empty_file_is_held_back_at_the_start() {
    let settings = DirectorySettings { empty_after: Duration::from_millis(500), ..DirectorySettings::default() };
    let mut watched = WatchedFolder::prepared(settings, |base| {
        write(&base.join("root/a.rhai"), "a");
        write(&base.join("root/b.rhai"), "");
    });
    let first = watched.look().await.unwrap();
    assert!(first.unsettled.contains(&"b.rhai".into()) && !first.tree.contains_key("b.rhai"));
    watched.until_files(&[("a.rhai", "a"), ("b.rhai", "")]).await;
}

#[tokio::test]
async fn a_deleted_file_is_gone() {
    let mut watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai", "b.rhai"]);
    watched.until_settled().await;
    fs::remove_file(watched.path("a.rhai")).unwrap();
    watched.until_files(&[("b.rhai", "b.rhai")]).await;
}

#[tokio::test]
async fn touching_and_reading_tell_nothing() {
    let mut watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai", "b.rhai"]);
    watched.until_settled().await;
    make_old(&watched.path("a.rhai"));
    fs::set_permissions(watched.path("b.rhai"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fs::read(watched.path("a.rhai")).unwrap();
    watched.write("a.rhai", "a.rhai");
    watched.nothing_until_a_marker().await;
}

#[tokio::test]
async fn a_write_through_a_hard_link_is_looked_for() {
    let settings =
        DirectorySettings { poll_interval: Duration::from_millis(200), follow_up: NEVER, full_scan: NEVER, ..DirectorySettings::default() };
    let mut watched = WatchedFolder::prepared(settings, |base| {
        write(&base.join("root/a.rhai"), "a");
        fs::hard_link(base.join("root/a.rhai"), base.join("outside")).unwrap();
    });
    watched.until_settled().await;
    assert!(watched.source.health().is_some_and(|why| why.contains("hard links")) && watched.source.next_look_us().is_some());
    assert_eq!(watched.source.problem(), None, "nobody has to mend that");
    fs::write(watched.base.path().join("outside"), "new").unwrap();
    watched.until_files(&[("a.rhai", "new")]).await;
}

#[tokio::test]
async fn whoever_wants_it_has_everything_looked_at_now() {
    let settings =
        DirectorySettings { poll_interval: NEVER, follow_up: NEVER, full_scan: NEVER, unclosed_for: NEVER, ..DirectorySettings::default() };
    let mut watched = WatchedFolder::prepared(settings, |base| {
        write(&base.join("root/a.rhai"), "a");
        fs::hard_link(base.join("root/a.rhai"), base.join("outside")).unwrap();
    });
    watched.until_settled().await;
    for text in ["one", "two"] {
        fs::write(watched.base.path().join("outside"), text).unwrap();
        watched.source.refresh(true).await;
        assert_eq!(text_of(&watched.look().await.unwrap(), "a.rhai").as_deref(), Some(text));
    }
}

#[tokio::test]
async fn changes_are_found_by_polling_when_nothing_is_reported() {
    let settings = DirectorySettings { force_polling: true, poll_interval: Duration::from_millis(50), ..DirectorySettings::default() };
    let mut watched = WatchedFolder::with(settings, &["a.rhai", "b.rhai"]);
    watched.until_settled().await;
    assert_eq!(watched.source.health().as_deref(), Some("so it is configured"));
    watched.write("a.rhai", "new");
    fs::remove_file(watched.path("b.rhai")).unwrap();
    watched.until_files(&[("a.rhai", "new")]).await;
}

#[tokio::test]
async fn a_change_between_two_waits_is_not_lost_and_waiting_can_be_given_up() {
    let mut watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai"]);
    watched.until_settled().await;
    assert!(timeout(Duration::ZERO, watched.source.changed()).await.is_err());
    let mut view = watched.source.view.clone();
    view.mark_unchanged();
    watched.write("a.rhai", "new");
    timeout(LIMIT, view.changed()).await.unwrap().unwrap();
    timeout(Duration::ZERO, watched.source.changed()).await.expect("it has been told before anybody waited");
}

/// Proves that this makes the source look at a file that was written in a way that is never reported.
async fn looks_everywhere_after(hint: impl FnOnce(&DirectorySource)) -> DirectorySource {
    let settings = DirectorySettings { poll_interval: Duration::from_millis(100), follow_up: NEVER, ..DirectorySettings::default() };
    let mut watched = WatchedFolder::with(settings, &["a.rhai", "b.rhai"]);
    let outside = watched.base.path().join("outside");
    watched.until_settled().await;
    fs::hard_link(watched.path("a.rhai"), &outside).unwrap();
    watched.nothing_until_a_marker().await;
    // The new name is nowhere that is watched.
    fs::write(outside, "new").unwrap();
    hint(&watched.source);
    watched.until(|snapshot| text_of(snapshot, "a.rhai").as_deref() == Some("new")).await;
    watched.source
}

#[tokio::test]
async fn an_error_of_the_watcher_begins_polling() {
    let source = looks_everywhere_after(|source| source.inbox.put(Hint::Trouble("too many folders".into()))).await;
    assert_eq!(source.health().as_deref(), Some("too many folders"));
}

#[tokio::test]
async fn a_lost_report_makes_it_look_everywhere() {
    looks_everywhere_after(|source| source.inbox.put(Hint::All)).await;
}

#[tokio::test]
async fn more_hints_than_fit_make_it_look_everywhere() {
    looks_everywhere_after(|source| {
        source.inbox.overfill();
        source.inbox.put(Hint::Hidden);
    })
    .await;
}

#[tokio::test]
async fn dropping_the_source_ends_its_thread() {
    let watched = WatchedFolder::with(DirectorySettings::default(), &["a.rhai"]);
    let mut view = watched.source.view.clone();
    drop(watched.source);
    let ended = async { while view.changed().await.is_ok() {} };
    timeout(LIMIT, ended).await.expect("the thread lets go of the view");
}
