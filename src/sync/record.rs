//! Writes deployments to the store. Nothing goes live that the store does not know, unless the node began without it.

use std::sync::Arc;

use super::{Sync, changes::changes_since, whole};
use crate::{
    deployment::{Cause, Changes, Deployment, DeploymentId, Following},
    function::{Revision, Tree, tree::differences},
    store::{RecordOutcome, StoreError},
};

/// The outcome of recording a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recording {
    /// It may go live.
    Done,
    /// Not while a database that the node has known is away.
    Waits,
    /// It is to be found out anew: it was compared with what is no longer the last deployment in the database.
    Overtaken,
}

impl Sync {
    /// Records a deployment.
    pub(super) async fn record(&mut self, deployment: &Deployment, changes: &Changes) -> Recording {
        let Some(store) = self.parts.store.borrow().clone() else {
            let waiting = format!("{} is live, and is recorded when the database is there", deployment.revision);
            self.parts.live.set_status(|status| status.waiting = Some(waiting.clone()));
            self.unrecorded = Some(deployment.clone());
            self.parts.live.set_status(|status| status.count(deployment));
            return Recording::Done;
        };
        // What comes later is told as the difference to what is live, so that must be known first.
        if self.unrecorded.is_some() {
            self.tell_behind(&deployment.revision);
            return Recording::Waits;
        }
        match store.record_deployment(deployment, changes, self.deployment.as_ref().map(|live| live.id)).await {
            Ok(RecordOutcome::Done) => {
                self.parts.live.set_status(|status| {
                    status.waiting = None;
                    status.count(deployment);
                });
                Recording::Done
            }
            Ok(RecordOutcome::Overtaken(by)) => {
                self.meet(by).await;
                Recording::Overtaken
            }
            // Nothing is live that could be lost, so that nobody is served by waiting.
            Err(error) if self.deployment.is_none() && !self.parts.live.table().is_loaded() => {
                self.unrecorded = Some(deployment.clone());
                self.tell_unrecorded(&deployment.revision, &error);
                Recording::Done
            }
            Err(error) => {
                let why = error.explained();
                if self.parts.live.status().waiting.is_none() {
                    tracing::error!("the deployment of {} waits for the database: {why}", deployment.revision);
                }
                let waiting =
                    format!("the deployment of {} waits for the database and goes live when that answers: {why}", deployment.revision);
                self.parts.live.set_status(|status| status.waiting = Some(waiting.clone()));
                Recording::Waits
            }
        }
    }

    fn tell_unrecorded(&self, revision: &Revision, error: &StoreError) {
        let why = error.explained();
        if self.parts.live.status().waiting.is_none() {
            tracing::error!("{revision} is live, and cannot be recorded yet: {why}");
        }
        let waiting = format!("{revision} is live, and is recorded when the database takes it: {why}");
        // What waits behind it has been told with it.
        if !self.parts.live.status().waiting.as_ref().is_some_and(|told| told.ends_with(&waiting)) {
            self.parts.live.set_status(|status| status.waiting = Some(waiting.clone()));
        }
    }

    /// Says that a deployment waits behind what is live, which is not recorded.
    fn tell_behind(&self, revision: &Revision) {
        let behind = format!("the deployment of {revision} waits for the database");
        let told = self.parts.live.status().waiting.clone().unwrap_or_default();
        if !told.starts_with(&behind) {
            let first = told.split_once("; ").filter(|_| told.starts_with("the deployment of ")).map_or(&*told, |(_, first)| first);
            tracing::error!("{behind}; {first}");
            self.parts.live.set_status(|status| status.waiting = Some(format!("{behind}; {first}")));
        }
    }

    /// The database has come after the node began without it: records what is live against what the store remembers. But where an operator
    /// went back or suspended the source, what the store remembers goes live again.
    pub(super) async fn record_what_is_live(&mut self) {
        let Some(store) = self.parts.store.borrow().clone() else { return };
        let Some(mut deployment) = self.unrecorded.take() else { return };
        let (live, functions, following) = match tokio::try_join!(store.live(), store.live_functions(), store.following()) {
            Ok(known) => known,
            Err(error) => {
                self.tell_unrecorded(&deployment.revision, &error);
                self.unrecorded = Some(deployment);
                return;
            }
        };
        let last = live.as_ref().map(|(live, _)| live.id);
        // Trees are read in the order of ids, so what is recorded now must come last.
        if let Some(last) = last.filter(|last| *last > deployment.id) {
            self.parts.ids.rise_above(last.0);
            deployment.id = DeploymentId(self.parts.ids.next());
        }
        // Of a folder that is empty nobody knew that it was not.
        let is_empty = |tree: &Tree| self.parts.source.cause() == Cause::Save && self.tree.is_empty() && !tree.is_empty();
        let remembered = match live {
            Some((live, tree)) if following != Following::default() || is_empty(&tree) => {
                self.parts.live.set_status(|status| status.waiting = None);
                self.follow_as(following);
                self.tree = Arc::new(tree);
                self.remind_source().await;
                let good = self.live_checker().fall_back(whole(&self.tree)).await;
                self.load(&good).await;
                self.swap(live, good);
                return;
            }
            live => live.map(|(_, tree)| tree).unwrap_or_default(),
        };
        let files = differences(&remembered, &self.tree);
        let changes = Changes {
            files: files.into_iter().map(|path| (path.clone(), self.tree.get(&path).cloned())).collect(),
            functions: self.functions.values().cloned().collect(),
            ..Changes::default()
        };
        deployment.changes = changes_since(&functions, &self.functions);
        match store.record_deployment(&deployment, &changes, last).await {
            Ok(RecordOutcome::Done) => {
                self.parts.live.set_status(|status| status.waiting = None);
                self.deployment = Some(deployment);
            }
            // It has just been read: the next look reads it again.
            Ok(RecordOutcome::Overtaken(_)) => self.unrecorded = Some(deployment),
            Err(error) => {
                self.tell_unrecorded(&deployment.revision, &error);
                self.unrecorded = Some(deployment);
            }
        }
    }
}
