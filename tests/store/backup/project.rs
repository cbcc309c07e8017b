//! Databases to move between, what is in them, and commands beside nodes.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use futures_util::TryStreamExt as _;
use picloud::{
    access::{Scope, Token, TokenHash},
    audit::{Action, Actor, Origin},
    capability::kv::Set,
    store::{
        KvLimits, Store, Turn,
        kv::{KvChange, KvWrite},
        transfer::{DatabaseSnapshot, Row},
    },
};
use serde_json::json;
use tempfile::TempDir;

use crate::kit::{
    command::{command, said},
    store::{Fresh, NOW_US, deployment, execution, name, record as record_deployment, rich_execution, tree, version},
};

/// Which database a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// Runs something on a runtime of its own.
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A place for a database that is not there yet, or empty.
pub struct Empty {
    pub url: String,
    folder: TempDir,
}

impl Empty {
    pub fn of(kind: Kind) -> Self {
        let folder = TempDir::new().unwrap();
        let url = match kind {
            Kind::Sqlite => format!("sqlite:{}", folder.path().join("moved.db").display()),
            Kind::Postgres => wait(Fresh::postgres()).url,
        };
        Self { url, folder }
    }

    /// A folder of its own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.url, self.folder()).await.unwrap()
    }

    /// Whether somebody has put anything there.
    pub fn is_empty(&self) -> bool {
        if let Some(path) = self.url.strip_prefix("sqlite:") {
            return !Path::new(path).exists();
        }
        wait(async {
            let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&self.url).await.unwrap();
            let tables = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'";
            sqlx::query_scalar::<_, i64>(tables).fetch_one(&mut connection).await.unwrap() == 0
        })
    }
}

/// Puts something into every table that there is at schema 3, and into those that come with it later as far as these do.
pub async fn fill(store: &Store, executions: i64) {
    let nothing = tree(&[]);
    let first = tree(&[("a.rhai", "1"), ("deep/ä.rhai", "\"ä\u{1F600}\""), ("same.rhai", "1")]);
    let second = tree(&[("a.rhai", "2"), ("same.rhai", "1")]);
    for (id, before, after) in [(1, &nothing, &first), (2, &first, &second)] {
        let (mut deployment, changes) = deployment(id, before, after);
        deployment.note = (id == 2).then(|| "a note\nof two lines, \"quoted\"".into());
        record_deployment(store, &deployment, &changes).await;
    }
    let ann = Actor { who: "ann".into(), origin: Origin::Cli };
    let record = ann.does(Action::Unpin, NOW_US, json!({}));
    let following = serde_json::from_str("{}").unwrap();
    store.set_following(&following, &record).await.unwrap();
    for (name, scope, expires_us) in [("ci", Scope::Deploy, None), ("ann.laptop", Scope::Admin, Some(NOW_US))] {
        let token = Token { name: name.into(), scope, functions: None, created_us: NOW_US, expires_us, last_used_us: None };
        assert!(store.create_token(&token, &TokenHash::of(name), &token.creation(&ann)).await.unwrap());
    }
    let all: Vec<_> = (0..executions)
        .map(|id| match id % 3 {
            0 => rich_execution(id),
            1 => picloud::execution::Execution { function: name("ä"), version: version("ä"), ..execution(id) },
            _ => execution(id),
        })
        .collect();
    for batch in all.chunks(1_000) {
        store.append_executions(batch, Turn::First).await.unwrap();
    }
}

/// Keeps keys that a language would sort otherwise than their bytes.
async fn keep(store: &Store) {
    let ann = Actor { who: "ann".into(), origin: Origin::Cli };
    for (namespace, key, ttl) in [("b", "ä", None), ("b", "B", Some("1h")), ("b", "a", None), ("A", "_", None)] {
        let set =
            Set { value: format!("\"{key}\\u0000\"").parse().unwrap(), ttl: ttl.map(|ttl: &str| ttl.parse().unwrap()), if_version: None };
        let (namespace, key) = (namespace.parse().unwrap(), key.parse().unwrap());
        let write = KvWrite::of_operator(&ann, &namespace, &key, KvChange::Set(set), NOW_US, KvLimits::default());
        assert!(store.kv_write(write).await.unwrap().is_done);
    }
}

/// Every row of every table, as it is read.
pub fn rows(url: &str, data: &Path) -> BTreeMap<String, Vec<Row>> {
    wait(async {
        let mut snapshot = DatabaseSnapshot::open(url, data).await.unwrap();
        let mut rows = BTreeMap::new();
        for mut table in snapshot.tables().to_vec() {
            table.columns.sort_by(|one, other| one.name.cmp(&other.name));
            let found = snapshot.rows(&table).try_collect::<Vec<_>>().await.unwrap();
            rows.insert(table.name.clone(), found);
        }
        rows
    })
}

/// Fails, with the first row that differs, unless both databases hold the same.
#[track_caller]
pub fn must_be_equal(one: &BTreeMap<String, Vec<Row>>, other: &BTreeMap<String, Vec<Row>>) {
    assert!(one.keys().eq(other.keys()), "{:?} and {:?}", one.keys(), other.keys());
    for (table, rows) in one {
        for (at, (row, copied)) in rows.iter().zip(&other[table]).enumerate() {
            assert_eq!(row, copied, "row {at} of `{table}`");
        }
        assert_eq!(rows.len(), other[table].len(), "rows of `{table}`");
    }
}

/// Runs a command, which must succeed, and returns what it printed.
#[track_caller]
pub fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = command(folder, arguments).output().unwrap();
    assert!(output.status.success(), "picloud {arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command, which must not be able to do it, and returns what it said.
#[track_caller]
pub fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output: Output = command(folder, arguments).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true), "picloud {arguments:?}: {}", said(&output));
    said(&output)
}

/// A folder with a database of `fill`, as a node that has stopped leaves it.
pub struct Project {
    folder: TempDir,
}

impl Project {
    pub fn with(executions: i64) -> Self {
        let folder = TempDir::new().unwrap();
        let project = Self { folder };
        wait(async {
            let store = Store::open("sqlite", &project.data()).await.unwrap();
            fill(&store, executions).await;
            keep(&store).await;
            store.close().await;
        });
        project
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn data(&self) -> PathBuf {
        self.folder().join(".picloud")
    }

    /// Makes a backup, and returns where it is.
    pub fn backup(&self) -> PathBuf {
        done(self.folder(), &["backup", "made.tar.gz"]);
        self.folder().join("made.tar.gz")
    }

    /// The names of what is in the folder.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}
