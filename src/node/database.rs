//! The database, which may be away when the node starts, or in use by another node.

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{base::Base, data, tasks::Tasks};
use crate::{
    clock::{SharedClock, monotonic},
    config::Config,
    id::Ids,
    live::Live,
    store::{Lease, LeaseChange, Store, StoreError, journal::Journal, queue::NodeEnd, retention},
    vault::Vault,
};

/// How long the start waits for the database before it goes on without.
const DATABASE_PATIENCE: Duration = Duration::from_secs(1);
/// What is said of a database that has not answered, and has not refused either.
const NOT_YET: &str = "the database has not answered yet";
/// How long a start waits for another node to leave the database. One that was killed is still leaving for a moment.
const IN_USE_PATIENCE: Duration = Duration::from_secs(3);
/// Shortest and longest wait between two attempts to reach a database that was away at the start.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Starts to look for the database, and waits for it as long as a start does.
pub async fn reach(config: &Config, base: &Base, tasks: &Tasks, before: NodeEnd) -> anyhow::Result<watch::Receiver<Option<Store>>> {
    let (reached, store) = (base.reached.clone(), base.reached.subscribe());
    let (others, other) = watch::channel(OtherNode::None);
    let database = Database {
        config: config.clone(),
        journal: base.journal.clone(),
        live: base.live.clone(),
        clock: base.clock.clone(),
        ids: base.ids.clone(),
        vault: base.vault.clone(),
        schedules_changed: base.schedules_changed.clone(),
        reached,
        others,
        sql_emitted: base.sql_emitted.clone(),
        identity: data::identity(&data::admin_token(&config.data)?),
        before,
        stop: tasks.last.clone(),
    };
    tasks.spawn(database.reach());
    known_or_away(store.clone(), other).await?;
    Ok(store)
}

/// Returns whether something was live before this start, as far as the database tells.
pub async fn remembers(store: &watch::Receiver<Option<Store>>) -> bool {
    let store = store.borrow().clone();
    match store {
        Some(store) => store.live_deployment().await.is_ok_and(|live| live.is_some()),
        None => false,
    }
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
    vault: Vault,
    schedules_changed: watch::Sender<u64>,
    reached: watch::Sender<Option<Store>>,
    others: watch::Sender<OtherNode>,
    /// Tells that SQL may have emitted events.
    sql_emitted: watch::Sender<u64>,
    /// Tells this node from others.
    identity: String,
    /// How this node ended the last time.
    before: NodeEnd,
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
        self.live.set_status(|status| {
            status.database = Some(NOT_YET.into());
            status.is_database_expected = true;
        });
        let (store, lease) = self.open().await;
        match store.last_id().await {
            Ok(last) => self.ids.rise_above(last.unwrap_or(0)),
            Err(error) => tracing::warn!("new ids may be lower than earlier ones: {}", error.explained()),
        }
        self.load_secrets(&store).await;
        self.journal.connect(store.clone());
        self.reached.send_replace(Some(store.clone()));
        // After that, because whoever hears of it emits an event, which the database keeps.
        self.tell(None);
        // Last, because the start waits for the database, and this for whoever else writes to it.
        let detail = serde_json::json!({ "version": env!("CARGO_PKG_VERSION"), "source": self.config.source.to_string() });
        if let Err(error) = store.record_start(self.clock.now_us(), &self.config.fingerprint(), detail).await {
            tracing::error!("the audit log misses this start: {}", error.explained());
        }
        let (regained, waits) = watch::channel(());
        let (lease_problem, lease_problems) = watch::channel(None);
        let emitted = || self.sql_emitted.send_modify(|count| *count += 1);
        // What was emitted while the node was down.
        emitted();
        let on_change = |change| {
            lease_problem.send_replace(problem_of(&change));
            if change == LeaseChange::Regained {
                self.regained(&store, &regained);
            }
        };
        let holding = lease.keep(on_change, emitted);
        let telling = self.tell_problems(lease_problems);
        let reloading = self.read_again(&store, waits);
        let pruning = retention::run(
            store.clone(),
            self.config.retention,
            self.config.queue,
            self.clock.clone(),
            self.journal.written(),
            self.stop.clone(),
        );
        tokio::join!(holding, telling, pruning, reloading);
    }

    /// Tries until the database is there and no other node has it.
    async fn open(&self) -> (Store, Lease) {
        let (mut wait, mut in_use_since) = (RETRY.0, None);
        loop {
            match self.open_once().await {
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

    /// Opens the database, and takes over what ran when the node before ended.
    async fn open_once(&self) -> Result<(Store, Lease), StoreError> {
        let (store, lease) = Store::open_as_node(&self.config.database_url, &self.config.data, &self.identity).await?;
        store.end_claims(&lease, self.before, self.clock.now_us()).await?;
        Ok((store, lease))
    }

    /// Reads the secrets, before functions are checked for those that they name.
    async fn load_secrets(&self, store: &Store) {
        if let Err(error) = self.vault.load(store).await {
            tracing::error!("secrets are not known: {}", error.explained());
        }
    }

    /// Reads secrets and schedules again when another node had the database: it may have changed them.
    async fn read_again(&self, store: &Store, mut regained: watch::Receiver<()>) {
        while regained.changed().await.is_ok() {
            self.load_secrets(store).await;
            self.schedules_changed.send_modify(|count| *count += 1);
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
        self.live.set_status(|status| {
            status.database.clone_from(&problem);
            status.is_database_expected = false;
        });
    }

    /// Tells whether the database answers: the lease knows it, and whoever brings executions there.
    async fn tell_problems(&self, mut lease: watch::Receiver<Option<String>>) {
        let mut journal = self.journal.outage();
        loop {
            let problem = lease.borrow_and_update().clone();
            let problem = problem.or_else(|| journal.borrow_and_update().clone());
            if self.live.status().database != problem {
                self.tell(problem);
            }
            tokio::select! {
                _ = lease.changed() => {}
                _ = journal.changed() => {}
            }
        }
    }

    /// This node has the database again, and others may have changed what is in it.
    fn regained(&self, store: &Store, regained: &watch::Sender<()>) {
        tracing::info!("the database is this node's again");
        // What went live meanwhile is compared with what is live here.
        self.reached.send_replace(Some(store.clone()));
        self.journal.connect(store.clone());
        regained.send_replace(());
    }
}

/// Says in the log why nothing is written to the database, and returns it.
fn problem_of(change: &LeaseChange) -> Option<String> {
    let problem = match change {
        LeaseChange::Lost(why) => format!("nothing is written to the database: {why}"),
        LeaseChange::Away(why) => format!("the database does not answer: {why}"),
        LeaseChange::Regained => return None,
    };
    tracing::error!("{problem}");
    Some(problem)
}
