//! Databases of functions in a backup.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use serde_json::json;

use crate::{
    backup::project::{Empty, Kind, done, refused},
    kit::node::{PATIENCE, node, wait_until},
};

/// A row and its count change together, so a copy that is of two moments shows.
const MIGRATION: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE counts (n INTEGER NOT NULL);
INSERT INTO counts VALUES (0);";
const WRITE: &str = "+++\n[sql]\ndatabase = \"app\"\n+++
sql::transaction(|tx| {
    tx.exec(\"INSERT INTO notes (text) VALUES ($1)\", [\"x\"]);
    tx.exec(\"UPDATE counts SET n = n + 1\");
});
1";
const READ: &str = "+++\n[sql]\ndatabase = \"app\"\n+++
#{ rows: sql::value(\"SELECT count(*) FROM notes\"), counted: sql::value(\"SELECT n FROM counts\") }";

#[test]
fn rows_of_functions_come_back_with_a_backup() {
    let shop = Empty::of(Kind::Postgres);
    let config =
        format!("[databases.app]\nurl = \"sqlite\"\n[databases.never]\nurl = \"sqlite\"\n[databases.shop]\nurl = \"{}\"\n", shop.url);
    let files = [("_sql/app/0001_notes.sql", MIGRATION), ("write.post.rhai", WRITE), ("read.get.rhai", READ)];
    let mut node = node(&files).config(&config).start();
    node.wait_for_status("/read", 200);

    // While functions write.
    let (is_done, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let (told, at_least) = thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = node.client();
            while !is_done.load(Ordering::Relaxed) {
                assert_eq!(client.send("POST", "/write", &[], b"").unwrap().text(), "1");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
        wait_until("there are rows", PATIENCE, || answered.load(Ordering::Relaxed) > 50);
        let at_least = answered.load(Ordering::Relaxed);
        let told = std::panic::catch_unwind(|| done(node.folder(), &["backup", "made.tar.gz"]));
        is_done.store(true, Ordering::Relaxed);
        (told.unwrap(), at_least)
    });
    let at_most = answered.load(Ordering::Relaxed);
    assert!(told.contains("  databases   `app`, of functions\n"), "{told}");
    assert!(told.contains("\nNot in it: the database `shop` of functions, which is on Postgres: copy it with `pg_dump`.\n"), "{told}");
    assert!(!told.contains("never") && !told.contains(&shop.url), "{told}");
    assert!(done(node.folder(), &["restore", "made.tar.gz", "--check"]).contains("  databases   `app`, of functions\n"));
    assert!(!fs::read_dir(node.folder()).unwrap().any(|entry| entry.unwrap().file_name().to_str().unwrap().contains("partial")));

    node.stop();
    fs::remove_dir_all(node.data()).unwrap();
    let told = done(node.folder(), &["restore", "made.tar.gz"]);
    assert!(told.contains("  databases   `app`, of functions\n"), "{told}");
    node.start();
    node.wait_for_status("/read", 200);
    let read = node.get("/read").json();
    let rows = read["rows"].as_u64().unwrap();
    assert_eq!(read["counted"], read["rows"]);
    assert!((at_least..=at_most).contains(&rows), "{rows} of {at_least} to {at_most}");
    assert_eq!(node.send("POST", "/write", &[], b"").text(), "1");
    assert_eq!(node.get("/read").json(), json!({ "rows": rows + 1, "counted": rows + 1 }));

    // Of a node that was killed, too: its last rows are in the log beside the file.
    node.kill();
    done(node.folder(), &["backup", "second.tar.gz"]);
    fs::remove_dir_all(node.data()).unwrap();
    done(node.folder(), &["restore", "second.tar.gz"]);
    node.start();
    node.wait_for_status("/read", 200);
    assert_eq!(node.get("/read").json(), json!({ "rows": rows + 1, "counted": rows + 1 }));
}

#[test]
fn what_is_no_database_stops_a_backup_and_is_named() {
    let mut node = node(&[("a.rhai", "1")]).start();
    node.stop();
    fs::create_dir(node.data().join("sql")).unwrap();
    fs::write(node.data().join("sql/app.db"), "this is no database at all, and longer than the head of one. ".repeat(100)).unwrap();
    fs::write(node.data().join("sql/README"), "nothing").unwrap();
    let told = refused(node.folder(), &["backup", "made.tar.gz"]);
    assert!(told.contains("cannot copy the database `.picloud/sql/app.db`") && told.contains("file is not a database"), "{told}");
    assert!(!node.folder().join("made.tar.gz").exists());
}
