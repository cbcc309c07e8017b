//! The key-value store from 64 tasks at once, beside what the same tasks do with sqlx alone on a table of their own.

use std::{path::Path, str::FromStr, sync::Arc, time::Duration};

use picloud::{
    capability::kv::{Add, Key, KeyValue, Set, SetResult},
    clock::{SystemClock, monotonic},
    function::grants::kv::Namespace,
    store::{KvLimits, Store, kv::StoredKeyValue},
};
use sqlx::{
    Pool, Postgres, Sqlite,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{sync::watch, task::JoinSet};

const TASKS: usize = 64;
const KEYS: usize = 10_000;
/// As long as the URL of a link shortener.
const VALUE: &str = "\"https://example.org/a/path/that/is/as/long/as/those/that/people/want/to/have/shorter?with=a&query=too\"";
const GETS: usize = 1_000;
const SETS: usize = 200;

pub async fn measure(database: &str, url: &str) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on a disk");
    let store = Store::open(url, folder.path()).await.expect("the store opens");
    let kv = Arc::new(StoredKeyValue::new(watch::channel(Some(store.clone())).1, Arc::new(SystemClock), KvLimits::default()));
    let namespace: Namespace = format!("bench{}", std::process::id()).parse().expect("a name");
    let at = |number: usize| Key::from_str(&format!("link:{number}")).expect("a key");
    let set = || Set { value: VALUE.parse().expect("JSON"), ttl: None, if_version: None };

    on_tasks(database, "kv set", SETS, |task, number| {
        let (kv, namespace, key) = (kv.clone(), namespace.clone(), at((task * SETS + number) % KEYS));
        async move { assert!(matches!(kv.set(&namespace, &key, set()).await, Ok(SetResult::Done(_)))) }
    })
    .await;
    on_tasks(database, "kv get", GETS, |task, number| {
        let (kv, namespace, key) = (kv.clone(), namespace.clone(), at((task * 7_919 + number) % KEYS));
        async move { assert!(kv.get(&namespace, &key).await.expect("it is read").is_some()) }
    })
    .await;
    on_tasks(database, "kv add, one key", SETS, |_, _| {
        let (kv, namespace, key) = (kv.clone(), namespace.clone(), Key::from_str("sum").expect("a key"));
        async move { assert!(kv.add(&namespace, &key, Add { delta: 1, ttl: None }).await.is_ok()) }
    })
    .await;
    match database {
        "sqlite" => plain_sqlite(folder.path()).await,
        _ => plain_postgres(url).await,
    }
    store.close().await;
}

/// Runs so many operations on each task, and tells operations a second, CPU time and the slowest hundredth.
async fn on_tasks<F: Future<Output = ()> + Send + 'static>(database: &str, what: &str, each: usize, operation: impl Fn(usize, usize) -> F) {
    let (cpu, begun) = (super::cpu_ns(), monotonic());
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let operations: Vec<F> = (0..each).map(|number| operation(task, number)).collect();
        tasks.spawn(async move {
            let mut took = Vec::with_capacity(operations.len());
            for operation in operations {
                let begun = monotonic();
                operation.await;
                took.push(begun.elapsed());
            }
            took
        });
    }
    let mut took: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    let elapsed = begun.elapsed();
    let cpu_us = (super::cpu_ns() - cpu) as f64 / 1000.0 / took.len() as f64;
    took.sort_unstable();
    let (half, most) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    let a_second = took.len() as f64 / elapsed.as_secs_f64();
    println!("{database}: {what}: {a_second:.0}/s, {cpu_us:.1} us of CPU each, p50 {half:.1?}, p99 {most:.1?}");
}

macro_rules! plain {
    ($database:expr, $readers:expr, $writer:expr) => {
        let (readers, writer) = ($readers, $writer);
        sqlx::query("CREATE TABLE plain (name TEXT NOT NULL PRIMARY KEY, content TEXT NOT NULL)").execute(&writer).await.expect("a table");
        on_tasks($database, "plain sqlx, upsert", SETS, |task, number| {
            let (writer, key) = (writer.clone(), format!("link:{}", (task * SETS + number) % KEYS));
            async move {
                let upsert =
                    "INSERT INTO plain (name, content) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET content = excluded.content";
                sqlx::query(upsert).bind(key).bind(VALUE).execute(&writer).await.expect("it is written");
            }
        })
        .await;
        on_tasks($database, "plain sqlx, select", GETS, |task, number| {
            let (readers, key) = (readers.clone(), format!("link:{}", (task * 7_919 + number) % KEYS));
            async move {
                let select = "SELECT content FROM plain WHERE name = $1";
                let found: String = sqlx::query_scalar(select).bind(key).fetch_one(&readers).await.expect("it is there");
                assert_eq!(found.len(), VALUE.len());
            }
        })
        .await;
        sqlx::query("DROP TABLE plain").execute(&writer).await.expect("it goes");
    };
}

/// One writer, whose commits are as durable as ours, and as many readers as ours.
async fn plain_sqlite(folder: &Path) {
    let options = SqliteConnectOptions::new().filename(folder.join("plain.db")).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let pool = |connections| SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false);
    let writer: Pool<Sqlite> = pool(1).connect_with(options.clone()).await.expect("a file");
    let readers: Pool<Sqlite> = pool(4).connect_lazy_with(options.read_only(true));
    plain!("sqlite", readers, writer);
}

async fn plain_postgres(url: &str) {
    let pool: Pool<Postgres> = PgPoolOptions::new().max_connections(6).test_before_acquire(false).connect(url).await.expect("a server");
    plain!("postgres", pool.clone(), pool);
}
