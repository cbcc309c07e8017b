//! Migrations on their way from a source to a database, with real nodes.

use std::path::PathBuf;

use crate::kit::{
    command::{picloud, said},
    git::Checkout,
    node::{Node, PATIENCE, node, wait_until},
    store::Fresh,
};

const CONFIG: &str = "[databases.app]\nurl = \"sqlite\"\n";
const NOTES: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY);\n";

fn file(node: &Node) -> PathBuf {
    node.data().join("sql/app.db")
}

/// The tables of a node's database.
fn tables(node: &Node) -> Vec<String> {
    let Ok(database) = rusqlite::Connection::open_with_flags(file(node), rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY) else {
        return Vec::new();
    };
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name";
    let Ok(mut statement) = database.prepare(sql) else { return Vec::new() };
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_folder_s_migrations_are_applied_before_what_uses_them_is_live() {
    let counts = "+++\n[sql]\ndatabase = \"app\"\n+++\nsql::value(\"SELECT count(*) FROM notes\") + 1";
    let node = node(&[("_sql/app/0001_notes.sql", NOTES), ("a.rhai", counts)]).config(CONFIG).start();
    node.wait_for("/a", "1");
    assert_eq!(tables(&node), ["notes"]);
    node.write("_sql/app/0002_users.sql", "CREATE TABLE users (id INTEGER);");
    wait_until("the second is applied", PATIENCE, || tables(&node) == ["notes", "users"]);
    // What is wrong stays out, and others go live.
    node.write("_sql/app/0003_bad.sql", "CREATE TABLE x (id INTEGER);\nCREATE TABEL y (id INTEGER);");
    node.write("a.rhai", "2");
    node.wait_for("/a", "2");
    wait_until("the mistake is told", PATIENCE, || node.log().contains("_sql/app/0003_bad.sql:2:8: error: near"));
    assert_eq!(tables(&node), ["notes", "users"]);
    node.write("_sql/app/0003_bad.sql", "CREATE TABLE x (id INTEGER);");
    wait_until("the mended one is applied", PATIENCE, || tables(&node) == ["notes", "users", "x"]);
    // What was applied does not change.
    node.write("_sql/app/0001_notes.sql", "CREATE TABLE other (id INTEGER);");
    wait_until("the change is told", PATIENCE, || {
        node.log().contains("_sql/app/0001_notes.sql: error: this migration was applied to `app`")
    });
    assert_eq!(tables(&node), ["notes", "users", "x"]);
}

#[test]
fn a_check_without_a_node_runs_migrations_in_memory() {
    let node = node(&[("_sql/app/0001_bad.sql", "CREATE TABLE x (;"), ("_sql/shop/0001_a.sql", "SELECT 1")]).config(CONFIG);
    let checked = crate::kit::command::command(node.folder(), &["check"]).output().unwrap();
    let told = String::from_utf8_lossy(&checked.stdout);
    assert!(!checked.status.success());
    assert!(told.contains("functions/_sql/app/0001_bad.sql:1:17: error: near \";\": syntax error"), "{told}");
    assert!(told.contains("this node has no database `shop`"), "{told}");
    assert!(!node.folder().join(".picloud/sql").exists());
}

fn git_node(config: &str) -> (Node, Checkout) {
    let setup = node(&[]).config(&format!("[source]\nkind = \"git\"\nrepository = \"repo.git\"\n{config}"));
    let made = crate::kit::command::command(setup.folder(), &["init", "--bare", "repo.git"]).output().unwrap();
    assert!(made.status.success(), "{}", said(&made));
    (setup.start(), Checkout::with(&[("functions/a.rhai", b"1"), ("functions/_sql/app/0001_notes.sql", NOTES.as_bytes())]))
}

fn push(node: &Node, checkout: &Checkout) -> (bool, String) {
    let output = checkout.run(&["push", &node.folder().join("repo.git").display().to_string(), "main"]);
    (output.status.success(), said(&output))
}

#[test]
fn a_push_with_a_failing_migration_is_refused_and_going_back_undoes_none() {
    let (node, checkout) = git_node(CONFIG);
    let (is_accepted, told) = push(&node, &checkout);
    assert!(is_accepted, "{told}");
    node.wait_for("/a", "1");
    assert_eq!(tables(&node), ["notes"]);
    checkout.commit(&[
        ("functions/a.rhai", b"2"),
        ("functions/_sql/app/0002_users.sql", b"CREATE TABLE users (id INTEGER);\nINSERT INTO nowhere VALUES (1);"),
    ]);
    let (is_accepted, told) = push(&node, &checkout);
    assert!(!is_accepted && told.contains("functions/_sql/app/0002_users.sql:2:1: error: no such table: nowhere"), "{told}");
    assert_eq!((node.get("/a").text(), tables(&node)), ("1".into(), vec!["notes".to_owned()]));

    checkout.commit(&[("functions/_sql/app/0002_users.sql", b"CREATE TABLE users (id INTEGER);")]);
    let (is_accepted, told) = push(&node, &checkout);
    assert!(is_accepted, "{told}");
    node.wait_for("/a", "2");
    assert_eq!(tables(&node), ["notes", "users"]);

    picloud(&node, &["rollback", "--reason", "prices are wrong"]);
    assert_eq!((node.get("/a").text(), tables(&node)), ("1".into(), vec!["notes".to_owned(), "users".to_owned()]));
    let status: serde_json::Value = serde_json::from_str(&picloud(&node, &["status", "--json"])).unwrap();
    let note = status["live"]["note"].as_str().unwrap();
    assert!(note.ends_with(": prices are wrong; migrations are not undone: _sql/app/0002_users.sql stays applied"), "{note}");

    // The next push goes on from there.
    checkout.commit(&[("functions/a.rhai", b"3"), ("functions/_sql/app/0003_more.sql", b"CREATE TABLE more (id INTEGER);")]);
    let (is_accepted, told) = push(&node, &checkout);
    assert!(is_accepted, "{told}");
    node.wait_for("/a", "3");
    assert_eq!(tables(&node), ["more", "notes", "users"]);
}

#[test]
fn a_push_to_a_node_on_postgres_is_tried_and_rolled_back() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fresh = runtime.block_on(Fresh::postgres());
    let (node, checkout) = git_node(&format!("[databases.app]\nurl = {:?}\n", fresh.url));
    let (is_accepted, told) = push(&node, &checkout);
    assert!(is_accepted, "{told}");
    node.wait_for("/a", "1");
    checkout.commit(&[
        ("functions/a.rhai", b"2"),
        ("functions/_sql/app/0002_b.sql", b"CREATE TABLE b (id INTEGER);\nALTER TABLE nots ADD x INTEGER;"),
    ]);
    let (is_accepted, told) = push(&node, &checkout);
    assert!(
        !is_accepted && told.contains("0002_b.sql:2:1") && told.contains("relation \"nots\" does not exist (SQLSTATE 42P01)"),
        "{told}"
    );
    assert!(!told.contains("picloud@"), "{told}");
    let tables = runtime.block_on(async {
        let pool = sqlx::PgPool::connect(&fresh.url).await.unwrap();
        sqlx::query_scalar::<_, String>("SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            .fetch_all(&pool)
            .await
            .unwrap()
    });
    assert_eq!(tables, ["_picloud_migrations", "notes"]);
}
