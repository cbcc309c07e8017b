//! Transactions keep all or nothing.

use picloud::{
    capability::sql::{SqlErrorKind, SqlValue, Statement},
    sql::DatabaseSettings,
};

use super::{App, generous, text};
use crate::kit::store::{Fresh, on_both};

on_both! {
    a_commit_keeps_everything
    a_rollback_keeps_nothing
    a_transaction_that_is_dropped_keeps_nothing
    after_an_error_a_transaction_cannot_commit
    writers_do_not_lose_each_other_s_changes
}

async fn counted(app: &App) -> SqlValue {
    app.value("SELECT count(*) FROM t").await
}

async fn with_table(fresh: Fresh) -> App {
    let app = App::with(fresh, |settings| DatabaseSettings { connections: 2, ..settings });
    app.done("CREATE TABLE t (a INTEGER UNIQUE)").await;
    app
}

async fn a_commit_keeps_everything(fresh: Fresh) {
    let app = with_table(fresh).await;
    let mut transaction = app.begin().await;
    for a in [1, 2] {
        transaction.query(&Statement::new("INSERT INTO t VALUES ($1)", [SqlValue::Int(a)]), generous()).await.unwrap();
    }
    assert_eq!(transaction.query(&text("SELECT count(*) FROM t"), generous()).await.unwrap().rows, [[SqlValue::Int(2)]]);
    assert_eq!(counted(&app).await, SqlValue::Int(0));
    transaction.commit().await.unwrap();
    assert_eq!(counted(&app).await, SqlValue::Int(2));
}

async fn a_rollback_keeps_nothing(fresh: Fresh) {
    let app = with_table(fresh).await;
    let mut transaction = app.begin().await;
    transaction.query(&text("INSERT INTO t VALUES (1)"), generous()).await.unwrap();
    transaction.query(&text("CREATE TABLE other (a INTEGER)"), generous()).await.unwrap();
    transaction.rollback().await;
    assert_eq!(counted(&app).await, SqlValue::Int(0));
    assert_eq!(app.refused("SELECT * FROM other").await.code.as_deref(), Some("42P01"));
}

async fn a_transaction_that_is_dropped_keeps_nothing(fresh: Fresh) {
    let app = with_table(fresh).await;
    for _ in 0..5 {
        let mut transaction = app.begin().await;
        transaction.query(&text("INSERT INTO t VALUES (1)"), generous()).await.unwrap();
        drop(transaction);
        // On Postgres the server's process may still be ending, and its row is in the way until then.
        app.done("INSERT INTO t VALUES (1)").await;
        app.done("DELETE FROM t").await;
    }
}

async fn after_an_error_a_transaction_cannot_commit(fresh: Fresh) {
    let app = with_table(fresh).await;
    let mut transaction = app.begin().await;
    transaction.query(&text("INSERT INTO t VALUES (1)"), generous()).await.unwrap();
    let error = transaction.query(&text("INSERT INTO t VALUES (1)"), generous()).await.unwrap_err();
    assert_eq!(error.kind, SqlErrorKind::Constraint);
    assert_eq!(transaction.query(&text("SELECT 1"), generous()).await.unwrap_err().code.as_deref(), Some("25P02"));
    assert_eq!(transaction.commit().await.unwrap_err().code.as_deref(), Some("25P02"));
    assert_eq!(counted(&app).await, SqlValue::Int(0));
    app.done("INSERT INTO t VALUES (1)").await;
}

async fn writers_do_not_lose_each_other_s_changes(fresh: Fresh) {
    let app = with_table(fresh).await;
    app.done("INSERT INTO t VALUES (0)").await;
    let one = || async {
        let mut transaction = app.begin().await;
        transaction.query(&text("UPDATE t SET a = a + 1"), generous()).await.unwrap();
        transaction.commit().await.unwrap();
    };
    futures_util::future::join_all((0..20).map(|_| one())).await;
    assert_eq!(app.value("SELECT a FROM t").await, SqlValue::Int(20));
}
