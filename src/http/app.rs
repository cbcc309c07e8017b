//! What requests need of the node.

use std::{net::SocketAddr, sync::Arc};

use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    function::LimitPolicy,
    http::{auth::Auth, counts::Counts, load::LoadMeter, onsets::Onsets, ranking::Rankings, settings::HttpSettings, webhook::Webhook},
    id::Ids,
    live::Live,
    runner::Runner,
    source::git::backend::GitBackend,
    store::{KvLimits, Store, journal::Journal},
    sync::{earlier::EarlierDeployments, orders::SyncHandle},
    trigger::RunOrders,
    vault::Vault,
};

/// What requests need of the node.
pub struct App {
    /// How requests come in.
    pub settings: HttpSettings,
    /// What is live.
    pub live: Arc<Live>,
    /// What was live.
    pub earlier: EarlierDeployments,
    /// Runs functions.
    pub runner: Arc<Runner>,
    /// Where executions are recorded.
    pub journal: Journal,
    /// What a run may use where a front-matter is silent, and how far that may go.
    pub limits: LimitPolicy,
    /// Tells the time by which ids are made.
    pub ids: Arc<Ids>,
    /// Decides what is live.
    pub sync: SyncHandle,
    /// Takes orders to run schedules.
    pub run_orders: RunOrders,
    /// Hears of schedules that are paused or resumed.
    pub schedules_changed: watch::Sender<u64>,
    /// Keeps secrets.
    pub vault: Vault,
    /// Knows who may do what.
    pub auth: Auth,
    /// The repository that is pushed to here.
    pub git: Option<Arc<dyn GitBackend>>,
    /// Where functions come from, for people.
    pub source: String,
    /// Where deployments and executions are kept, for people; without a password.
    pub database: String,
    /// The same, once it has been reached.
    pub store: watch::Receiver<Option<Store>>,
    /// What each namespace of the key-value store may hold.
    pub kv_limits: KvLimits,
    /// Bytes of one function file.
    pub max_file_bytes: usize,
    /// Places for those who follow executions or the status.
    pub tails: Arc<Semaphore>,
    /// The node stops: what has no end of its own ends.
    pub stop: CancellationToken,
    /// Who may say from outside that the source has changed, if anybody may.
    pub webhook: Option<Webhook>,
    /// What is counted of the node as a whole.
    pub counts: Counts,
    /// Since when parts of it are degraded.
    pub onsets: Onsets,
    /// How every function does.
    pub rankings: Rankings,
    /// How much it does.
    pub load: LoadMeter,
    /// Names the node.
    pub identity: String,
    /// Where the control plane listens.
    pub address: SocketAddr,
    /// The connections that are open, at every address.
    pub connections: TaskTracker,
}
