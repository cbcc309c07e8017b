//! The parts of a node that need neither its database nor its source.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::watch;

use crate::{
    capability::Capabilities,
    clock::{SharedClock, SystemClock},
    config::Config,
    engine::Engine,
    executor::{
        SharedExecutor,
        local::{Capacity, LocalExecutor, OnAbandoned},
    },
    id::{Ids, NodeNumber},
    live::Live,
    outbound::Outbound,
    queue::SharedQueue,
    runner::{Publisher, Recorder, Runner},
    sql::UserDatabases,
    store::{Store, journal::Journal, kv::StoredKeyValue, queue::StoredQueue},
    trace::{self, Tracer},
    trigger::TickRuns,
    vault::{Vault, dot_env::DotEnv},
};

/// What the other parts share.
pub struct Base {
    /// When the node started, before anything that takes long; microseconds since 1970.
    pub started_us: i64,
    /// Tells the time.
    pub clock: SharedClock,
    /// Makes ids.
    pub ids: Arc<Ids>,
    /// What is live.
    pub live: Arc<Live>,
    /// Takes executions to the store.
    pub journal: Journal,
    /// Gets the database once it is reached.
    pub reached: watch::Sender<Option<Store>>,
    /// Tells of schedules that were paused or resumed.
    pub schedules_changed: watch::Sender<u64>,
    /// Tells that SQL may have emitted events.
    pub sql_emitted: watch::Sender<u64>,
    /// Knows which runs of schedules are under way.
    pub ticks: Arc<TickRuns>,
    /// What runs without a caller waits here.
    pub queue: SharedQueue,
    /// Keeps secrets.
    pub vault: Vault,
    /// Databases that scripts use.
    pub databases: Arc<UserDatabases>,
    /// Compiles functions.
    pub engine: Arc<Engine>,
    /// Runs functions.
    pub executor: SharedExecutor,
    /// Every trigger's way to a run.
    pub runner: Arc<Runner>,
    /// Traces requests, if the configuration says where to.
    pub tracer: Option<Tracer>,
}

impl Base {
    /// Makes them for the node of this number.
    pub fn new(config: &Config, number: NodeNumber) -> anyhow::Result<Self> {
        let clock: SharedClock = Arc::new(SystemClock);
        let started_us = clock.now_us();
        let journal = Journal::open(&config.data, config.journal).context("cannot open the spool of executions")?;
        let vault = vault(config, &clock)?;
        let recorder = Recorder::new(journal.clone(), config.record, vault.redactor());
        let engine = Arc::new(Engine::new(config.limits.clone()));
        let ids = Arc::new(Ids::new(clock.clone(), number));
        let executor = executor(config, &engine, &recorder);
        let tracer = config.traces.as_ref().map(|settings| tracer(settings, &clock, &journal)).transpose()?;
        let live = Arc::new(Live::default());
        let reached = watch::Sender::default();
        let sql_emitted = watch::Sender::default();
        let queue: SharedQueue = Arc::new(StoredQueue::new(reached.subscribe(), ids.clone(), config.queue, sql_emitted.clone()));
        let publisher = Publisher::new(queue.clone(), live.clone());
        Ok(Self {
            started_us,
            runner: Arc::new(Runner::new(executor.clone(), ids.clone(), recorder, config.capture, tracer.clone(), publisher)),
            ids,
            live,
            queue,
            reached,
            ticks: Arc::default(),
            schedules_changed: watch::Sender::default(),
            sql_emitted,
            databases: Arc::new(UserDatabases::new(&config.databases, &config.data)),
            executor,
            tracer,
            clock,
            journal,
            vault,
            engine,
        })
    }
}

impl Base {
    /// Lets scripts reach what the node has.
    pub fn offer(&self, config: &Config, store: watch::Receiver<Option<Store>>) {
        self.engine.offer(Capabilities {
            http: Some(Arc::new(Outbound::new(config.outbound.clone()))),
            kv: Some(Arc::new(StoredKeyValue::new(store, self.clock.clone(), config.kv))),
            sql: Some(self.databases.clone()),
            secrets: Some(self.vault.secrets()),
        });
    }
}

/// Makes the vault. A `.env` file is for development: whoever may change functions can have them read what is in it.
fn vault(config: &Config, clock: &SharedClock) -> anyhow::Result<Vault> {
    let path = &config.dot_env;
    if !config.server.dev && path.exists() {
        tracing::info!("`{0}` is not read, which is for `--dev`; `picloud secret import {0}` makes what is in it secrets", path.display());
    }
    let dot_env = config.server.dev.then(|| DotEnv::new(path.clone()));
    Ok(Vault::new(config.secret_key.clone(), config.data.clone(), dot_env, clock.clone())?)
}

/// Makes an executor that runs functions in this process.
pub fn local_executor(engine: Arc<Engine>, capacity: &Capacity, on_abandoned: OnAbandoned) -> SharedExecutor {
    Arc::new(LocalExecutor::new(engine, capacity, on_abandoned))
}

fn executor(config: &Config, engine: &Arc<Engine>, recorder: &Recorder) -> SharedExecutor {
    let recorder = recorder.clone();
    local_executor(engine.clone(), &config.executor, Arc::new(move |execution| recorder.record_abandoned(execution)))
}

/// Starts to trace. The last part of a request is that its execution reaches the store.
fn tracer(settings: &trace::TraceSettings, clock: &SharedClock, journal: &Journal) -> anyhow::Result<Tracer> {
    let tracer = Tracer::start(settings.clone(), clock.clone()).context("cannot start the thread that sends traces")?;
    let recorder = tracer.clone();
    journal.tell(Box::new(move |executions| recorder.recorded(executions.iter().map(|execution| execution.id))));
    tracing::info!("traces go to {}", settings.endpoint);
    Ok(tracer)
}
