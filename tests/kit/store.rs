//! Fresh databases, and samples of what is in them.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use picloud::{
    deployment::{Cause, Changes, Deployment, DeploymentStatus, FunctionChange},
    execution::{Effect, EffectKind, EmittedEvent, Execution, Failure, FailureCall, LogLevel, LogLine, Outcome, Trigger},
    function::{
        Content, Digest, FilePath, Function, FunctionName, Manifest, Position, Revision, Route, ScriptId, Tree, Version, route::Methods,
    },
    id::{DeploymentId, ExecutionId, first_id_at},
    store::{RecordOutcome, Store},
};
use sqlx::Connection;
use tempfile::TempDir;

use super::node::Setup;

/// The time at which the samples happen: 23 November 2026.
pub const NOW_US: i64 = 1_795_424_645_678_000;

/// Runs each of these tests on both databases.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod sqlite { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $test() { super::$test(crate::kit::store::Fresh::sqlite()).await })* }
        mod postgres { $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $test() { super::$test(crate::kit::store::Fresh::postgres().await).await })* }
    };
}
pub(crate) use on_both;

/// Tells each of these stories with nodes on both databases.
macro_rules! on_both_nodes {
    ($($story:ident)*) => {
        mod sqlite { $(#[test] fn $story() { super::$story(|setup| setup); })* }
        mod postgres { $(#[test] fn $story() { let on = crate::kit::store::on_postgres(); super::$story(|setup| on(setup)); })* }
    };
}
pub(crate) use on_both_nodes;

/// Returns what puts a node on a fresh Postgres database, and the database `app` of its functions, if it has one, on another.
pub fn on_postgres() -> impl Fn(Setup) -> Setup {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (own, app) = runtime.block_on(async { (Fresh::postgres().await, Fresh::postgres().await) });
    move |setup| setup.variable("PICLOUD_DATABASE_URL", &own.url).variable("PICLOUD_DATABASES_APP_URL", &app.url)
}

/// A database of a test's own.
pub struct Fresh {
    pub url: String,
    pub folder: TempDir,
}

impl Fresh {
    pub fn sqlite() -> Self {
        Self { url: "sqlite".into(), folder: TempDir::new().unwrap() }
    }

    pub async fn postgres() -> Self {
        let server = std::env::var("PICLOUD_TEST_POSTGRES").expect(
            "these tests need a Postgres server: run `./scripts/test`, which starts one, or set PICLOUD_TEST_POSTGRES to the URL of one",
        );
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        let mut connection = sqlx::PgConnection::connect(&server).await.unwrap();
        let create = format!("CREATE DATABASE {name} TEMPLATE template0");
        sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        Self { url: format!("{base}/{name}"), folder: TempDir::new().unwrap() }
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.url, self.folder.path()).await.unwrap()
    }

    pub fn sqlite_file(&self) -> PathBuf {
        self.folder.path().join("picloud.db")
    }
}

pub fn version(text: &str) -> Version {
    Digest::of(text.as_bytes()).into()
}

pub fn name(text: &str) -> FunctionName {
    FunctionName::new(text)
}

pub fn tree(files: &[(&str, &str)]) -> Tree {
    files.iter().map(|(path, text)| (FilePath::from(*path), Content::new(text.as_bytes()))).collect()
}

/// The deployment that brings `after` where `before` was: every file is a function.
pub fn deployment(id: i64, before: &Tree, after: &Tree) -> (Deployment, Changes) {
    let mut files: BTreeMap<FilePath, Option<Content>> = BTreeMap::new();
    files.extend(before.keys().filter(|path| !after.contains_key(*path)).map(|path| (path.clone(), None)));
    files.extend(
        after
            .iter()
            .filter(|(path, content)| before.get(*path) != Some(content))
            .map(|(path, content)| (path.clone(), Some(content.clone()))),
    );
    let version_in = |tree: &Tree, path: &FilePath| tree.get(path).map(|content| Version::from(content.digest));
    let changes = (files.keys())
        .map(|path| FunctionChange {
            function: FunctionName::of_file(path).unwrap(),
            from: version_in(before, path),
            to: version_in(after, path),
        })
        .collect();
    let functions = files.iter().filter_map(|(path, content)| Some(function(path, content.as_ref()?))).map(Arc::new).collect();
    let deployment = Deployment {
        id: DeploymentId(first_id_at(NOW_US) + id),
        revision: Revision(format!("revision-{id}")),
        cause: Cause::Save,
        pushed_by: None,
        note: None,
        subject: None,
        by: None,
        status: DeploymentStatus::Live,
        diagnostics: Vec::new(),
        changes,
        functions: after.len() as u32,
        took_us: 4_000,
    };
    (deployment, Changes { files, functions, ..Changes::default() })
}

/// Records a deployment after whatever is live.
pub async fn record(store: &Store, deployment: &Deployment, changes: &Changes) {
    let live = store.live_deployment().await.unwrap().map(|live| live.id);
    assert_eq!(store.record_deployment(deployment, changes, live).await.unwrap(), RecordOutcome::Done);
}

pub fn function(path: &FilePath, content: &Content) -> Function {
    let name = FunctionName::of_file(path).unwrap();
    Function {
        script_id: ScriptId::of(&name),
        name,
        version: content.digest.into(),
        manifest: Arc::default(),
        route: Some(Route { segments: Vec::new().into(), methods: Methods::Any }),
        guards: Vec::new(),
        files: Box::new([(path.clone(), content.clone())]),
        limits: Box::default(),
    }
}

/// An execution that went well, with nothing special about it.
pub fn execution(id: i64) -> Execution {
    Execution {
        id: ExecutionId(first_id_at(NOW_US) + id),
        function: name("hello"),
        version: version("hello 1"),
        deployment: DeploymentId(first_id_at(NOW_US)),
        trigger: Trigger::Http,
        replay_of: None,
        request_id: None,
        method: "GET".into(),
        path: "/hello".into(),
        status: 200,
        response_type: None,
        response_bytes: None,
        outcome: Outcome::Ok,
        duration_us: 55,
        operations: 120,
        peak_memory_bytes: 2048,
        logs: Vec::new(),
        logs_dropped: 0,
        effects: Vec::new(),
        effects_dropped: 0,
        events: Vec::new(),
        failure: None,
        captured: false,
        capture: None,
    }
}

/// An execution with everything that one can have.
pub fn rich_execution(id: i64) -> Execution {
    let line = |level, message: &str| LogLine { at_us: 12, level, message: message.into() };
    Execution {
        function: name("orders/[id]"),
        version: version("orders 1"),
        trigger: Trigger::Execute,
        replay_of: None,
        request_id: Some("request-\"1\"".into()),
        method: "POST".into(),
        path: "/orders/ä'\"\\".into(),
        status: 502,
        outcome: Outcome::Failed,
        response_type: Some("text/plain; charset=utf-8".into()),
        response_bytes: Some(u64::from(u32::MAX) * 3),
        duration_us: u64::from(u32::MAX) * 2,
        logs: vec![line(LogLevel::Info, "one \u{0} \n two"), line(LogLevel::Error, "\"three\"")],
        logs_dropped: 3,
        effects: vec![Effect {
            kind: EffectKind::Http,
            target: "POST api.example.org/é".into(),
            outcome: "503".into(),
            failed: true,
            at_us: 17,
            duration_us: 1_200,
            sent_bytes: 12,
            received_bytes: u64::from(u32::MAX) * 2,
            replayed: false,
        }],
        effects_dropped: 2,
        events: vec![EmittedEvent { at_us: 40, topic: "orders.lost".into(), key: Some("ä\"1".into()), sent: false }],
        failure: Some(Box::new(Failure {
            message: "no such order".into(),
            file: "orders/[id].rhai".into(),
            position: Some(Position { line: 3, column: 7 }),
            calls: vec![FailureCall {
                function: "total".into(),
                file: "orders/[id].rhai".into(),
                position: Some(Position { line: 3, column: 5 }),
            }],
        })),
        ..execution(id)
    }
}

pub fn ids(executions: &[Execution]) -> Vec<i64> {
    executions.iter().map(|execution| execution.id.0 - first_id_at(NOW_US)).collect()
}

/// Waits until `is_so`, or fails after 20 seconds.
pub async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let polled = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), polled).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}
