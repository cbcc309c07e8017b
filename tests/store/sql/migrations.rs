//! Migrations: checked without a trace, applied once, never changed.

use picloud::{
    capability::sql::{MigrationError, Migrations as _, SqlErrorKind, SqlValue},
    function::{Diagnostic, Tree},
};

use super::App;
use crate::kit::store::{Fresh, on_both, tree};

on_both! {
    migrations_are_applied_once_and_in_order
    a_check_leaves_nothing
    a_mistake_is_told_with_its_place_and_later_ones_wait
    a_migration_is_applied_whole_or_not_at_all
    what_was_applied_does_not_change
    two_nodes_apply_each_migration_once
    what_cannot_be_undone_is_no_migration
}

const FIRST: (&str, &str) = (
    "_sql/app/0001_notes.sql",
    "-- the table\nCREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT);\nINSERT INTO notes VALUES (1, 'a;b');",
);
const SECOND: (&str, &str) = ("_sql/app/0002_body.sql", "ALTER TABLE notes ADD COLUMN body TEXT");

async fn applied(app: &App, tree: &Tree) -> Vec<String> {
    app.databases.apply(tree).await.unwrap().iter().map(ToString::to_string).collect()
}

async fn wrong(app: &App, tree: &Tree) -> Vec<Diagnostic> {
    match app.databases.apply(tree).await {
        Err(MigrationError::Wrong(found)) => found,
        other => panic!("{other:?}"),
    }
}

async fn migrations_are_applied_once_and_in_order(fresh: Fresh) {
    let app = App::new(fresh);
    assert_eq!(applied(&app, &tree(&[FIRST])).await, [FIRST.0]);
    assert_eq!(applied(&app, &tree(&[FIRST, SECOND])).await, [SECOND.0]);
    assert_eq!(applied(&app, &tree(&[FIRST, SECOND])).await, [""; 0]);
    // An earlier tree undoes nothing.
    assert_eq!(applied(&app, &tree(&[FIRST])).await, [""; 0]);
    assert_eq!(app.done("SELECT * FROM notes").await.columns, ["id", "title", "body"]);
    let known = app.done("SELECT number, name FROM _picloud_migrations ORDER BY number").await.rows;
    assert_eq!(known[1], [SqlValue::Int(2), SqlValue::Text("0002_body.sql".into())]);
}

async fn a_check_leaves_nothing(fresh: Fresh) {
    let app = App::new(fresh);
    assert_eq!(app.databases.check(&tree(&[FIRST, SECOND])).await.unwrap(), []);
    assert_eq!(app.refused("SELECT * FROM notes").await.code.as_deref(), Some("42P01"));
    assert_eq!(app.refused("SELECT * FROM _picloud_migrations").await.code.as_deref(), Some("42P01"));
}

async fn a_mistake_is_told_with_its_place_and_later_ones_wait(fresh: Fresh) {
    let app = App::new(fresh);
    let bad = ("_sql/app/0002_bad.sql", "INSERT INTO notes VALUES (2, 'x');\n\n  SELEC 1;");
    let third = ("_sql/app/0003_third.sql", "SELECT 1");
    let tree = tree(&[FIRST, bad, third]);
    for found in [app.databases.check(&tree).await.unwrap(), wrong(&app, &tree).await] {
        let places: Vec<_> = found.iter().map(|found| (&*found.file, found.position.map(|at| (at.line, at.column)))).collect();
        assert_eq!(places, [(third.0, None), (bad.0, Some((3, 3)))], "{found:?}");
        assert!(found[1].message.contains("syntax error") && found[1].message.ends_with("(SQLSTATE 42601)"), "{found:?}");
    }
    // The one before was right.
    assert_eq!(app.value("SELECT count(*) FROM notes").await, SqlValue::Int(1));
}

async fn a_migration_is_applied_whole_or_not_at_all(fresh: Fresh) {
    let app = App::new(fresh);
    let half = ("_sql/app/0001_half.sql", "CREATE TABLE a (x INTEGER UNIQUE);\nINSERT INTO a VALUES (1);\nINSERT INTO a VALUES (1);");
    let found = wrong(&app, &tree(&[half])).await;
    assert_eq!(found[0].position.map(|at| (at.line, at.column)), Some((3, 1)), "{found:?}");
    assert_eq!(app.refused("SELECT * FROM a").await.code.as_deref(), Some("42P01"));
    // Mended, it goes through.
    assert_eq!(applied(&app, &tree(&[("_sql/app/0001_half.sql", "CREATE TABLE a (x INTEGER)")])).await.len(), 1);
}

async fn what_was_applied_does_not_change(fresh: Fresh) {
    let app = App::new(fresh);
    applied(&app, &tree(&[FIRST])).await;
    let changed = tree(&[(FIRST.0, "CREATE TABLE notes (id INTEGER)"), SECOND]);
    for found in [app.databases.check(&changed).await.unwrap(), wrong(&app, &changed).await] {
        let own = found.iter().find(|found| &*found.file == FIRST.0).unwrap();
        assert_eq!(own.message, "this migration was applied to `app` with another content, and cannot change any more");
        assert!(own.hint.as_ref().unwrap().contains("`_sql/app/0003_NAME.sql`"));
    }
    assert_eq!(app.done("SELECT * FROM notes").await.columns, ["id", "title"]);
}

