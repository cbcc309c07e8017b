//! Opening a store: the first time, again, for reading, and when that does not work.

use std::{error::Error, time::Duration};

use picloud::{
    clock::monotonic,
    execution::Execution,
    store::{ExecutionFilter, RecordOutcome, Store, Turn},
};

use crate::kit::store::{Fresh, deployment, execution, on_both, tree};

on_both! {
    a_reader_needs_a_database_and_changes_nothing
    a_newer_schema_is_refused_with_a_hint
}

async fn a_reader_needs_a_database_and_changes_nothing(fresh: Fresh) {
    let nothing = Store::open_read_only(&fresh.url, fresh.folder.path()).await.unwrap_err();
    assert!(nothing.to_string().starts_with("there is no database at `"), "{nothing}");
    assert!(nothing.to_string().ends_with(" yet\n  hint: `picloud serve` makes it"), "{nothing}");
    assert!(!nothing.is_outage());
    let store = fresh.open().await;
    store.append_executions(&[execution(1)], Turn::First).await.unwrap();
    let reader = Store::open_read_only(&fresh.url, fresh.folder.path()).await.unwrap();
    store.append_executions(&[execution(2)], Turn::First).await.unwrap();
    assert_eq!(reader.executions(&ExecutionFilter { limit: 9, ..ExecutionFilter::default() }).await.unwrap(), [execution(2), execution(1)]);
    assert!(reader.append_executions(&[execution(3)], Turn::First).await.is_err());
    store.close().await;
    assert_eq!(Store::open_read_only(&fresh.url, fresh.folder.path()).await.unwrap().execution(execution(3).id).await.unwrap(), None);
}

async fn a_newer_schema_is_refused_with_a_hint(fresh: Fresh) {
    fresh.open().await.close().await;
    let newer = "UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
    if fresh.url == "sqlite" {
        let pool = sqlx::SqlitePool::connect(fresh.sqlite_file().to_str().unwrap()).await.unwrap();
        sqlx::query(newer).execute(&pool).await.unwrap();
        pool.close().await;
    } else {
        sqlx::query(newer).execute(&sqlx::PgPool::connect(&fresh.url).await.unwrap()).await.unwrap();
    }
    let error = Store::open_read_only(&fresh.url, fresh.folder.path()).await.unwrap_err().to_string();
    let needed = picloud::store::transfer::last_schema();
    assert!(
        error.contains(&format!("has schema 9999, this program needs {needed}\n  hint: use the program that the node runs")),
        "{error}"
    );
    assert!(Store::open(&fresh.url, fresh.folder.path()).await.is_err());
}

#[tokio::test]
async fn a_server_that_refuses_is_an_outage_at_once_and_shows_no_password() {
    let begun = monotonic();
    let folder = tempfile::tempdir().unwrap();
    let error = Store::open("postgres://ann:hunter2@127.0.0.1:1/cloud", folder.path()).await.unwrap_err();
    assert!(error.is_outage());
    assert_eq!(error.to_string(), "cannot connect to `cloud` on postgres at 127.0.0.1:1");
    assert!(!format!("{error:?} {}", error.source().unwrap()).contains("hunter2"));
    let told = format!("{:#}", anyhow::Error::new(error));
    let why = "Connection refused (os error 111)\n  hint: start the server, or name the one that runs: `postgres://USER@HOST:PORT/NAME`";
    assert_eq!(told, format!("cannot connect to `cloud` on postgres at 127.0.0.1:1: {why}"), "the cause is told once");
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_server_that_lets_nobody_in_says_why_once() {
    let fresh = Fresh::postgres().await;
    let (base, name) = fresh.url.rsplit_once('/').unwrap();
    let nobody = base.replace("picloud@", "nobody@");
    for (url, why) in [
        (format!("{base}/{name}_not"), format!("database \"{name}_not\" does not exist\n  hint: make it: `createdb --owner=USER NAME`")),
        (
            format!("{nobody}/{name}"),
            "role \"nobody\" does not exist\n  hint: name the database user in the URL (`postgres://USER@…`); with `peer` it is the system user \
             that the node runs as"
                .into(),
        ),
    ] {
        let error = Store::open(&url, fresh.folder.path()).await.unwrap_err();
        assert!(format!("{:#}", anyhow::Error::new(error)).ends_with(&format!(": {why}")), "{url}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_an_error() {
    let fresh = Fresh::sqlite();
    std::fs::write(fresh.sqlite_file(), "this is not a database, and long enough to be sure of it".repeat(100)).unwrap();
    assert!(Store::open(&fresh.url, fresh.folder.path()).await.is_err());
}

#[tokio::test]
async fn sqlite_makes_the_folders_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a/b/c.db");
    Store::open(&format!("sqlite:{}", file.display()), folder.path()).await.unwrap().close().await;
    assert!(file.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_write_to_one_sqlite_file_wait_for_each_other() {
    let fresh = Fresh::sqlite();
    let (one, two) = (fresh.open().await, fresh.open().await);
    let write = async |store: &Store, from: i64| {
        for round in 0..40 {
            let id = from + round;
            let (made, changes) = deployment(id, &tree(&[]), &tree(&[("a.rhai", &id.to_string())]));
            let mut last = None;
            while let RecordOutcome::Overtaken(by) = store.record_deployment(&made, &changes, last).await.unwrap() {
                last = Some(by);
            }
            store.append_executions(&(0..50).map(|row| execution(id * 100 + row)).collect::<Vec<Execution>>(), Turn::First).await.unwrap();
        }
    };
    tokio::join!(write(&one, 0), write(&two, 1000));
    assert_eq!(one.deployments(1000, None).await.unwrap().len(), 80);
    assert_eq!(two.executions(&ExecutionFilter { limit: 10_000, ..ExecutionFilter::default() }).await.unwrap().len(), 4000);
}
