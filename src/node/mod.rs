//! Composition: a configuration becomes parts, wired and started. The only place that names implementations.

mod listen;

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use rustix::{
    fs::Mode,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use serde::{Deserialize, Serialize};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::listen::Listeners;
use crate::{
    access, blocking,
    clock::{SharedClock, SystemClock, monotonic},
    config::{Config, Source as SourceConfig},
    engine::Engine,
    executor::{SharedExecutor, local::LocalExecutor},
    gate::server::{Gate, GateError},
    http::{self, App, Auth, Face, HttpSettings},
    id::{Ids, NodeNumber},
    live::Live,
    runner::{Recorder, Runner},
    secret::Secret,
    shutdown,
    source::{
        Source,
        directory::{DirectorySettings, DirectorySource},
        git::{self, GitSource, OwnRepository, Repository, hosted, serve::Hosted},
    },
    store::{Lease, Store, StoreError, journal::Journal, retention},
    supervisor,
    sync::{
        Sync, SyncParts,
        archive::{Archive, ArchiveParts},
        orders::SyncHandle,
    },
    telemetry,
    trace::{self, Tracer},
};

/// How long the start waits for the database before it goes on without.
const DATABASE_PATIENCE: Duration = Duration::from_secs(1);
/// What is said of a database that has not answered, and has not refused either.
const NOT_YET: &str = "the database has not answered yet";
/// How long a start waits for another node to leave the database. One that was killed is still leaving for a moment.
const IN_USE_PATIENCE: Duration = Duration::from_secs(3);
/// How long a stop waits for the database, for what else still goes on, and for the database's connections to close; after the grace period,
/// and each for itself. What executions the database has not taken by then are in the spool.
const LAST_PATIENCE: Duration = Duration::from_secs(3);
/// Shortest and longest wait between two attempts to reach a database that was away at the start.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

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
    let signals = runtime.spawn(shutdown::on_signal(stop.clone(), telemetry::flush));
    let served = runtime.block_on(runtime.spawn(run(config, stop))).context("the node failed")?;
    signals.abort();
    // Scripts that outlast the grace period end with the process.
    runtime.shutdown_background();
    served
}

