//! Learns from the store what is live, and tells the source.

use std::{collections::BTreeMap, sync::Arc};

use super::{Sync, whole};
use crate::{
    deployment::DeploymentId,
    function::{Digest, FilePath},
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
                    let remembered = self.live_checker().fall_back(whole(&self.tree)).await;
                    self.functions = remembered.report.functions;
                }
                self.decided = last.map(|last| (last.revision, last.diagnostics));
                self.follow_as(following);
            }
            Err(error) => tracing::error!("cannot read from the database what was live: {}", error.explained()),
        }
    }

    /// Tells the source which files it held when it was last followed. Those are the live ones. Of files that a rollback changed, it is what
    /// the rollback abandoned.
    pub(super) async fn remind_source(&self) {
        let mut files: BTreeMap<FilePath, Digest> = self.tree.iter().map(|(path, content)| (path.clone(), content.digest)).collect();
        for (path, digest) in self.following.pin.iter().flat_map(|pin| &pin.files) {
            match digest {
                Some(digest) => drop(files.insert(path.clone(), *digest)),
                None => drop(files.remove(path)),
            }
        }
        self.parts.source.remember(files).await;
    }

    /// Another deployment went live in the database than the last that is known here: what is there is what the next one is compared with.
    pub(super) async fn meet(&mut self, by: DeploymentId) {
        tracing::warn!("deployment {by} of another node is the last in the database; what the source holds is compared with it");
        self.parts.ids.rise_above(by.0);
        self.recall().await;
    }

    /// Looks whether the database holds another live deployment than the one that is live here, after another node had it.
    pub(super) async fn meet_others(&mut self) {
        let Some(store) = self.parts.store.borrow().clone() else { return };
        let Some(live) = self.deployment.as_ref().filter(|_| self.unrecorded.is_none()) else { return };
        match store.live_deployment().await {
            Ok(Some(last)) if last.id != live.id => self.meet(last.id).await,
            Ok(_) => {}
            // The next deployment finds out.
            Err(error) => tracing::warn!("cannot read from the database what was live last: {}", error.explained()),
        }
    }
}
