//! What requests need of the node.

use std::{net::SocketAddr, sync::Arc};

use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{base::Base, data};
use crate::{
    access::admin::AdminToken,
    config::{Config, SourceConfig},
    http::{self, App, Auth, HttpSettings},
    source::git::backend::GitBackend,
    store::Store,
    sync::{
        earlier::{EarlierDeployments, EarlierParts},
        orders::SyncHandle,
    },
    trigger::RunOrders,
};

/// What was made before requests are taken.
pub struct Wiring<'a> {
    /// How the node is set up.
    pub config: &'a Config,
    /// Where the control plane listens.
    pub address: SocketAddr,
    /// As many connections are taken at each address.
    pub max_connections: usize,
    /// The parts that others share.
    pub base: &'a Base,
    /// The database, once it has been reached.
    pub store: watch::Receiver<Option<Store>>,
    /// Decides what is live.
    pub sync: SyncHandle,
    /// Takes orders to run schedules.
    pub run_orders: RunOrders,
    /// The repository that is pushed to here.
    pub hosted: Option<Arc<dyn GitBackend>>,
    /// The node stops.
    pub stop: CancellationToken,
}

impl Wiring<'_> {
    /// Returns what handlers of requests hold.
    pub fn app(self) -> anyhow::Result<App> {
        let Self { config, address, max_connections, base, store, sync, run_orders, hosted, stop } = self;
        let admin_token = AdminToken::read(data::admin_token_file(&config.data))?;
        Ok(App {
            settings: HttpSettings { max_connections, ..config.server.clone() },
            live: base.live.clone(),
            earlier: EarlierDeployments::new(EarlierParts {
                engine: base.engine.clone(),
                executor: base.executor.clone(),
                store: store.clone(),
                live: base.live.clone(),
                stack_bytes: config.executor.stack_bytes,
            }),
            runner: base.runner.clone(),
            journal: base.journal.clone(),
            counts: http::Counts::new(base.started_us),
            onsets: http::Onsets::default(),
            rankings: http::Rankings::default(),
            load: http::LoadMeter::new(base.started_us),
            identity: data::identity(&data::admin_token(&config.data)?),
            address,
            connections: TaskTracker::new(),
            limits: config.limits.clone(),
            ids: base.ids.clone(),
            sync,
            run_orders,
            schedules_changed: base.schedules_changed.clone(),
            vault: base.vault.clone(),
            auth: Auth::new(admin_token, store.clone(), base.clock.clone()),
            git: hosted,
            source: config.source.to_string(),
            database: Store::describe(&config.database_url, &config.data)?,
            kv_limits: config.kv,
            max_file_bytes: config.limits.file.0 as usize,
            webhook: webhook(config),
            store,
            tails: Arc::new(Semaphore::new(config.server.max_tails)),
            stop,
        })
    }
}

/// Returns who may say from outside that the source has changed.
fn webhook(config: &Config) -> Option<http::Webhook> {
    let branch = match &config.source {
        SourceConfig::Git(settings) if settings.previews == 0 => Some(settings.branch.clone()),
        SourceConfig::Git(_) | SourceConfig::Directory { .. } => None,
    };
    http::Webhook::new(config.webhook_secret.clone()?, branch)
}
