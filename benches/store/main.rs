//! What keeping an execution costs, and with `-- kv` what the key-value store does: CPU and time, on SQLite and (with PICLOUD_TEST_POSTGRES) on
//! Postgres.
//!
//! `cargo bench --bench store`. CPU is that of all threads of this process, so for Postgres it is our side only.

#![allow(missing_docs)]

mod kv;

use std::{collections::BTreeMap, fs, sync::Arc, time::Duration};

use picloud::{
    clock::monotonic,
    deployment::{Cause, Changes, Deployment, DeploymentId, DeploymentStatus, FunctionChange},
    execution::{Execution, LogLevel, LogLine, Outcome, Trigger},
    function::{Content, Digest, Function, FunctionName, Revision, Route, ScriptId, Tree, route::Methods},
    id::{ExecutionId, first_id_at},
    store::{ExecutionFilter, Journal, JournalSettings, RecordOutcome, Store, Turn},
};
use tokio_util::sync::CancellationToken;

const BATCH: i64 = 1_000;
const BATCHES: i64 = 300;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime starts");
    let is_kv = std::env::args().any(|argument| argument == "kv");
    let measure = async |database: &str, url: &str| if is_kv { kv::measure(database, url).await } else { measure(database, url).await };
    runtime.block_on(async {
        measure("sqlite", "sqlite").await;
        if let Ok(server) = std::env::var("PICLOUD_TEST_POSTGRES") {
            measure("postgres", &server).await;
        }
    });
}

async fn measure(database: &str, url: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(url, folder.path()).await.expect("the store opens");
    let mut ids = (first_id_at(1_795_424_645_678_000)..).step_by(50_000);
    for (what, functions, log_lines) in
        [("1 function, no logs", 1, 0), ("1 function, 2 lines", 1, 2), ("1,000 functions, no logs", 1000, 0)]
    {
        let batches: Vec<Vec<Execution>> =
            (0..BATCHES).map(|_| ids.by_ref().take(BATCH as usize).map(|id| execution(id, functions, log_lines)).collect()).collect();
        let (cpu, begun) = (cpu_ns(), monotonic());
        for batch in &batches {
            store.append_executions(batch, Turn::First).await.expect("the batch arrives");
        }
        report(database, what, BATCHES * BATCH, cpu, begun.elapsed());
    }
    journal(database, &store, folder.path(), &mut ids).await;
    deployment(database, &store).await;
    let begun = monotonic();
    let filter = ExecutionFilter { function: Some(FunctionName::new("function0")), limit: 20, ..ExecutionFilter::default() };
    let found = store
        .executions(&ExecutionFilter { function: Some(FunctionName::new("never")), ..filter.clone() })
        .await
        .expect("the store answers")
        .len();
    println!("{database}: a function that never ran, {found} found: {:?}", begun.elapsed());
    let begun = monotonic();
    let found = store.executions(&filter).await.expect("the store answers").len();
    println!("{database}: the last 20 of one function in {} rows, {found} found: {:?}", BATCHES * BATCH * 4, begun.elapsed());
    let begun = monotonic();
    store.prune_executions(0, (BATCHES * BATCH * 4) as u64, u64::MAX).await.expect("the store answers");
    println!("{database}: a look for too many rows: {:?}", begun.elapsed());
    store.close().await;
}

async fn journal(database: &str, store: &Store, folder: &std::path::Path, ids: &mut impl Iterator<Item = i64>) {
    let rows = BATCHES * BATCH;
    let journal = Journal::open(folder, JournalSettings { queue: rows as usize, ..JournalSettings::default() }).expect("the journal opens");
    journal.connect(store.clone());
    let executions: Vec<Execution> = ids.take(rows as usize).map(|id| execution(id, 1, 0)).collect();
    let shutdown = CancellationToken::new();
    let (cpu, begun) = (cpu_ns(), monotonic());
    for execution in executions {
        journal.record(execution);
    }
    println!("{database}: record(): {} ns", begun.elapsed().as_nanos() / rows as u128);
    shutdown.cancel();
    journal.clone().run(shutdown).await;
    assert_eq!(journal.stats().written, rows as u64);
    report(database, "through the journal", rows, cpu, begun.elapsed());
}