async fn two_nodes_apply_each_migration_once(fresh: Fresh) {
    let folder = fresh.folder.path().to_owned();
    let other = App::at(Fresh { url: fresh.url.clone(), folder: tempfile::TempDir::new().unwrap() }, &folder);
    let one = App::new(fresh);
    let files: Vec<(String, String)> =
        (1..=8).map(|n| (format!("_sql/app/{n:04}_t.sql"), format!("CREATE TABLE t{n} (a INTEGER)"))).collect();
    let tree = tree(&files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>());
    let (a, b) = tokio::join!(one.databases.apply(&tree), other.databases.apply(&tree));
    assert_eq!(a.unwrap().len() + b.unwrap().len(), 8);
}

async fn what_cannot_be_undone_is_no_migration(fresh: Fresh) {
    let app = App::new(fresh);
    for (text, what) in [
        ("CREATE TABLE a (x INTEGER);\nCOMMIT;\nDROP TABLE a", "transaction"),
        ("BEGIN;", "transaction"),
        ("CREATE TABLE a (x INTEGER);\nVACUUM", ""),
        ("SELECT $1", "parameter"),
    ] {
        let tree = tree(&[("_sql/app/0001_a.sql", text)]);
        let found = app.databases.check(&tree).await.unwrap();
        let told = format!("{} {}", found[0].message, found[0].hint.clone().unwrap_or_default());
        assert!(told.contains(what), "{text}: {told}");
        assert_eq!(wrong(&app, &tree).await.len(), 1);
        assert_eq!(app.refused("SELECT * FROM a").await.code.as_deref(), Some("42P01"));
    }
    if !app.is_sqlite() {
        let concurrently = tree(&[("_sql/app/0001_a.sql", "CREATE TABLE a (x INTEGER);\nCREATE INDEX CONCURRENTLY i ON a (x)")]);
        let found = app.databases.check(&concurrently).await.unwrap();
        assert!(found[0].message.contains("CONCURRENTLY") && found[0].hint.as_ref().unwrap().contains("by hand"), "{found:?}");
        assert_eq!(found[0].position.unwrap().line, 2);
    }
}

#[tokio::test]
async fn a_failure_on_rows_that_are_there_is_found_on_postgres_before_the_push() {
    let app = App::new(Fresh::postgres().await);
    app.databases.apply(&tree(&[FIRST])).await.unwrap();
    app.done("INSERT INTO notes VALUES (2, 'a;b')").await;
    let unique = ("_sql/app/0002_unique.sql", "CREATE UNIQUE INDEX titles ON notes (title)");
    let found = app.databases.check(&tree(&[FIRST, unique])).await.unwrap();
    assert!(found[0].message.ends_with("(SQLSTATE 23505)"), "{found:?}");
}

#[tokio::test]
async fn a_server_that_is_away_is_no_mistake() {
    let app = App::new(Fresh { url: "postgres://ann:hunter2@127.0.0.1:1/app".into(), folder: tempfile::TempDir::new().unwrap() });
    let error = app.databases.check(&tree(&[FIRST])).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (SqlErrorKind::Unavailable, "the database `app` does not answer"));
    assert!(matches!(app.databases.apply(&tree(&[FIRST])).await, Err(MigrationError::Unavailable(_))));
}

#[tokio::test]
async fn a_statement_is_compared_with_the_tables_that_migrations_make() {
    let app = App::new(Fresh::sqlite());
    let name = super::app_name();
    let fits_after = |migrations: &[_], text: &str| app.databases.fit(&tree(migrations), &[(&name, text)]).remove(0);
    let fits = |text: &str| fits_after(&[FIRST], text);
    fits("SELECT title FROM notes WHERE id = $1").unwrap();
    fits("INSERT INTO notes (id) VALUES (?)").unwrap();
    let error = fits("SELECT id,\n  titel FROM notes").unwrap_err();
    assert_eq!((error.code.as_deref(), error.position.map(|at| (at.line, at.column))), (Some("42703"), Some((2, 3))));
    assert_eq!(fits("SELECT * FROM nots").unwrap_err().code.as_deref(), Some("42P01"));
    assert_eq!(fits("ATTACH 'x' AS y").unwrap_err().kind, SqlErrorKind::Denied);
    assert_eq!(fits("SELECT 1; SELECT 2").unwrap_err().code.as_deref(), Some("42601"));
    fits_after(&[FIRST, SECOND], "SELECT body FROM notes").unwrap();
    // Without migrations nobody knows the tables, and everybody the grammar.
    fits_after(&[], "SELECT * FROM nots").unwrap();
    assert_eq!(fits_after(&[], "SELEC * FROM nots").unwrap_err().code.as_deref(), Some("42601"));
    // No file is made for it.
    assert!(!app.fresh.folder.path().join("sql").exists());
}
