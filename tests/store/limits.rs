//! No statement waits for ever: not behind somebody's lock, and not for a server that says nothing.

use std::time::Duration;

use picloud::{
    access::TokenHash,
    audit::{Action, Actor, AuditFilter, Origin},
    deployment::Following,
    function::Tree,
    store::{ExecutionFilter, Store, StoreError},
};
use serde_json::json;
use sqlx::Connection;

use crate::kit::store::{Fresh, NOW_US, deployment, execution, name, tree, version};

/// Longer than any statement may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does one of everything that a node asks of its database, all at once, and returns how each ended.
async fn everything(store: &Store) -> Vec<(&'static str, Result<(), StoreError>)> {
    let (made, changes) = deployment(9, &Tree::new(), &tree(&[("a.rhai", "9")]));
    let record = Actor { who: "ann".into(), origin: Origin::Cli }.does(Action::Resume, NOW_US, json!({}));
    let filter = ExecutionFilter { limit: 9, ..ExecutionFilter::default() };
    let executions = [execution(7)];
    let (hash, following, audited) = (TokenHash::of("x"), Following::default(), AuditFilter::default());
    let asked = async {
        tokio::join!(
            store.append_executions(&executions),
            store.executions(&filter),
            store.prune_executions(NOW_US, 1, 1),
            store.token_by_hash(&hash, NOW_US),
            store.record_deployment(&made, &changes, None),
            store.set_following(&following, &record),
        )
    };
    let (append, list, prune, token, deploy, follow) = tokio::time::timeout(PATIENCE, asked).await.expect("each ends");
    let read = async { tokio::join!(store.live(), store.audit(&audited), store.version_files(version("9"))) };
    let (live, audit, files) = tokio::time::timeout(PATIENCE, read).await.expect("each ends");
    vec![
        ("append", append.map(drop)),
        ("list", list.map(drop)),
        ("prune", prune.map(drop)),
        ("token", token.map(drop)),
        ("deploy", deploy.map(drop)),
        ("follow", follow),
        ("live", live.map(drop)),
        ("audit", audit.map(drop)),
        ("files", files.map(drop)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_behind_a_lock_ends_and_works_again_without_it() {
    let fresh = Fresh::postgres().await;
    let store = fresh.open().await;
    let mut other = sqlx::PgConnection::connect(&fresh.url).await.unwrap();
    let tables = "words, executions, captures, tokens, deployments, following, audit, versions, execution_sizes";
    let lock = format!("BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE");
    sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut other).await.unwrap();
    for (what, done) in everything(&store).await {
        let error = done.expect_err(what);
        assert!(error.is_outage(), "{what}: {error:?}");
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    for (what, done) in everything(&store).await {
        assert!(done.is_ok(), "{what}: {done:?}");
    }
    assert_eq!(store.versions_of(&name("a")).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gets_no_answer_ends_and_works_again_with_one() {
    let fresh = Fresh::postgres().await;
    let (proxy, url) = crate::kit::proxy::Proxy::before(&fresh.url).await;
    let store = Store::open(&url, fresh.folder.path()).await.unwrap();
    // Every connection of the pool is there, and none hears anything any more.
    for (what, done) in everything(&store).await {
        assert!(done.is_ok(), "{what}: {done:?}");
    }
    proxy.hold();
    for (what, done) in everything(&store).await {
        let error = done.expect_err(what);
        assert!(error.is_outage(), "{what}: {error:?}");
    }
    proxy.restore();
    let answers = async { while store.live().await.is_err() {} };
    tokio::time::timeout(PATIENCE, answers).await.expect("new connections take the place of those that hang");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_another_writer_to_a_file_ends_and_works_again_without_it() {
    let fresh = Fresh::sqlite();
    let store = fresh.open().await;
    let mut other = sqlx::SqliteConnection::connect(fresh.sqlite_file().to_str().unwrap()).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let done = everything(&store).await;
    for (what, done) in done {
        match what {
            "append" | "prune" | "deploy" | "follow" => assert!(done.as_ref().is_err_and(StoreError::is_outage), "{what}: {done:?}"),
            // Readers do not wait for writers.
            _ => assert!(done.is_ok(), "{what}: {done:?}"),
        }
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    for (what, done) in everything(&store).await {
        assert!(done.is_ok(), "{what}: {done:?}");
    }
}