/// Runs a node until `stop` is cancelled.
async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    // Before the data folder is made, so that a start on a port that is taken leaves nothing behind.
    let Listeners { functions: listener, control: admin_listener } = match Listeners::open(&config.server).await {
        Ok(listeners) => listeners,
        // The node that runs here already has the port, too.
        Err(error) if error.is_taken() && running(&config.data).is_some() => return Err(used_by_another(&config.data)),
        Err(error) => return Err(error.explained()),
    };
    let data = DataFolder::open(&config.data)?;
    let addresses = 1 + usize::from(config.server.admin_listen.is_some());
    let max_connections = open_files(config.server.max_connections, addresses);
    let address = listener.local_addr()?;
    let admin_address = admin_listener.as_ref().map_or(Ok(address), TcpListener::local_addr)?;
    let clock: SharedClock = Arc::new(SystemClock);
    let ids = Arc::new(Ids::new(clock.clone(), data.number()));
    let live = Arc::new(Live::default());
    let journal = Journal::open(&config.data, config.journal).context("cannot open the spool of executions")?;
    let engine = Arc::new(Engine::new(config.limits.clone()));
    let recorder = Recorder::new(journal.clone(), config.record);
    let abandoned = {
        let recorder = recorder.clone();
        move |execution| recorder.record_abandoned(execution)
    };
    let executor: SharedExecutor = Arc::new(LocalExecutor::new(engine.clone(), &config.executor, Arc::new(abandoned)));

    let tracer = config.traces.as_ref().map(|settings| tracer(settings, &clock, &journal)).transpose()?;

    // Ends after the requests, so that the last of them are recorded.
    let last = CancellationToken::new();
    let background = TaskTracker::new();
    let recorded = background.spawn(journal.clone().run(last.clone()));
    let (reached, store) = watch::channel(None);
    let (others, other) = watch::channel(OtherNode::None);
    let database = Database {
        config: config.clone(),
        journal: journal.clone(),
        live: live.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
        reached,
        others,
        identity: identity(&admin_token(&config.data)?),
        stop: last.clone(),
    };
    background.spawn(database.reach());
    known_or_away(store.clone(), other).await?;

    let known = store.clone();
    let auth = Auth::new(admin_token(&config.data)?, store.clone(), clock.clone());
    let Followed { source, git, is_open } = Followed::of(&config, &clock, remembers(&store).await).await?;
    let archive = Archive::new(ArchiveParts {
        engine: engine.clone(),
        executor: executor.clone(),
        store: store.clone(),
        live: live.clone(),
        stack_bytes: config.executor.stack_bytes,
    });
    let (sync_handle, orders) = SyncHandle::new(source.clone());
    let mut sync = Sync::new(SyncParts {
        source,
        engine,
        executor: executor.clone(),
        store: store.clone(),
        live: live.clone(),
        ids: ids.clone(),
        stack_bytes: config.executor.stack_bytes,
    });
    // It may have to wait for a thread, for as long as the system gives none.
    tokio::select! {
        () = sync.start() => {}
        () = stop.cancelled() => {}
    }
    if let SourceConfig::Directory { path } = &config.source
        && !path.is_dir()
        && !live.table().is_loaded()
    {
        tracing::warn!("`picloud init` makes a project with a functions folder; `--functions` names another");
    }
    let hosted = git.as_ref().map_or(Ok(None), |git| hosted_by(git, &config.data, &sync_handle))?;
    // Pushes that have begun are judged to their end.
    let closed = CancellationToken::new();
    if let Some(git) = git {
        let gate = if is_open { gate(&git, &sync_handle).await? } else { None };
        drop(match gate {
            Some(gate) => background.spawn(gate.serve(closed.clone())),
            None => background.spawn(gate_later(git, sync_handle.clone(), closed.clone())),
        });
    }
    let followed = background.spawn(sync.follow(orders, closed.clone()));

    let connections = TaskTracker::new();
    let app = Arc::new(App {
        settings: HttpSettings { max_connections, ..config.server.clone() },
        live,
        archive,
        runner: Runner::new(executor, ids.clone(), recorder, config.capture, tracer.clone()),
        journal: journal.clone(),
        counts: http::Counts::new(ids.now_us()),
        connections: connections.clone(),
        limits: config.limits.default.clone(),
        ids,
        sync: sync_handle,
        auth,
        git: hosted.clone(),
        source: config.source.to_string(),
        database: Store::describe(&config.database_url, &config.data)?,
        max_file_bytes: config.limits.file.0 as usize,
        webhook: webhook(&config),
        store,
        tails: Arc::new(Semaphore::new(config.server.max_tails)),
        stop: stop.clone(),
    });
    if let Err(error) = data.announce(admin_address, described(&config)) {
        tracing::error!(
            "commands will not find this node without `--url`, because its address cannot be written to the data folder: {error}"
        );
    }
    tracing::info!("listening on http://{address}");
    let face = if admin_listener.is_some() { Face::Public } else { Face::Whole };
    let serving = background.spawn(http::serve(listener, app.clone(), face, stop.clone()));
    let administering = background.spawn({
        let stop = stop.clone();
        async move {
            match admin_listener {
                Some(listener) => {
                    tracing::info!("the control plane is at http://{admin_address}");
                    http::serve(listener, app, Face::Control, stop).await;
                }
                None => stop.cancelled().await,
            }
        }
    });
    warn_if_exposed(admin_address);
    supervisor::tell(supervisor::State::Ready);

    let early = tokio::select! {
        () = stop.cancelled() => None,
        ended = followed => Some(("sync", ended)),
        ended = recorded => Some(("journal", ended)),
        ended = serving => Some(("serving", ended)),
        ended = administering => Some(("administering", ended)),
    };
    let early = early.filter(|_| !stop.is_cancelled());
    stop.cancel();
    supervisor::tell(supervisor::State::Stopping);
    connections.close();
    let served = async {
        connections.wait().await;
        if let Some(hosted) = &hosted {
            hosted.ended().await;
        }
    };
    if tokio::time::timeout(config.grace.0, served).await.is_err() {
        tracing::warn!("{} connection(s) did not end within {}", connections.len(), config.grace);
    }
    closed.cancel();
    journal.close(LAST_PATIENCE).await;
    last.cancel();
    background.close();
    if tokio::time::timeout(LAST_PATIENCE, background.wait()).await.is_err() {
        tracing::warn!("{} task(s) did not end within {} s, and end with the process", background.len(), LAST_PATIENCE.as_secs());
    }
    if let Some(tracer) = tracer {
        tracer.stop().await;
    }
    let store = known.borrow().clone();
    if let Some(store) = store
        && tokio::time::timeout(LAST_PATIENCE, store.close()).await.is_err()
    {
        tracing::warn!("the connections to the database did not close within {} s", LAST_PATIENCE.as_secs());
    }
    tracing::info!("stopped");
    match early {
        Some((task, ended)) => bail!("the task `{task}` ended early: {ended:?}"),
        None => Ok(()),
    }
}

