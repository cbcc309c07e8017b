//! Composition: a configuration becomes parts, wired and started. The only place that names implementations.

mod app;
mod base;
mod data;
mod database;
mod files;
mod listen;
mod once;
mod pushes;
pub mod source;
mod tasks;

use std::{net::SocketAddr, sync::Arc, thread, time::Duration};

use anyhow::{Context, anyhow, bail};
use rustix::fs::Mode;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::{
    app::Wiring,
    base::Base,
    data::{DataFolder, used_by_another},
    listen::Listeners,
    source::OpenedSource,
    tasks::Tasks,
};
pub use self::{
    data::{Announcement, admin_token, admin_token_file, rotate_admin_token, running},
    files::wanted_files,
    once::execute_once,
};
use crate::{
    blocking,
    config::{Config, SourceConfig},
    http::{self, App, Face},
    live::Live,
    shutdown,
    source::git,
    store::Store,
    supervisor,
    sync::{Sync, SyncParts, orders::SyncHandle},
    telemetry,
    trigger::{Announcer, DeliveryRunner, Dispatcher, Inbox, RunOrders, Scheduler},
};

/// How long a stop waits after the grace period: for the database, for what else still goes on, and for the database's connections to
/// close. Each has this time for itself. What executions the database has not taken by then are in the spool.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// Runs a node until a signal stops it.
pub fn serve(config: Config) -> anyhow::Result<()> {
    let _log = telemetry::start(&config.log);
    // Executions hold what callers sent, and the repository what is not public: whatever folder it is in, it is the owner's alone. SQLite and
    // git make files of their own, so the mode is the process's. Repositories that a group shares keep git's mode for that.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    // Scripts run on these threads: a chain of values as deep as the memory limit allows is dropped by recursion.
    let threads = thread::available_parallelism().map_or(1, usize::from);
    blocking::can_start(threads, config.executor.stack_bytes).map_err(|error| {
        let stack = config.executor.stack_bytes >> 20;
        anyhow!("cannot start {threads} threads with stacks of {stack} MiB: {error}\n  hint: lower `stack` in the section `[executor]`, or let the process have more")
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("serve")
        .thread_stack_size(config.executor.stack_bytes)
        .enable_all()
        .build()
        .context("cannot start the threads that serve")?;
    let stop = CancellationToken::new();
    let signals = runtime.spawn(shutdown::on_signal(stop.clone(), end_at_once));
    let served = runtime.block_on(runtime.spawn(run(config, stop))).context("the node failed");
    // Tasks that hold a command end some time after this, or with the process.
    git::program::end_all();
    let served = served?;
    signals.abort();
    // Scripts that outlast the grace period end with the process.
    runtime.shutdown_background();
    served
}

/// Does what must be done before a process that ends at once.
fn end_at_once() {
    git::program::end_all();
    telemetry::flush();
}

/// Runs a node until `stop` is cancelled.
async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    // Before the data folder is made, so that a start on a port that is taken leaves nothing behind.
    let listeners = listen(&config).await?;
    let data = DataFolder::open(&config.data)?;
    let max_connections = files::open_files(config.server.max_connections, listeners.count(), config.outbound.max_requests);
    let control_address = listeners.control_address()?;
    let base = Base::new(&config, data.number())?;
    let mut tasks = Tasks::default();
    tasks.spawn_vital("journal", base.journal.clone().run(tasks.last.clone()));
    let store = database::reach(&config, &base, &tasks, data.before).await?;
    base.offer(&config, store.clone());
    let OpenedSource { source, git, is_open } = OpenedSource::open(&config, &base.clock, database::remembers(&store).await).await?;
    let (sync_handle, orders) = SyncHandle::new(source.clone());
    let sync = begin_sync(
        SyncParts {
            source,
            engine: base.engine.clone(),
            executor: base.executor.clone(),
            store: store.clone(),
            live: base.live.clone(),
            migrations: base.databases.clone(),
            ids: base.ids.clone(),
            stack_bytes: config.executor.stack_bytes,
        },
        &stop,
    )
    .await;
    hint_at_projects(&config, &base.live);
    let hosted = match git {
        Some(git) => pushes::take(git, is_open, &config.data, &sync_handle, &tasks).await?,
        None => None,
    };
    let run_orders = start_triggers(&config, &base, &mut tasks, &stop);
    tasks.spawn_vital("sync", sync.follow(orders, tasks.after_requests.clone()));
    let wiring = Wiring {
        config: &config,
        address: control_address,
        max_connections,
        base: &base,
        store,
        sync: sync_handle,
        run_orders,
        hosted,
        stop: stop.clone(),
    };
    let app = Arc::new(wiring.app()?);
    tasks.spawn_vital("health", http::watch_health(app.clone(), stop.clone()));
    announce(&data, control_address, &config);
    serve_requests(listeners, &app, &mut tasks)?;
    warn_if_exposed(control_address);
    supervisor::tell(supervisor::State::Ready);

    let early = tokio::select! {
        () = stop.cancelled() => None,
        ended = tasks.vital_end() => Some(ended),
    };
    let early = early.filter(|_| !stop.is_cancelled());
    stop.cancel();
    end(&config, &base, &app, &tasks).await;
    match early {
        Some((task, ended)) => bail!("the task `{task}` ended early: {ended:?}"),
        None => {
            data.end_in_order();
            Ok(())
        }
    }
}

/// Starts what starts functions without a request. Returns who takes orders to run schedules.
fn start_triggers(config: &Config, base: &Base, tasks: &mut Tasks, stop: &CancellationToken) -> RunOrders {
    let (live, clock) = (base.live.clone(), base.clock.clone());
    let announcer = Announcer::new(live.clone(), base.runner.publisher().clone(), clock.clone());
    tasks.spawn_vital("announcements", announcer.run(stop.clone()));
    let (publisher, emitted) = (base.runner.publisher().clone(), base.sql_emitted.subscribe());
    let inbox = Inbox { publisher, live: live.clone(), clock: clock.clone(), emitted };
    tasks.spawn_vital("inbox", inbox.run(stop.clone()));
    let runner = DeliveryRunner {
        runner: base.runner.clone(),
        live: live.clone(),
        clock: clock.clone(),
        ticks: base.ticks.clone(),
        grace_over: tasks.after_requests.clone(),
    };
    let (run_orders, orders) = RunOrders::new(base.queue.clone(), clock.clone());
    let dispatcher = Dispatcher::new(base.queue.clone(), runner, orders, config.dispatch, tasks.runs.clone());
    tasks.spawn_vital("events", dispatcher.run(stop.clone()));
    let changed = base.schedules_changed.subscribe();
    let (runner, ticks) = (base.runner.clone(), base.ticks.clone());
    let scheduler = Scheduler { queue: base.queue.clone(), live, clock, runner, ticks, changed };
    tasks.spawn_vital("schedules", scheduler.run(stop.clone()));
    run_orders
}

/// Takes the addresses of a node. One that runs on the same data folder already has them, too.
async fn listen(config: &Config) -> anyhow::Result<Listeners> {
    match Listeners::open(&config.server).await {
        Err(error) if error.is_taken() && running(&config.data).is_some() => Err(used_by_another(&config.data)),
        opened => opened.map_err(listen::ListenError::explained),
    }
}

/// Makes the loop, with what was live before. It may have to wait for a thread, for as long as the system gives none.
async fn begin_sync(parts: SyncParts, stop: &CancellationToken) -> Sync {
    let mut sync = Sync::new(parts);
    tokio::select! {
        () = sync.start() => {}
        () = stop.cancelled() => {}
    }
    sync
}

/// Says how to begin where there are no functions.
fn hint_at_projects(config: &Config, live: &Live) {
    if let SourceConfig::Directory { path } = &config.source
        && !path.is_dir()
        && !live.table().is_loaded()
    {
        tracing::warn!("`picloud init` makes a project with a functions folder; `--functions` names another");
    }
}

/// Tells commands where the node answers.
fn announce(data: &DataFolder, address: SocketAddr, config: &Config) {
    if let Err(error) = data.announce(address, config) {
        tracing::error!(
            "commands will not find this node without `--url`, because its address cannot be written to the data folder: {error}"
        );
    }
}

/// Answers requests at every address, until the node stops.
fn serve_requests(listeners: Listeners, app: &Arc<App>, tasks: &mut Tasks) -> anyhow::Result<()> {
    let Listeners { functions, control } = listeners;
    tracing::info!("listening on http://{}", functions.local_addr()?);
    let face = if control.is_some() { Face::Public } else { Face::Whole };
    tasks.spawn_vital("serving", http::serve(functions, app.clone(), face, app.stop.clone()));
    if let Some(control) = control {
        tracing::info!("the control plane is at http://{}", control.local_addr()?);
        tasks.spawn_vital("administering", http::serve(control, app.clone(), Face::Control, app.stop.clone()));
    }
    Ok(())
}

/// Says what to do where others than this machine reach the control plane: tokens would cross the network readable by all who see it pass.
fn warn_if_exposed(control: SocketAddr) {
    if !control.ip().is_loopback() {
        tracing::warn!(
            "the control plane is at http://{control}, beyond this machine and without TLS: let only a proxy that speaks TLS reach it, or keep \
             it here with `admin_listen = \"127.0.0.1:8081\"` in the section `[server]`"
        );
    }
}

/// Ends what a node does, in the order in which one part needs another: requests, pushes and runs, the loop, the journal, the database.
async fn end(config: &Config, base: &Base, app: &App, tasks: &Tasks) {
    supervisor::tell(supervisor::State::Stopping);
    app.connections.close();
    let requests = async {
        app.connections.wait().await;
        if let Some(hosted) = &app.git {
            hosted.ended().await;
        }
        tasks.runs.close();
        tasks.runs.wait().await;
    };
    if tokio::time::timeout(config.grace.0, requests).await.is_err() {
        let (connections, runs) = (app.connections.len(), tasks.runs.len());
        tracing::warn!(
            "{connections} connection(s) and {runs} run(s) of events and schedules did not end within {}; those runs come again at the next start",
            config.grace
        );
    }
    tasks.after_requests.cancel();
    // What is cut now is put back, and is an execution.
    tasks.runs.close();
    let _ = tokio::time::timeout(LAST_PATIENCE, tasks.runs.wait()).await;
    app.journal.close(LAST_PATIENCE).await;
    tasks.last.cancel();
    tasks.end_within(LAST_PATIENCE).await;
    if let Some(tracer) = &base.tracer {
        tracer.stop().await;
    }
    close(&app.store).await;
    tracing::info!("stopped");
}

/// Closes the connections to the database, if it was reached.
async fn close(store: &watch::Receiver<Option<Store>>) {
    let store = store.borrow().clone();
    if let Some(store) = store
        && tokio::time::timeout(LAST_PATIENCE, store.close()).await.is_err()
    {
        tracing::warn!("the connections to the database did not close within {} s", LAST_PATIENCE.as_secs());
    }
}
