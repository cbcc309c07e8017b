//! What scripts try, and may not do.

use picloud::{
    capability::sql::{SqlErrorKind, SqlValue, Statement},
    sql::DatabaseSettings,
};

use super::{App, text};
use crate::kit::store::{Fresh, on_both};

on_both! {
    a_text_is_one_statement
    no_statement_begins_or_ends_a_transaction
    nothing_is_left_in_a_session
}

async fn a_text_is_one_statement(fresh: Fresh) {
    let app = App::new(fresh);
    app.done("CREATE TABLE t (a TEXT)").await;
    for sql in [
        "SELECT 1; SELECT 2",
        "INSERT INTO t VALUES ('x'); DROP TABLE t",
        "SELECT ';'; DROP TABLE t;",
        "SELECT 1 /* ; */; DROP TABLE t -- ;",
        "SELECT 1\0; DROP TABLE t",
        "",
        " ; ",
        "-- nothing",
    ] {
        let error = app.refused(sql).await;
        assert_eq!((error.kind, error.code.as_deref()), (SqlErrorKind::Statement, Some("42601")), "{sql}: {error:?}");
    }
    // As many as a text can hold do not exhaust the stack.
    assert_eq!(app.refused(&"SELECT 1;".repeat(50_000)).await.kind, SqlErrorKind::Statement);
    assert_eq!(app.value("SELECT count(*) FROM t").await, SqlValue::Int(0));
    for sql in ["SELECT 'a;b'", "SELECT 1;", "SELECT 1; -- end\n", "SELECT 1 /* ; */"] {
        app.done(sql).await;
    }
}

async fn no_statement_begins_or_ends_a_transaction(fresh: Fresh) {
    let app = App::new(fresh);
    app.done("CREATE TABLE t (a INTEGER)").await;
    let mut transaction = app.begin().await;
    transaction.query(&text("INSERT INTO t VALUES (1)"), super::generous()).await.unwrap();
    for sql in [
        "BEGIN",
        "begin immediate",
        "COMMIT",
        "/* a */ commit;",
        "-- a\nEND",
        ";COMMIT",
        "\n; ;/**/BEGIN",
        "ROLLBACK",
        "SAVEPOINT a",
        "RELEASE a",
    ] {
        let error = app.refused(sql).await;
        assert_eq!((error.kind, error.code.as_deref()), (SqlErrorKind::Denied, Some("42501")), "{sql}: {error:?}");
    }
    let error = transaction.query(&text("COMMIT"), super::generous()).await.unwrap_err();
    assert!(error.hint.unwrap().contains("sql::transaction"));
    transaction.rollback().await;
    assert_eq!(app.value("SELECT count(*) FROM t").await, SqlValue::Int(0));
}