async fn deployment(database: &str, store: &Store) {
    let tree: Tree = (0..10_000)
        .map(|number| (format!("function{number}.rhai").into(), Content::new(format!("let x = {number}; x").as_bytes())))
        .collect();
    let functions: Vec<Arc<Function>> = (tree.iter())
        .map(|(path, content)| {
            let name = FunctionName::of_file(path).expect("it ends in .rhai");
            let files = Tree::from([(path.clone(), content.clone())]);
            let (script_id, version) = (ScriptId::of(&name), content.digest.into());
            let route = Route { segments: Vec::new().into(), methods: Methods::Any };
            Arc::new(Function {
                name,
                script_id,
                version,
                manifest: Arc::default(),
                route: Some(route),
                guards: Vec::new(),
                files: files.into_iter().collect(),
                limits: Box::default(),
            })
        })
        .collect();
    let changes = functions
        .iter()
        .map(|function| FunctionChange { function: function.name.clone(), from: None, to: Some(function.version) })
        .collect();
    let files: BTreeMap<_, _> = tree.into_iter().map(|(path, content)| (path, Some(content))).collect();
    let deployment = Deployment {
        id: DeploymentId(first_id_at(1_795_424_645_678_000)),
        revision: Revision("bench".into()),
        cause: Cause::Start,
        pushed_by: None,
        note: None,
        subject: None,
        by: None,
        status: DeploymentStatus::Live,
        diagnostics: Vec::new(),
        changes,
        functions: 10_000,
        took_us: 0,
    };
    let begun = monotonic();
    let changes = Changes { files, functions, ..Changes::default() };
    let recorded = store.record_deployment(&deployment, &changes, None).await;
    assert_eq!(recorded.expect("the deployment arrives"), RecordOutcome::Done);
    println!("{database}: a deployment of 10,000 functions recorded: {:?}", begun.elapsed());
    let begun = monotonic();
    store.live().await.expect("the store answers");
    println!("{database}: its tree read back: {:?}", begun.elapsed());
}

fn execution(id: i64, functions: i64, log_lines: usize) -> Execution {
    let number = id / 50_000 % functions;
    let line = LogLine { at_us: 12, level: LogLevel::Info, message: "greeting world, as it were".into() };
    Execution {
        id: ExecutionId(id),
        function: FunctionName::new(format!("function{number}")),
        version: Digest::of(&number.to_le_bytes()).into(),
        deployment: DeploymentId(id),
        trigger: Trigger::Http,
        replay_of: None,
        request_id: None,
        method: "GET".into(),
        path: format!("/function{number}").into(),
        status: 200,
        response_type: None,
        response_bytes: None,
        outcome: Outcome::Ok,
        duration_us: 55,
        operations: 120,
        peak_memory_bytes: 2048,
        logs: vec![line; log_lines],
        logs_dropped: 0,
        effects: Vec::new(),
        effects_dropped: 0,
        events: Vec::new(),
        failure: None,
        captured: false,
        capture: None,
    }
}

fn report(database: &str, what: &str, rows: i64, cpu_before: u64, took: Duration) {
    let cpu_us = (cpu_ns() - cpu_before) as f64 / 1000.0 / rows as f64;
    println!("{database}: {what}: {cpu_us:.2} us of CPU a row, {:.0} rows/s", rows as f64 / took.as_secs_f64());
}

/// Returns the CPU time of all threads, which live as long as the runtime and the pools.
pub fn cpu_ns() -> u64 {
    let threads = fs::read_dir("/proc/self/task").expect("this is Linux");
    let of_thread = |path: std::path::PathBuf| fs::read_to_string(path.join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok();
    threads.filter_map(|thread| of_thread(thread.ok()?.path())).sum()
}