/// Files that a node opens beside its connections: databases, spool, git's children.
const OTHER_FILES: u64 = 256;

/// Asks the system for as many open files as this many connections at each of so many addresses need, and returns how many there may be at
/// each.
fn open_files(max_connections: usize, addresses: usize) -> usize {
    let wanted = (max_connections as u64).saturating_mul(addresses as u64).saturating_add(OTHER_FILES);
    let now = getrlimit(Resource::Nofile);
    let has = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let mut allowed = has(now.current);
    if allowed < wanted {
        let raised = wanted.min(has(now.maximum));
        if setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: now.maximum }).is_ok() {
            allowed = raised;
        }
    }
    let for_connections = allowed.saturating_sub(OTHER_FILES).max(allowed / 2) as usize;
    let possible = max_connections.min(for_connections / addresses).max(1);
    if possible < max_connections {
        tracing::warn!(
            "only {allowed} files may be open, so at most {possible} connections are taken instead of {max_connections}: raise the limit (`ulimit -Hn`, `LimitNOFILE=` of systemd), or lower `max_connections`"
        );
    }
    possible
}

/// Starts to trace. The last part of a request is that its execution reaches the store.
fn tracer(settings: &trace::TraceSettings, clock: &SharedClock, journal: &Journal) -> anyhow::Result<Tracer> {
    let tracer = Tracer::start(settings.clone(), clock.clone()).context("cannot start the thread that sends traces")?;
    let recorder = tracer.clone();
    journal.tell(Box::new(move |executions| recorder.recorded(executions.iter().map(|execution| execution.id))));
    tracing::info!("traces go to {}", settings.endpoint);
    Ok(tracer)
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

/// Where functions come from.
struct Followed {
    source: Arc<dyn Source>,
    /// The same, if pushes go through this node.
    git: Option<GitSource>,
    /// Whether pushes can be checked now; if not, the repository is waited for.
    is_open: bool,
}

impl Followed {
    /// Without its repository, or with one that was damaged, a node starts if it `remembers` what was live.
    async fn of(config: &Config, clock: &SharedClock, remembers: bool) -> anyhow::Result<Self> {
        let settings = match &config.source {
            SourceConfig::Directory { path } => {
                let settings = DirectorySettings { max_file_bytes: config.limits.file.0, ..DirectorySettings::default() };
                return Ok(Self { source: Arc::new(DirectorySource::new(path.clone(), settings)), git: None, is_open: false });
            }
            SourceConfig::Git(settings) => (**settings).clone(),
        };
        let mut is_open = true;
        let repository = match &settings.repository {
            Repository::Hosted => {
                git::program::must_be_installed().await?;
                let repository = OwnRepository::in_data(&config.data, git::FOLDER)?;
                hosted::open(&repository, &settings.branch)?;
                for hook in hosted::install_hooks(repository.path())? {
                    tracing::warn!("`{}` is a hook of somebody else: pushes are only checked if it calls `picloud hook`", hook.display());
                }
                repository.path().to_owned()
            }
            Repository::Bare(path) => match usable(path, settings.timeout).await {
                Ok(path) => path,
                Err(error) if remembers => {
                    is_open = false;
                    tracing::warn!("{error:#}; the repository is waited for");
                    std::path::absolute(path)?
                }
                Err(error) => return Err(error),
            },
            Repository::Remote(_) => {
                git::program::must_be_installed().await?;
                let repository = OwnRepository::in_data(&config.data, git::FOLDER)?;
                hosted::make(repository.path(), &settings.branch)?;
                repository.path().to_owned()
            }
        };
        let takes_pushes = !matches!(settings.repository, Repository::Remote(_));
        let git = GitSource::new(settings, repository, &config.data, clock.clone())?;
        Ok(Self { source: Arc::new(git.clone()), git: takes_pushes.then_some(git), is_open })
    }
}

/// Returns whether something was live before this start, as far as the database tells.
async fn remembers(store: &watch::Receiver<Option<Store>>) -> bool {
    let store = store.borrow().clone();
    match store {
        Some(store) => store.live_deployment().await.is_ok_and(|live| live.is_some()),
        None => false,
    }
}

/// Returns the whole path of a bare repository that can be read here, within a time limit.
async fn usable(path: &Path, limit: Duration) -> anyhow::Result<PathBuf> {
    let repository = path.to_owned();
    let look = move || {
        git::must_be_readable(&repository)?;
        refresh_hooks(&repository);
        Ok(repository.canonicalize()?)
    };
    git::Reads::new(limit).run(path, look).await?
}

/// Brings the hooks of a bare repository up to date: the program may have moved since.
fn refresh_hooks(repository: &Path) {
    if !hosted::has_hooks(repository) {
        tracing::warn!("pushes to `{0}` are not checked before git accepts them: `picloud init --bare {0}`", repository.display());
    } else if let Err(error) = hosted::install_hooks(repository) {
        tracing::warn!("the hooks of `{}` cannot be brought up to date: {error}", repository.display());
    }
}

/// Opens the gate for pushes; none if the system does not let it be opened now.
async fn gate(git: &GitSource, sync: &SyncHandle) -> Result<Option<Gate>, GateError> {
    match Gate::open(git.clone(), sync.clone()).await {
        Err(error @ (GateError::NoSocket { .. } | GateError::Denied(_))) => {
            tracing::warn!("pushes cannot be checked yet: {:#}", anyhow::Error::from(error));
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

/// Waits until a repository is there that was missing or damaged when the node started, and answers its hooks.
async fn gate_later(git: GitSource, sync: SyncHandle, closed: CancellationToken) {
    let mut told = None;
    let gate = loop {
        tokio::select! {
            () = closed.cancelled() => return,
            () = tokio::time::sleep(RETRY.1) => {}
        }
        if git.must_be_readable().await.is_err() {
            continue;
        }
        match Gate::open(git.clone(), sync.clone()).await {
            Ok(gate) => break gate,
            Err(error) => {
                let why = format!("{:#}", anyhow::Error::from(error));
                if told.as_ref() != Some(&why) {
                    tracing::warn!("pushes cannot be checked yet: {why}");
                }
                told = Some(why);
            }
        }
    };
    refresh_hooks(git.repository());
    sync.poke();
    gate.serve(closed).await;
}

/// Returns what serves the repository to git's clients, if it is this node's own.
fn hosted_by(git: &GitSource, data: &Path, sync: &SyncHandle) -> anyhow::Result<Option<Arc<Hosted>>> {
    if git.settings().repository != Repository::Hosted {
        return Ok(None);
    }
    let (repository, sync) = (OwnRepository::in_data(data, git::FOLDER)?, sync.clone());
    let (packing, packed) = (Arc::new(Semaphore::new(1)), repository.clone());
    let pushed = Arc::new(move || {
        sync.poke();
        // One at a time; the next push asks again.
        let Ok(turn) = packing.clone().try_acquire_owned() else { return };
        let packed = packed.clone();
        tokio::spawn(async move {
            if let Err(error) = git::program::pack(&packed).await {
                tracing::warn!("cannot pack `{}`: {error}", packed.path().display());
            }
            drop(turn);
        });
    });
    let hooks = hosted::hooks(repository.path());
    Ok(Some(Arc::new(Hosted::new(repository, hooks, git.settings().max_push_bytes, pushed))))
}

/// Returns who may say from outside that the source has changed.
fn webhook(config: &Config) -> Option<http::Webhook> {
    let branch = match &config.source {
        SourceConfig::Git(settings) if settings.previews == 0 => Some(settings.branch.clone()),
        SourceConfig::Git(_) | SourceConfig::Directory { .. } => None,
    };
    http::Webhook::new(config.webhook_secret.clone()?, branch)
}

/// Another node that has the database.
#[derive(Debug, Clone)]
enum OtherNode {
    None,
    /// It may be leaving.
    MayLeave,
    /// It stays, and this is to be said of it.
    Stays(String),
}

/// Waits until the database is known, or as long as a start does; fails if another node has it.
async fn known_or_away(mut store: watch::Receiver<Option<Store>>, mut other: watch::Receiver<OtherNode>) -> anyhow::Result<()> {
    let mut leaving = other.clone();
    let patience = async {
        tokio::time::sleep(DATABASE_PATIENCE).await;
        let _ = leaving.wait_for(|other| !matches!(other, OtherNode::MayLeave)).await;
    };
    tokio::select! {
        biased;
        Ok(other) = other.wait_for(|other| matches!(other, OtherNode::Stays(_))) => {
            if let OtherNode::Stays(why) = &*other {
                bail!("{why}");
            }
        }
        _ = store.wait_for(Option::is_some) => {}
        () = patience => {}
    }
    Ok(())
}

/// Gets the database when it is there, and gives it to whoever needs it.
struct Database {
    config: Config,
    journal: Journal,
    live: Arc<Live>,
    clock: SharedClock,
    ids: Arc<Ids>,
    reached: watch::Sender<Option<Store>>,
    others: watch::Sender<OtherNode>,
    /// Tells this node from others.
    identity: String,
    stop: CancellationToken,
}

impl Database {
    async fn reach(self) {
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work() => {}
        }
    }

    async fn work(self) {
        self.tell(Some(NOT_YET.into()));
        let (store, lease) = self.open().await;
        match store.last_id().await {
            Ok(last) => self.ids.rise_above(last.unwrap_or(0)),
            Err(error) => tracing::warn!("new ids may be lower than earlier ones: {}", error.explained()),
        }
        self.tell(None);
        self.journal.connect(store.clone());
        self.reached.send_replace(Some(store.clone()));
        // After that, because the start waits for the database, and this for whoever else writes to it.
        let detail = serde_json::json!({ "version": env!("CARGO_PKG_VERSION"), "source": self.config.source.to_string() });
        if let Err(error) = store.record_start(self.clock.now_us(), &self.config.fingerprint(), detail).await {
            tracing::error!("the audit log misses this start: {}", error.explained());
        }
        let holding = lease.keep(|other| self.lost_or_regained(&store, other));
        let pruning = retention::run(store.clone(), self.config.retention, self.clock.clone(), self.journal.written(), self.stop.clone());
        tokio::join!(holding, pruning);
    }

    /// Tries until the database is there and no other node has it.
    async fn open(&self) -> (Store, Lease) {
        let (mut wait, mut in_use_since) = (RETRY.0, None);
        loop {
            match Store::open_as_node(&self.config.database_url, &self.config.data, &self.identity).await {
                Ok(opened) => {
                    self.others.send_replace(OtherNode::None);
                    return opened;
                }
                Err(error @ StoreError::InUse { .. }) => {
                    let since = in_use_since.get_or_insert_with(monotonic);
                    if since.elapsed() < IN_USE_PATIENCE {
                        self.others.send_replace(OtherNode::MayLeave);
                        wait = RETRY.0;
                    } else {
                        self.others.send_replace(OtherNode::Stays(error.to_string()));
                        // A start that still waits ends, and says this itself.
                        if self.others.receiver_count() == 0 {
                            self.tell_away(&error);
                        }
                    }
                }
                Err(error) => {
                    self.others.send_replace(OtherNode::None);
                    in_use_since = None;
                    self.tell_away(&error);
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY.1);
        }
    }

    fn tell_away(&self, error: &StoreError) {
        let message = error.explained();
        if self.live.status().database.as_deref() != Some(&message) {
            tracing::error!("serving without the database: {message}");
        }
        self.tell(Some(message));
    }

    fn tell(&self, problem: Option<String>) {
        self.live.set_status(|status| status.database.clone_from(&problem));
    }

    /// Says that another node took the database while the connection was broken, or that it has left.
    fn lost_or_regained(&self, store: &Store, other: Option<&str>) {
        self.tell(other.map(|why| format!("nothing is written to the database: {why}")));
        match other {
            Some(why) => tracing::error!("nothing is written to the database any more: {why}"),
            None => {
                tracing::info!("the database is this node's again");
                // What went live meanwhile is compared with what is live here.
                self.reached.send_replace(Some(store.clone()));
                self.journal.connect(store.clone());
            }
        }
    }
}

/// What a running node says about itself in its data folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Announcement {
    /// Its process.
    pub pid: u32,
    /// Where it answers, its control plane too.
    pub url: String,
    /// Which database it uses; none: a node of an earlier version does not say.
    #[serde(default)]
    database: Option<String>,
}

impl Announcement {
    /// Returns the database that the node uses, if it is another than this configuration names.
    pub fn other_database(&self, config: &Config) -> Option<&str> {
        self.database.as_deref().filter(|used| Some(*used) != described(config).as_deref())
    }
}

/// Names the database of a configuration alike, from wherever its data folder is named.
fn described(config: &Config) -> Option<String> {
    let data = config.data.canonicalize().ok()?;
    Store::describe(&config.database_url, &data).ok()
}

/// The folder that a node keeps its own files in, held by this process.
#[derive(Debug)]
struct DataFolder {
    path: PathBuf,
    /// Locked until the process ends, however it ends.
    _lock: File,
}

/// How long a start waits for the data folder, and how often it looks.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

const ANNOUNCEMENT: &str = "node.json";
const LOCK: &str = "node.lock";
const ADMIN_TOKEN: &str = "admin-token";
const NUMBER: &str = "node-number";

impl DataFolder {
    /// Makes the folder if it is not there, and takes hold of it.
    fn open(path: &Path) -> anyhow::Result<Self> {
        let hint = "let the user that PiCloud runs as write it, or name another folder with `--data`";
        let cannot = |error: std::io::Error| anyhow!("cannot use the data folder `{}`: {error}\n  hint: {hint}", path.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(cannot)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path.join(LOCK)).map_err(cannot)?;
        let began = monotonic();
        let locked = loop {
            match lock.try_lock() {
                // A node that was killed may have been starting a program, which lets go in a moment.
                Err(fs::TryLockError::WouldBlock) if began.elapsed() < LOCK_PATIENCE => std::thread::sleep(LOCK_PAUSE),
                locked => break locked,
            }
        };
        match locked {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(used_by_another(path)),
            Err(fs::TryLockError::Error(error)) => return Err(cannot(error)),
        }
        let folder = Self { path: path.into(), _lock: lock };
        folder.admin_token().map_err(cannot)?;
        Ok(folder)
    }

    /// Writes an admin token at the first start, for its owner alone, and says where it is.
    fn admin_token(&self) -> std::io::Result<()> {
        let path = self.path.join(ADMIN_TOKEN);
        if path.exists() {
            return Ok(());
        }
        // On a full disk there must be no token rather than an empty one.
        let next = self.path.join(format!("{ADMIN_TOKEN}.next"));
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&next)?;
        writeln!(file, "{}", access::new_secret()?.expose())?;
        fs::rename(&next, &path)?;
        tracing::info!("an admin token is in `{}`", path.display());
        Ok(())
    }

    /// Returns what tells this node's ids from those of others, drawn at the first start.
    fn number(&self) -> NodeNumber {
        let path = self.path.join(NUMBER);
        let kept = fs::read_to_string(&path).ok().and_then(|text| text.parse().ok());
        kept.unwrap_or_else(|| {
            let number = NodeNumber::drawn();
            if let Err(error) = fs::write(&path, format!("{number}\n")) {
                tracing::warn!("cannot keep the node's number in `{}`: {error}", path.display());
            }
            number
        })
    }

    /// Tells commands where this node answers.
    fn announce(&self, address: SocketAddr, database: Option<String>) -> std::io::Result<()> {
        let announcement = Announcement { pid: std::process::id(), url: format!("http://{address}"), database };
        let path = self.path.join(ANNOUNCEMENT);
        let next = self.path.join(format!("{ANNOUNCEMENT}.next"));
        fs::write(&next, serde_json::to_vec(&announcement)?).and_then(|()| fs::rename(&next, &path))?;
        Ok(())
    }
}

fn used_by_another(data: &Path) -> anyhow::Error {
    anyhow!("another node uses the data folder `{}`\n  hint: stop it, or name another folder with `--data`", data.display())
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.path.join(ANNOUNCEMENT));
    }
}

/// Returns where the admin token of a data folder is. A node that finds none there makes another when it starts.
pub fn admin_token_file(data: &Path) -> PathBuf {
    data.join(ADMIN_TOKEN)
}

/// Returns what tells a data folder from others, and nothing of its secret.
fn identity(admin_token: &Secret) -> String {
    access::TokenHash::of(&format!("node {}", admin_token.expose())).as_str()[..8].to_owned()
}

/// Returns the admin token of a data folder, for its owner.
pub fn admin_token(data: &Path) -> std::io::Result<Secret> {
    Ok(Secret::new(fs::read_to_string(admin_token_file(data))?.trim()))
}

/// Returns what the node that uses this data folder says about itself; `None` if none runs.
pub fn running(data: &Path) -> Option<Announcement> {
    let lock = File::open(data.join(LOCK)).ok()?;
    match lock.try_lock_shared() {
        Err(fs::TryLockError::WouldBlock) => serde_json::from_slice(&fs::read(data.join(ANNOUNCEMENT)).ok()?).ok(),
        _ => None,
    }
}
