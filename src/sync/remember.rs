//! What the store remembers of what is live, and how it gets to know it.

use std::sync::Arc;

use super::{Sync, whole};
use crate::{
    deployment::{Changes, Deployment, Following},
    function::tree::differences,
};

impl Sync {
    /// Learns from the store what was live before the node stopped.
    pub(super) async fn recall(&mut self) {
        let Some(store) = self.parts.store.borrow().clone() else { return };
        match tokio::try_join!(store.live(), store.last_deployment(), store.following()) {
            Ok((live, last, following)) => {
                if let Some((deployment, tree)) = live {
                    self.deployment = Some(deployment);
                    self.tree = Arc::new(tree);
                    let remembered = self.settle(whole(&self.tree)).await;
                    self.functions = remembered.report.functions;
                }
                self.decided = last.map(|last| (last.revision, last.diagnostics));
                self.follow_as(following);
            }
            Err(error) => tracing::error!("cannot read from the database what was live: {error}"),
        }
    }

    /// Records a deployment. Returns whether it may go live: not while a database that the node has known is away.
    pub(super) async fn record(&mut self, deployment: &Deployment, changes: &Changes) -> bool {
        let Some(store) = self.parts.store.borrow().clone() else {
            self.unrecorded = Some(deployment.clone());
            self.parts.live.set_status(|status| status.count(deployment));
            return true;
        };
        match store.record_deployment(deployment, changes).await {
            Ok(()) => {
                self.parts.live.set_status(|status| {
                    status.waiting = None;
                    status.database = None;
                    status.count(deployment);
                });
                true
            }
            Err(error) => {
                if self.parts.live.status().waiting.is_none() {
                    tracing::error!("the deployment of {} waits for the database: {error}", deployment.revision);
                }
                let waiting = format!("the deployment of {} waits for the database and goes live when that answers", deployment.revision);
                self.parts.live.set_status(|status| status.waiting = Some(waiting.clone()));
                false
            }
        }
    }

    /// The database has come after the node began without it: records what is live against what the store remembers. But where an operator
    /// went back or suspended the source, what the store remembers goes live again.
    pub(super) async fn record_what_is_live(&mut self) {
        let (Some(deployment), Some(store)) = (self.unrecorded.take(), self.parts.store.borrow().clone()) else { return };
        let (live, following) = match tokio::try_join!(store.live(), store.following()) {
            Ok(known) => known,
            Err(error) => {
                tracing::error!("cannot read from the database what was live: {error}");
                self.unrecorded = Some(deployment);
                return;
            }
        };
        let remembered = match live {
            Some((live, tree)) if following != Following::default() => {
                self.follow_as(following);
                self.tree = Arc::new(tree);
                let settled = self.settle(whole(&self.tree)).await;
                self.load(&settled).await;
                self.swap(live, settled);
                return;
            }
            live => live.map(|(_, tree)| tree).unwrap_or_default(),
        };
        let files = differences(&remembered, &self.tree);
        let changes = Changes {
            files: files.into_iter().map(|path| (path.clone(), self.tree.get(&path).cloned())).collect(),
            functions: self.functions.values().cloned().collect(),
            following: None,
        };
        if let Err(error) = store.record_deployment(&deployment, &changes).await {
            tracing::error!("cannot record what is live: {error}");
            self.unrecorded = Some(deployment);
        }
    }
}
