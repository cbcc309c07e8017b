//! SQLite's file is damaged, or of something else: it is said with what to do, nothing in it is changed, and the functions are served.

use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use sqlx::{Connection, SqliteConnection};

use crate::{
    faults::load::{FILES, ask, degraded, picloud, recorded, wait_for_degraded},
    kit::node::{Node, PATIENCE, node, wait_until},
};

/// What a command of the program says in a node's folder, on both outputs.
fn said(node: &Node, arguments: &[&str]) -> String {
    let output = crate::kit::command::run(node, arguments);
    [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat()
}

/// Writes into a file at a place.
fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

/// Runs statements in a file of SQLite's.
fn sql<T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>>(
    path: &Path,
    statement: &'static str,
) -> Vec<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let found = sqlx::query_scalar(statement).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        found
    })
}

/// Where the pages of a table begin, and how large a page is.
fn root_of(path: &Path, statement: &'static str) -> (u64, usize) {
    let page_bytes = sql::<i64>(path, "PRAGMA page_size")[0];
    ((sql::<i64>(path, statement)[0] as u64 - 1) * page_bytes as u64, page_bytes as usize)
}

/// A node that has run, and has been stopped.
fn stopped() -> Node {
    let mut node = node(&FILES).start();
    ask(&node, 20, &mut Vec::new());
    node.stop();
    folded(node)
}

/// Brings what is in the write-ahead log into the file.
fn folded(node: Node) -> Node {
    sql::<i64>(&node.data().join("picloud.db"), "PRAGMA wal_checkpoint(TRUNCATE)");
    node
}

/// What somebody does to a file.
type Damage<'a> = &'a dyn Fn(&Path);

#[test]
fn a_file_that_is_no_database_is_refused_with_what_to_do() {
    let other_program = |path: &Path| {
        fs::remove_file(path).unwrap();
        sql::<i64>(path, "CREATE TABLE notes (text TEXT)");
    };
    let header = |path: &Path| overwrite(path, 0, &[0xa5; 100]);
    let truncated = |path: &Path| {
        let bytes = fs::metadata(path).unwrap().len();
        fs::OpenOptions::new().write(true).open(path).unwrap().set_len(bytes / 2 + 7).unwrap();
    };
    let text = |path: &Path| fs::write(path, "dear diary, ".repeat(5_000)).unwrap();
    let damages: [(&str, Damage); 4] =
        [("overwritten", &header), ("truncated", &truncated), ("a text", &text), ("another program's", &other_program)];
    for (what, damage) in damages {
        let mut node = stopped();
        let file = node.data().join("picloud.db");
        damage(&file);
        let before = fs::read(&file).unwrap();
        node.start();
        let told = wait_for_degraded(&node, "picloud.db");
        let (reason, hint) = match what {
            "another program's" => ("is the database of another program", "name another file"),
            _ => ("cannot be read", "put a backup in its place, or move it"),
        };
        assert!(told.contains(reason) && told.contains(hint), "{what}: {told}");
        ask(&node, 5, &mut Vec::new());
        node.write("n.rhai", "\"two\"");
        node.wait_for("/n", "two");
        assert!(said(&node, &["status"]).contains(reason), "{what}: {}", said(&node, &["status"]));
        for command in ["deployments", "executions", "logs"] {
            let told = said(&node, &[command]);
            let is_told = told.contains(reason) || what == "another program's" && told.contains("there is no database");
            assert!(is_told && !told.contains("panicked"), "{what}: {command}: {told}");
        }
        assert!(fs::read(&file).unwrap() == before, "{what}: nothing in it is changed");

        // As the hint says; the node need not be started again.
        for name in ["picloud.db", "picloud.db-wal", "picloud.db-shm"] {
            let _ = fs::rename(node.data().join(name), node.folder().join(name));
        }
        node.wait_for_state("ready");
        let mut answered = Vec::new();
        ask(&node, 5, &mut answered);
        wait_until("executions are recorded in a new one", PATIENCE, || crate::faults::load::recorded(&node).ends_with(&answered));
        assert!(said(&node, &["deployments"]).contains(node.ready()["deployment"].as_str().unwrap()));
        assert!(!node.log().contains("panicked"), "{what}: {}", node.log());
        node.stop();
    }
}

