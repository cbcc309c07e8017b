//! Uploads with migrations: all of a tree is live and its tables are there, or nothing is as if it had not come.

use crate::kit::{
    api::{Api, messages, tar},
    node::{Node, node},
    store::Fresh,
    story::{Story, follower, hosted},
};

const CONFIG: &str = "[databases.app]\nurl = \"sqlite\"\n";
const ROWS: (&str, &str) = ("_sql/app/0001_rows.sql", "CREATE TABLE rows (a INTEGER PRIMARY KEY, b INTEGER);\n");
const FILL: &str = "+++\n[sql]\ndatabase = \"app\"\n+++\nsql::exec(\"INSERT INTO rows VALUES (1, 1), (2, 1)\")";
const COUNTS: &str = "+++\n[sql]\ndatabase = \"app\"\n+++\nsql::value(\"SELECT count(*) FROM extra\")";

/// Sends a tree whose migration passes the check and fails on the database, and says that nothing came of it.
fn is_taken_back(node: &Node, migration: &str, place: &str, message: &str) {
    let api = Api::of(node);
    let first = [ROWS, ("f.rhai", "1"), ("fill.rhai", FILL)];
    let done = api.tree("", &tar(&first));
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(node.get("/fill").text(), "2");
    let second = [ROWS, ("_sql/app/0002_extra.sql", migration), ("f.rhai", COUNTS), ("fill.rhai", FILL), ("new.rhai", "1")];
    let refused = api.tree("", &tar(&second));
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert_eq!(refused.json()["detail"], "there is 1 mistake, and what was written is taken back");
    let found = messages(&refused);
    assert!(found.len() == 1 && found[0].starts_with("_sql/app/0002_extra.sql: ") && found[0].contains(message), "{found:?}");
    assert_eq!(refused.json()["diagnostics"][0]["line"].to_string(), place, "{}", refused.text());
    assert_eq!((node.get("/f").text().as_str(), node.get("/new").status), ("1", 404));
    assert_eq!(api.names(""), ["f", "fill"]);
    let status = api.status();
    assert_eq!((&status["is_in_sync"], &status["diagnostics"]), (&true.into(), &serde_json::json!([])), "{status}");
    // The mended tree has the same number.
    let mended = [ROWS, ("_sql/app/0002_extra.sql", "CREATE TABLE extra (x INTEGER);"), ("f.rhai", COUNTS), ("new.rhai", "1")];
    let done = api.tree("", &tar(&mended));
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!((node.get("/f").text().as_str(), node.get("/new").status), ("0", 200));
}

const DOUBLES: &str = "CREATE TABLE extra (x INTEGER);\nCREATE UNIQUE INDEX once ON rows(b);";

const COUNTS_ROWS: &str = "+++\n[sql]\ndatabase = \"app\"\n+++\nsql::value(\"SELECT count(*) FROM rows\")";

#[test]
fn a_tree_whose_migration_fails_on_rows_leaves_a_directory_as_it_was() {
    let node = node(&[]).config(CONFIG).start();
    is_taken_back(&node, DOUBLES, "2", "UNIQUE constraint failed");
}

#[test]
fn a_tree_whose_migration_fails_on_rows_is_taken_back_by_a_commit() {
    for story in [Story::hosted_by(hosted().config(CONFIG_OF_HOSTED)), Story::of(follower(CONFIG))] {
        is_taken_back(&story.node, DOUBLES, "2", "UNIQUE constraint failed");
        let commits = story.bare(&["log", "--format=%s", "main"]);
        assert_eq!(commits, "deploy a tree\ntake back: deploy a tree\ndeploy a tree\ndeploy a tree");
    }
}

const CONFIG_OF_HOSTED: &str = "[source]\nkind = \"git\"\nrepository = \"hosted\"\n[databases.app]\nurl = \"sqlite\"\n";

#[test]
fn a_tree_whose_migration_fails_when_postgres_keeps_it_leaves_a_directory_as_it_was() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fresh = runtime.block_on(Fresh::postgres());
    let node = node(&[]).config(&format!("[databases.app]\nurl = {:?}\n", fresh.url)).start();
    let late = "CREATE TABLE extra (x INTEGER REFERENCES rows(a) DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO extra VALUES (7);";
    is_taken_back(&node, late, "1", "violates foreign key constraint");
}

#[test]
fn a_script_that_is_made_right_after_a_tree_with_a_migration_is_live() {
    let node = node(&[]).config(CONFIG).start();
    let api = Api::of(&node);
    let names: Vec<String> = (2..8).map(|number| format!("_sql/app/{number:04}_t.sql")).collect();
    for (number, _) in names.iter().enumerate() {
        let tables: Vec<String> = (0..=number).map(|table| format!("CREATE TABLE t{table} (x INTEGER);")).collect();
        let mut files = vec![ROWS];
        files.extend(names.iter().zip(&tables).map(|(name, text)| (name.as_str(), text.as_str())));
        let done = api.tree("?allow_mass_delete=true", &tar(&files));
        assert_eq!(done.status, 200, "{}", done.text());
        let name = format!("s{number}");
        api.created(&name, &format!("+++\n[sql]\ndatabase = \"app\"\n+++\nsql::value(\"SELECT count(*) FROM t{number}\")"));
        assert_eq!(node.get(&format!("/{name}")).text(), "0");
    }
}

#[test]
fn a_script_that_is_made_while_a_migration_is_being_saved_is_there() {
    let node = node(&[ROWS, ("a.rhai", "1")]).config(CONFIG).start();
    node.wait_for("/a", "1");
    let api = Api::of(&node);
    for number in 2..6 {
        node.write(&format!("_sql/app/{number:04}_t.sql"), &format!("CREATE TABLE t{number} (x INTEGER);"));
        let name = format!("s{number}");
        let made = api.create(&name, COUNTS_ROWS);
        assert!(matches!(made.status, 201 | 202), "{}", made.text());
        node.wait_for(&format!("/{name}"), "0");
    }
}
