//! Statements, their rows, and the limits of an answer.

use picloud::{
    capability::sql::{Databases as _, SqlErrorKind, SqlValue, Statement, StatementBounds},
    function::Position,
    sql::{AnswerLimits, DatabaseSettings},
};

use super::{App, app_name, generous, text};
use crate::kit::store::{Fresh, on_both};

on_both! {
    rows_come_back_as_they_were_written
    an_error_says_its_state_and_its_place
    a_broken_constraint_is_named
    two_columns_of_one_name_are_refused
    an_answer_has_so_many_rows_at_most
    an_answer_has_so_many_bytes_at_most
    parameters_are_counted
    a_database_that_nobody_configured_is_told
    many_at_once_wait_for_their_turn
    a_statement_sees_a_table_that_has_changed
}

async fn rows_come_back_as_they_were_written(fresh: Fresh) {
    let app = App::new(fresh);
    app.done("CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL)").await;
    let insert = |id, title: &str| {
        Statement::new("INSERT INTO notes (id, title) VALUES ($1, $2)", [SqlValue::Int(id), SqlValue::Text(title.into())])
    };
    for (id, title) in [(1, "one"), (2, "two'; DROP TABLE notes; --")] {
        assert_eq!(app.run(&insert(id, title)).await.unwrap().affected, 1);
    }
    let found = app.done("SELECT id, title FROM notes ORDER BY id").await;
    assert_eq!(found.columns, ["id", "title"]);
    assert_eq!(
        found.rows,
        [[SqlValue::Int(1), SqlValue::Text("one".into())], [SqlValue::Int(2), SqlValue::Text("two'; DROP TABLE notes; --".into())]]
    );
    assert_eq!(found.affected, 2);
    let changed = app
        .run(&Statement::new("UPDATE notes SET title = $2 WHERE id > $1 RETURNING id", [SqlValue::Int(0), SqlValue::Text("x".into())]))
        .await
        .unwrap();
    assert_eq!((changed.rows.len(), changed.affected), (2, 2));
    assert_eq!(app.done("-- gone\nDELETE FROM notes WHERE id = 1").await.affected, 1);
    assert_eq!(app.done("ALTER TABLE notes ADD COLUMN body TEXT").await.affected, 0);
    assert_eq!(app.value("WITH a AS (SELECT 1) SELECT count(*) FROM notes").await, SqlValue::Int(1));
}

async fn an_error_says_its_state_and_its_place(fresh: Fresh) {
    let app = App::new(fresh);
    for (sql, code, position) in [
        ("SELECT 1\nFROM WHERE", "42601", None),
        ("SELECT *\nFROM nowhere", "42P01", None),
        ("SELECT\n é FROM (SELECT 1 AS a) AS b", "42703", Some(Position { line: 2, column: 2 })),
        ("SELEC 1", "42601", Some(Position { line: 1, column: 1 })),
    ] {
        let error = app.refused(sql).await;
        assert_eq!((error.kind, error.code.as_deref()), (SqlErrorKind::Statement, Some(code)), "{sql}: {error:?}");
        if position.is_some() {
            assert_eq!(error.position, position, "{sql}: {error:?}");
        }
    }
    assert!(!format!("{:?}", app.refused("SELECT * FROM nowhere").await).contains("picloud@"));
}

async fn a_broken_constraint_is_named(fresh: Fresh) {
    let app = App::new(fresh);
    app.done("CREATE TABLE users (name TEXT NOT NULL UNIQUE, age INTEGER CONSTRAINT adult CHECK (age > 17))").await;
    app.done("INSERT INTO users VALUES ('ann', 20)").await;
    for (sql, code) in [
        ("INSERT INTO users VALUES ('ann', 20)", "23505"),
        ("INSERT INTO users VALUES (NULL, 20)", "23502"),
        ("INSERT INTO users VALUES ('bob', 3)", "23514"),
    ] {
        let error = app.refused(sql).await;
        assert_eq!((error.kind, error.code.as_deref()), (SqlErrorKind::Constraint, Some(code)), "{error:?}");
    }
    let error = app.refused("INSERT INTO users VALUES ('bob', 3)").await;
    assert_eq!(error.constraint.as_deref(), Some("adult"));
    assert_eq!(app.value("SELECT count(*) FROM users").await, SqlValue::Int(1));
}

async fn two_columns_of_one_name_are_refused(fresh: Fresh) {
    let app = App::new(fresh);
    app.done("CREATE TABLE notes (id INTEGER, title TEXT)").await;
    app.done("INSERT INTO notes VALUES (1, 'one')").await;
    for sql in [
        "SELECT * FROM notes AS a JOIN notes AS b ON a.id = b.id",
        "SELECT id, title AS id FROM notes",
        "INSERT INTO notes VALUES (2, 'two') RETURNING id, id",
        "UPDATE notes SET title = 'x' RETURNING title AS id, id",
    ] {
        let error = app.refused(sql).await;
        assert_eq!((error.kind, error.code.as_deref()), (SqlErrorKind::Statement, Some("42701")), "{sql}: {error:?}");
        assert_eq!(error.message, "two columns of the answer have the name `id`");
        assert_eq!(error.hint.as_deref(), Some("give one of them another name with `AS`"));
    }
    // Nothing of the changes stays.
    assert_eq!(app.done("SELECT id, title FROM notes").await.rows, [[SqlValue::Int(1), SqlValue::Text("one".into())]]);
    app.done("SELECT a.id, b.id AS other FROM notes AS a JOIN notes AS b ON a.id = b.id").await;
}