async fn nothing_is_left_in_a_session(fresh: Fresh) {
    let app = App::with(fresh, |settings| DatabaseSettings { connections: 1, ..settings });
    if app.is_sqlite() {
        for sql in ["CREATE TEMPORARY TABLE kept (a INTEGER)", "CREATE TEMP VIEW kept AS SELECT 1"] {
            assert_eq!(app.refused(sql).await.kind, SqlErrorKind::Denied, "{sql}");
        }
        return;
    }
    app.done("CREATE TEMPORARY TABLE kept (a INTEGER)").await;
    assert_eq!(app.refused("SELECT * FROM kept").await.code.as_deref(), Some("42P01"));
    let before = app.value("SHOW statement_timeout").await;
    for sql in [
        "SET statement_timeout = 0",
        "SELECT set_config('search_path', 'nowhere', false)",
        "SET SESSION AUTHORIZATION DEFAULT",
        "RESET ROLE",
        "SET TIME ZONE 'Europe/Berlin'",
        "SELECT pg_advisory_lock(1)",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    ] {
        app.done(sql).await;
    }
    assert_eq!(app.value("SHOW statement_timeout").await, before);
    assert_eq!(app.value("SHOW search_path").await, SqlValue::Text("\"$user\", public".into()));
    assert_eq!(app.value("SHOW TimeZone").await, SqlValue::Text("UTC".into()));
    assert_eq!(app.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()").await, SqlValue::Int(0));
    assert_eq!(app.value("SELECT count(*) FROM pg_cursors WHERE name = 'c'").await, SqlValue::Int(0));
}

#[tokio::test]
async fn sqlite_stays_in_its_file() {
    let app = App::new(Fresh::sqlite());
    app.done("CREATE TABLE t (a INTEGER)").await;
    let folder = app.fresh.folder.path();
    let other = folder.join("other.db");
    for sql in [
        format!("ATTACH '{}' AS other", other.display()),
        format!("ATTACH DATABASE ('{}' || '') AS other", other.display()),
        format!("VACUUM INTO '{}'", other.display()),
        "VACUUM".into(),
        "DETACH main".into(),
        "PRAGMA journal_mode = DELETE".into(),
        "PRAGMA query_only = 0".into(),
        "PRAGMA max_page_count = 1000000000".into(),
        "PRAGMA writable_schema = 1".into(),
        "PRAGMA hard_heap_limit = 1".into(),
        "PRAGMA database_list".into(),
        "SELECT * FROM pragma_database_list".into(),
        "SELECT load_extension('/lib/x.so')".into(),
        "SELECT readfile('/etc/passwd')".into(),
        "UPDATE sqlite_schema SET sql = 'x'".into(),
        "EXPLAIN ATTACH 'x' AS y".into(),
    ] {
        app.refused(&sql).await;
    }
    assert!(!other.exists());
    let mut names: Vec<_> = std::fs::read_dir(folder.join("sql")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["app.db", "app.db-shm", "app.db-wal"]);
    assert_eq!(app.refused("ATTACH 'x' AS y").await.hint.unwrap(), "another database is another grant: `[sql] database = \"…\"`");
    assert_eq!(app.done("PRAGMA table_info(t)").await.rows.len(), 1);
    assert_eq!(app.done("SELECT name FROM pragma_table_info('t')").await.rows, [[SqlValue::Text("a".into())]]);
}

#[tokio::test]
async fn a_file_of_sqlite_does_not_grow_without_end() {
    let app = App::with(Fresh::sqlite(), |settings| DatabaseSettings { file_bytes: 1 << 20, ..settings });
    app.done("CREATE TABLE t (a BLOB)").await;
    let error =
        app.refused("INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT zeroblob(10000) FROM n").await;
    assert_eq!((error.kind, error.code.as_deref()), (SqlErrorKind::Unavailable, Some("53100")), "{error:?}");
    assert_eq!(app.value("SELECT count(*) FROM t").await, SqlValue::Int(0));
}

#[tokio::test]
async fn a_value_of_sqlite_is_bounded_before_it_is_made() {
    let app = App::new(Fresh::sqlite());
    for sql in [
        "SELECT randomblob(1000000000)",
        "SELECT length(replace(hex(zeroblob(4000000)), '0', '0123456789'))",
        "WITH RECURSIVE n(t) AS (SELECT 'ab' UNION ALL SELECT t || t FROM n) SELECT length(t) FROM n",
    ] {
        assert_eq!(app.refused(sql).await.kind, SqlErrorKind::TooLarge, "{sql}");
    }
}

#[tokio::test]
async fn a_role_of_postgres_is_the_limit() {
    let fresh = Fresh::postgres().await;
    let owner = App::new(fresh);
    let role = format!("role_{}", uuid::Uuid::now_v7().simple());
    owner.done(&format!("CREATE ROLE {role} LOGIN")).await;
    owner.done("CREATE TABLE secrets (a TEXT)").await;
    let url = owner.fresh.url.replace("picloud@", &format!("{role}@"));
    let app = App::new(Fresh { url, folder: tempfile::TempDir::new().unwrap() });
    for sql in [
        "SELECT * FROM secrets",
        "SET ROLE picloud",
        "SET SESSION AUTHORIZATION picloud",
        "CREATE TABLE public.mine (a TEXT)",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'picloud'",
        "COPY secrets TO PROGRAM 'id'",
    ] {
        let error = app.refused(sql).await;
        assert_eq!(error.kind, SqlErrorKind::Denied, "{sql}: {error:?}");
    }
    for sql in ["RESET ROLE", "SET SESSION AUTHORIZATION DEFAULT", "SET ROLE NONE"] {
        app.done(sql).await;
        assert_eq!(app.value("SELECT CAST(current_user AS text)").await, SqlValue::Text(role.clone()));
    }
    drop(app);
    let statement = Statement::new("SELECT 1", []);
    assert!(owner.run(&statement).await.is_ok());
}

#[tokio::test]
async fn what_would_take_a_connection_over_is_refused() {
    let app = App::new(Fresh::postgres().await);
    for sql in [
        "COPY pg_class TO STDOUT",
        "COPY pg_class FROM STDIN",
        "LISTEN x",
        "PREPARE a AS SELECT 1",
        "DEALLOCATE ALL",
        "DISCARD ALL",
        ";COPY pg_class TO STDOUT",
    ] {
        assert_eq!(app.refused(sql).await.kind, SqlErrorKind::Denied, "{sql}");
    }
    // A function can do it all the same. The connection is not used again.
    app.done("CREATE FUNCTION forget() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$").await;
    for _ in 0..3 {
        let _ = app.run(&text("SELECT forget()")).await;
        let _ = app.run(&text("SELECT 1")).await;
    }
    assert_eq!(app.value("SELECT 1").await, SqlValue::Int(1));
}
