//! No statement waits for ever: not behind somebody's lock, and not for a server that says nothing.

use std::{sync::Arc, time::Duration};

use picloud::{
    access::TokenHash,
    audit::{Action, Actor, AuditFilter, Origin},
    capability::kv::Add,
    deployment::Following,
    function::Tree,
    store::{
        ExecutionFilter, KvFailure, KvLimits, Store, StoreError, Turn,
        kv::{KvChange, KvWrite},
    },
};
use serde_json::json;
use sqlx::Connection;

use crate::kit::store::{Fresh, NOW_US, deployment, execution, name, tree, version};

/// Longer than any statement may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does one of everything that a node asks of its database, all at once, and returns how each ended.
async fn everything(store: &Store) -> Vec<(&'static str, Result<(), Arc<StoreError>>)> {
    let (made, changes) = deployment(9, &Tree::new(), &tree(&[("a.rhai", "9")]));
    let record = Actor { who: "ann".into(), origin: Origin::Cli }.does(Action::Resume, NOW_US, json!({}));
    let filter = ExecutionFilter { limit: 9, ..ExecutionFilter::default() };
    let executions = [execution(7)];
    let (hash, following, audited) = (TokenHash::of("x"), Following::default(), AuditFilter::default());
    let asked = async {
        tokio::join!(
            store.append_executions(&executions, Turn::First),
            store.executions(&filter),
            store.prune_executions(NOW_US, 1, 1),
            store.token_by_hash(&hash, NOW_US),
            store.record_deployment(&made, &changes, None),
            store.set_following(&following, &record),
        )
    };
    let (append, list, prune, token, deploy, follow) = tokio::time::timeout(PATIENCE, asked).await.expect("each ends");
    let (namespace, key) = ("a".parse().unwrap(), "k".parse().unwrap());
    let add = KvChange::Add(Add { delta: 1, ttl: None });
    let write = KvWrite { namespace, key, change: add, now_us: NOW_US, limits: KvLimits::default(), record: None };
    let (namespace, key) = (write.namespace.clone(), write.key.clone());
    let read = async {
        tokio::join!(
            store.live(),
            store.audit(&audited),
            store.version_files(version("9")),
            store.kv_get(&namespace, &key, NOW_US),
            store.kv_write(write),
        )
    };
    let (live, audit, files, get, add) = tokio::time::timeout(PATIENCE, read).await.expect("each ends");
    let of_kv = |failure| match failure {
        KvFailure::Store(error) => error,
        KvFailure::Refused(error) => panic!("{error}"),
    };
    vec![
        ("append", append.map(drop).map_err(Arc::new)),
        ("list", list.map(drop).map_err(Arc::new)),
        ("prune", prune.map(drop).map_err(Arc::new)),
        ("token", token.map(drop).map_err(Arc::new)),
        ("deploy", deploy.map(drop).map_err(Arc::new)),
        ("follow", follow.map_err(Arc::new)),
        ("live", live.map(drop).map_err(Arc::new)),
        ("audit", audit.map(drop).map_err(Arc::new)),
        ("files", files.map(drop).map_err(Arc::new)),
        ("get", get.map(drop).map_err(of_kv)),
        ("add", add.map(drop).map_err(of_kv)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_behind_a_lock_ends_and_works_again_without_it() {
    let fresh = Fresh::postgres().await;
    let store = fresh.open().await;
    let mut other = sqlx::PgConnection::connect(&fresh.url).await.unwrap();
    let tables = "words, executions, captures, tokens, deployments, following, audit, versions, execution_sizes, kv, kv_namespaces";
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
            "append" | "prune" | "deploy" | "follow" | "add" => {
                assert!(done.as_ref().is_err_and(|error| error.is_outage()), "{what}: {done:?}")
            }
            // Readers do not wait for writers.
            _ => assert!(done.is_ok(), "{what}: {done:?}"),
        }
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    for (what, done) in everything(&store).await {
        assert!(done.is_ok(), "{what}: {done:?}");
    }
}