const COUNT: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT i FROM n";

async fn an_answer_has_so_many_rows_at_most(fresh: Fresh) {
    let app = App::new(fresh);
    let count = |rows| Statement::new(COUNT.replace("$1", "CAST($1 AS integer)"), [SqlValue::Int(rows)]);
    assert_eq!(app.run(&count(10_000)).await.unwrap().rows.len(), 10_000);
    for rows in [10_001, 1_000_000_000] {
        let error = app.run(&count(rows)).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (SqlErrorKind::TooLarge, "the answer has more than 10000 rows"));
    }
    // Also of a change: nothing of it stays.
    app.done("CREATE TABLE many (i INTEGER)").await;
    let change =
        "INSERT INTO many WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001) SELECT i FROM n RETURNING i";
    assert_eq!(app.refused(change).await.kind, SqlErrorKind::TooLarge);
    assert_eq!(app.value("SELECT count(*) FROM many").await, SqlValue::Int(0));
}

async fn an_answer_has_so_many_bytes_at_most(fresh: Fresh) {
    let app = App::with(fresh, |settings| DatabaseSettings { answer: AnswerLimits { rows: 10, bytes: 100_000 }, ..settings });
    let of = |bytes: usize| {
        if app.is_sqlite() { format!("SELECT hex(zeroblob({}))", bytes / 2) } else { format!("SELECT repeat('x', {bytes})") }
    };
    assert!(app.run(&text(&of(90_000))).await.is_ok());
    for bytes in [100_000, 10_000_000] {
        assert_eq!(app.refused(&of(bytes)).await.kind, SqlErrorKind::TooLarge);
    }
    let small = StatementBounds { bytes: 50_000, ..generous() };
    assert_eq!(app.databases.query(&app_name(), &text(&of(90_000)), small).await.unwrap_err().kind, SqlErrorKind::TooLarge);
    // The connection is used again, or another takes its place.
    assert_eq!(app.value("SELECT 1").await, SqlValue::Int(1));
}

async fn parameters_are_counted(fresh: Fresh) {
    let app = App::new(fresh);
    let swapped =
        Statement::new("SELECT CAST($2 AS text) AS a, CAST($1 AS text) AS b", [SqlValue::Text("a".into()), SqlValue::Text("b".into())]);
    assert_eq!(app.run(&swapped).await.unwrap().rows, [[SqlValue::Text("b".into()), SqlValue::Text("a".into())]]);
    for (sql, values, message) in [
        ("SELECT CAST($1 AS text)", vec![], "the statement has 1 parameters, and 0 values are given"),
        ("SELECT 1", vec![SqlValue::Int(1)], "the statement has 0 parameters, and 1 values are given"),
    ] {
        let error = app.run(&Statement::new(sql, values)).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (SqlErrorKind::Statement, message));
    }
}

async fn a_database_that_nobody_configured_is_told(fresh: Fresh) {
    let app = App::new(fresh);
    assert_eq!(app.databases.names(), [app_name()]);
    let error = app.databases.query(&"ap".parse().unwrap(), &text("SELECT 1"), generous()).await.unwrap_err();
    assert_eq!((error.kind, error.hint.as_deref()), (SqlErrorKind::NoDatabase, Some("did you mean `app`?")));
}

async fn many_at_once_wait_for_their_turn(fresh: Fresh) {
    let app = App::with(fresh, |settings| DatabaseSettings { connections: 3, ..settings });
    app.done("CREATE TABLE counter (n INTEGER)").await;
    app.done("INSERT INTO counter VALUES (0)").await;
    let one = || async {
        app.done("UPDATE counter SET n = n + 1").await;
        app.done("SELECT n FROM counter").await;
    };
    futures_util::future::join_all((0..60).map(|_| one())).await;
    assert_eq!(app.value("SELECT n FROM counter").await, SqlValue::Int(60));
}

async fn a_statement_sees_a_table_that_has_changed(fresh: Fresh) {
    let app = App::with(fresh, |settings| DatabaseSettings { connections: 2, ..settings });
    app.done("CREATE TABLE t (a INTEGER)").await;
    app.done("INSERT INTO t VALUES (1)").await;
    assert_eq!(app.done("SELECT * FROM t").await.columns, ["a"]);
    app.done("ALTER TABLE t ADD COLUMN b TEXT").await;
    assert_eq!(app.done("SELECT * FROM t").await.columns, ["a", "b"]);
    // Also one whose parameter has another type now.
    let insert = |value| Statement::new("INSERT INTO t (a) VALUES ($1)", [value]);
    app.run(&insert(SqlValue::Int(1))).await.unwrap();
    app.done("DROP TABLE t").await;
    app.done("CREATE TABLE t (a TEXT)").await;
    app.run(&insert(SqlValue::Text("x".into()))).await.unwrap();
    assert_eq!(app.value("SELECT a FROM t").await, SqlValue::Text("x".into()));
}
