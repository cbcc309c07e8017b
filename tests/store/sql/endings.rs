//! Statements end: with their run, with their caller, with their server.

use std::time::Duration;

use picloud::{
    cancel::CancelFlag,
    capability::sql::{Databases as _, SqlErrorKind, SqlValue, StatementBounds},
    clock::monotonic,
    sql::DatabaseSettings,
};

use super::{App, app_name, bounds, generous, text};
use crate::kit::{
    proxy::Proxy,
    store::{Fresh, on_both},
};

on_both! {
    a_statement_ends_with_its_run
    a_statement_whose_caller_went_away_does_not_go_on
    a_transaction_ends_with_its_run
    a_statement_ends_at_the_database_s_own_limit
    who_waits_for_a_connection_waits_no_longer_than_its_run
}

/// Works for ever.
const FOR_EVER: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n";
/// The same, and would change something.
const WRITE_FOR_EVER: &str = "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n";

async fn one_connection(fresh: Fresh) -> App {
    let app = App::with(fresh, |settings| DatabaseSettings { connections: 1, ..settings });
    app.done("CREATE TABLE t (a INTEGER)").await;
    app
}

async fn a_statement_ends_with_its_run(fresh: Fresh) {
    let app = one_connection(fresh).await;
    for sql in [FOR_EVER, WRITE_FOR_EVER] {
        let error = app.databases.query(&app_name(), &text(sql), bounds(Duration::from_millis(200))).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_deref()), (SqlErrorKind::Timeout, Some("57014")), "{error:?}");
        // The only connection is free again.
        assert_eq!(app.value("SELECT count(*) FROM t").await, SqlValue::Int(0));
    }
}

async fn a_statement_whose_caller_went_away_does_not_go_on(fresh: Fresh) {
    let app = one_connection(fresh).await;
    for sql in [FOR_EVER, WRITE_FOR_EVER] {
        let cancel = CancelFlag::default();
        let bounds = StatementBounds { cancel: cancel.clone(), ..generous() };
        let goes = std::thread::spawn(move || {
            std::thread::park_timeout(Duration::from_millis(200));
            cancel.set();
        });
        let (name, statement) = (app_name(), text(sql));
        let query = app.databases.query(&name, &statement, bounds);
        if app.is_sqlite() {
            assert_eq!(query.await.unwrap_err().kind, SqlErrorKind::Timeout);
        } else {
            assert!(tokio::time::timeout(Duration::from_millis(200), query).await.is_err());
        }
        goes.join().unwrap();
        // With one place and a statement that works for ever this would wait for ever.
        app.done("INSERT INTO t VALUES (1)").await;
        app.done("DELETE FROM t").await;
    }
    if !app.is_sqlite() {
        let working = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'WITH RECURSIVE%' AND datname = current_database()";
        while app.value(working).await != SqlValue::Int(0) {}
    }
}

async fn a_transaction_ends_with_its_run(fresh: Fresh) {
    let app = one_connection(fresh).await;
    let mut transaction = app.databases.begin(&app_name(), monotonic() + Duration::from_millis(300), &CancelFlag::default()).await.unwrap();
    transaction.query(&text("INSERT INTO t VALUES (1)"), generous()).await.unwrap();
    assert_eq!(transaction.query(&text(FOR_EVER), generous()).await.unwrap_err().kind, SqlErrorKind::Timeout);
    assert!(transaction.commit().await.is_err());
    assert_eq!(app.value("SELECT count(*) FROM t").await, SqlValue::Int(0));
}

async fn a_statement_ends_at_the_database_s_own_limit(fresh: Fresh) {
    let app = App::with(fresh, |settings| DatabaseSettings { statement_timeout: Duration::from_millis(200), ..settings });
    assert_eq!(app.refused(FOR_EVER).await.kind, SqlErrorKind::Timeout);
    assert_eq!(app.value("SELECT 1").await, SqlValue::Int(1));
}

async fn who_waits_for_a_connection_waits_no_longer_than_its_run(fresh: Fresh) {
    let app = one_connection(fresh).await;
    let transaction = app.begin().await;
    let short = StatementBounds { deadline: monotonic() + Duration::from_millis(100), ..generous() };
    let error = app.databases.query(&app_name(), &text("INSERT INTO t VALUES (1)"), short).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (SqlErrorKind::Unavailable, Some("53300")));
    transaction.rollback().await;
    app.done("INSERT INTO t VALUES (1)").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_and_comes_back_is_used_again() {
    let fresh = Fresh::postgres().await;
    let (proxy, through) = Proxy::before(&fresh.url).await;
    let app = App::new(Fresh { url: through, folder: tempfile::TempDir::new().unwrap() });
    app.done("CREATE TABLE t (a INTEGER)").await;
    let mut transaction = app.begin().await;
    transaction.query(&text("INSERT INTO t VALUES (1)"), generous()).await.unwrap();
    proxy.cut();
    let error = transaction.query(&text("INSERT INTO t VALUES (2)"), generous()).await.unwrap_err();
    assert_eq!(error.kind, SqlErrorKind::Unavailable);
    assert_eq!(error.message, "the database `app` does not answer");
    assert!(transaction.commit().await.is_err());
    assert_eq!(app.refused("SELECT 1").await.kind, SqlErrorKind::Unavailable);
    proxy.restore();
    assert_eq!(app.value("SELECT count(*) FROM t").await, SqlValue::Int(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_connections_is_connected_to_again() {
    let fresh = Fresh::postgres().await;
    let other = App::new(Fresh { url: fresh.url.clone(), folder: tempfile::TempDir::new().unwrap() });
    let app = App::new(fresh);
    for _ in 0..3 {
        app.done("SELECT 1").await;
        // It waits until they have gone: else a statement may still go well, and the next one fail.
        let end =
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        other.done(end).await;
        // The first that notices fails, and takes the others with it.
        let mut tries = 0;
        while app.run(&text("SELECT 1")).await.is_err() {
            tries += 1;
            assert!(tries < 10);
        }
        assert!(tries <= 1, "{tries}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_an_answer_is_told_as_such() {
    let fresh = Fresh::postgres().await;
    let (proxy, through) = Proxy::before(&fresh.url).await;
    let app = App::new(Fresh { url: through, folder: tempfile::TempDir::new().unwrap() });
    let mut transaction = app.databases.begin(&app_name(), monotonic() + Duration::from_secs(2), &CancelFlag::default()).await.unwrap();
    transaction.query(&text("CREATE TABLE t (a INTEGER)"), generous()).await.unwrap();
    proxy.hold();
    let error = transaction.commit().await.unwrap_err();
    assert!(error.message.ends_with("whether the transaction was committed is not known"), "{error:?}");
}
