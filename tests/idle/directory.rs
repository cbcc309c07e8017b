//! A directory at which nothing happens costs nothing. Alone in its process, so that the threads counted are its own.

use std::{collections::BTreeMap, fs, time::Duration};

use picloud::source::{
    Source as _,
    directory::{DirectorySettings, DirectorySource},
};

/// Returns how often each thread that watches has been put to sleep or woken.
fn switches() -> BTreeMap<String, Vec<String>> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let watching = tasks.filter(|task| {
        let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
        name.starts_with("functions-watch") || name.starts_with("notify-rs")
    });
    let switches = watching.map(|task| {
        let status = fs::read_to_string(task.join("status")).unwrap();
        (task.display().to_string(), status.lines().filter(|line| line.contains("ctxt_switches")).map(str::to_owned).collect())
    });
    switches.collect()
}

#[tokio::test]
async fn watching_an_idle_directory_wakes_no_thread() {
    // Not the temporary folder itself: the folder that holds the root is watched too, and there others come and go.
    let base = tempfile::tempdir().unwrap();
    let root = base.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a.rhai"), "a").unwrap();
    let source = DirectorySource::new(root.clone(), DirectorySettings::default());
    source.snapshot().await.unwrap();
    fs::write(root.join("a.rhai"), "b").unwrap();
    source.changed().await;
    // All that a save sets in motion must end: the settling, the second reading, the last look at everything.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = switches();
    assert_eq!(before.len(), 3, "the source's thread and two of notify: {before:?}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(switches(), before);
}