#[test]
fn damage_in_the_table_of_executions_is_told_and_they_wait() {
    let mut node = stopped();
    let file = node.data().join("picloud.db");
    let (at, bytes) = root_of(&file, "SELECT rootpage FROM sqlite_schema WHERE name = 'executions'");
    let good = fs::read(&file).unwrap();
    overwrite(&file, at, &vec![0xa5; bytes]);
    node.start();
    let mut answered = Vec::new();
    ask(&node, 20, &mut answered);
    let told = wait_for_degraded(&node, "wait on disk for the database");
    assert!(told.contains("malformed") && told.contains("put a backup in its place"), "{told}");
    assert!(picloud(&node, &["executions"]).status.code() == Some(2));
    assert!(!node.log().contains("panicked"), "{}", node.log());
    node.stop();
    // The backup is in its place: what waited arrives.
    fs::write(&file, good).unwrap();
    for name in ["picloud.db-wal", "picloud.db-shm"] {
        let _ = fs::remove_file(node.data().join(name));
    }
    node.start();
    node.wait_for_state("ready");
    wait_until("they are recorded", PATIENCE, || crate::faults::load::recorded(&node).ends_with(&answered));
    node.stop();
}

#[test]
fn damage_in_the_table_of_deployments_is_told_and_the_folder_is_served() {
    let mut node = stopped();
    let file = node.data().join("picloud.db");
    let (at, bytes) = root_of(&file, "SELECT rootpage FROM sqlite_schema WHERE name = 'deployments'");
    overwrite(&file, at, &vec![0xa5; bytes]);
    node.start();
    assert_eq!(node.get("/n").text(), "one");
    let told = wait_for_degraded(&node, "is recorded when the database takes it");
    assert!(told.contains("malformed") && told.contains("put a backup in its place"), "{told}");
    assert!(said(&node, &["deployments"]).contains("malformed"));
    // What comes later waits for what is live to be recorded.
    node.write("n.rhai", "\"two\"");
    let told = wait_for_degraded(&node, "waits for the database");
    assert!(told.contains("malformed"), "{told}");
    assert_eq!(node.get("/n").text(), "one");
    assert!(!node.log().contains("panicked"), "{}", node.log());
    node.stop();
}

#[test]
fn a_file_that_goes_away_is_told_and_what_was_to_be_written_waits() {
    let mut node = node(&FILES).start();
    let mut answered = Vec::new();
    ask(&node, 5, &mut answered);
    wait_until("they are recorded", PATIENCE, || recorded(&node) == answered);
    let [file, away] = ["picloud.db", "away.db"].map(|name| node.data().join(name));
    let gone = "was moved, removed or replaced";
    // Moved away, and put back.
    fs::rename(&file, &away).unwrap();
    ask(&node, 5, &mut answered);
    wait_for_degraded(&node, gone);
    let authorization = [("authorization", &*crate::kit::api::bearer(&node))];
    let made = node.send("POST", "/api/admin/tokens", &authorization, br#"{ "name": "ann", "scope": "read" }"#);
    assert_eq!(made.status, 503, "{}", made.text());
    fs::rename(&away, &file).unwrap();
    node.wait_for_state("ready");
    wait_until("what waited is recorded", PATIENCE, || recorded(&node) == answered);
    let told = || crate::kit::api::Api::of(&node).get("/api/admin/events?topic=picloud.database.away").json();
    wait_until("the outage is told", PATIENCE, || told()["events"].as_array().unwrap().len() == 1);
    // Removed: a node that is started again makes a new one, and loses nothing that came after.
    for name in ["picloud.db", "picloud.db-wal", "picloud.db-shm"] {
        let _ = fs::remove_file(node.data().join(name));
    }
    let mut after = Vec::new();
    ask(&node, 5, &mut after);
    wait_for_degraded(&node, gone);
    node.restart();
    node.wait_for_state("ready");
    wait_until("what waited is in the new one", PATIENCE, || recorded(&node) == after);
}

#[test]
fn a_write_ahead_log_of_garbage_is_passed_over() {
    let mut node = node(&FILES).start();
    ask(&node, 20, &mut Vec::new());
    node.wait_for_execution("the last", |execution| execution.path == "/id");
    let before = node.get("/n").header("x-picloud-deployment").unwrap().to_owned();
    node.stop();
    let mut node = folded(node);
    let log = node.data().join("picloud.db-wal");
    fs::write(&log, vec![0x5a; 100_000]).unwrap();
    node.start();
    assert_eq!(node.get("/n").header("x-picloud-deployment"), Some(before.as_str()));
    assert_eq!(degraded(&node), "[]");
    let mut answered = Vec::new();
    ask(&node, 20, &mut answered);
    wait_until("executions are recorded", PATIENCE, || crate::faults::load::recorded(&node).ends_with(&answered));
    let mut head = Vec::new();
    fs::File::open(&log).unwrap().take(4).read_to_end(&mut head).unwrap();
    assert_ne!(head, [0x5a; 4]);
    node.stop();
}
