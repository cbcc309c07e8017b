//! What the store remembers of what is live, and how it gets to know it.

use std::{collections::BTreeMap, sync::Arc};

use super::{Sync, check::Functions, settle::Settled, whole};
use crate::{
    deployment::{Cause, Changes, Deployment, DeploymentId, Following, FunctionChange},
    function::{Digest, FilePath, FunctionName, Revision, SharedFunction, Tree, Version, tree::differences},
    store::{FunctionVersion, Recorded, StoreError},
};

/// What became of a deployment that was to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// It may go live.
    Yes,
    /// Not while a database that the node has known is away.
    Waits,
    /// It is to be found out anew: it was compared with what is no longer the last deployment in the database.
    Overtaken,
}

impl Sync {
    /// Learns from the store what was live before the node stopped.
    pub(super) async fn recall(&mut self) {
        let Some(store) = self.parts.store.borrow().clone() else { return };
        match tokio::try_join!(store.live(), store.last_deployment(), store.following()) {
            Ok((live, last, following)) => {
                if let Some((deployment, tree)) = live {
                    self.deployment = Some(deployment);
                    self.tree = Arc::new(tree);
                    let remembered = self.examiner().settle(whole(&self.tree)).await;
                    self.functions = remembered.report.functions;
                }
                self.decided = last.map(|last| (last.revision, last.diagnostics));
                self.follow_as(following);
            }
            Err(error) => tracing::error!("cannot read from the database what was live: {}", error.explained()),
        }
    }

    /// Tells the source which files it held when it was last followed: those that are live, but where an operator went back those that were
    /// there then.
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

    /// Records a deployment.
    pub(super) async fn record(&mut self, deployment: &Deployment, changes: &Changes) -> Kept {
        let Some(store) = self.parts.store.borrow().clone() else {
            let waiting = format!("{} is live, and is recorded when the database is there", deployment.revision);
            self.parts.live.set_status(|status| status.waiting = Some(waiting.clone()));
            self.unrecorded = Some(deployment.clone());
            self.parts.live.set_status(|status| status.count(deployment));
            return Kept::Yes;
        };
        // What comes later is told as the difference to what is live, so that must be known first.
        if self.unrecorded.is_some() {
            self.tell_behind(&deployment.revision);
            return Kept::Waits;
        }
        match store.record_deployment(deployment, changes, self.deployment.as_ref().map(|live| live.id)).await {
            Ok(Recorded::Done) => {
                self.parts.live.set_status(|status| {
                    status.waiting = None;
                    status.database = None;
                    status.count(deployment);
                });
                Kept::Yes
            }
            Ok(Recorded::Overtaken(by)) => {
                self.meet(by).await;
                Kept::Overtaken
            }
            // Nothing is live that could be lost, so that nobody is served by waiting.
            Err(error) if self.deployment.is_none() && !self.parts.live.table().is_loaded() => {
                self.unrecorded = Some(deployment.clone());
                self.tell_unrecorded(&deployment.revision, &error);
                Kept::Yes
            }
            Err(error) => {
                let why = error.explained();
                if self.parts.live.status().waiting.is_none() {
                    tracing::error!("the deployment of {} waits for the database: {why}", deployment.revision);
                }
                let waiting =
                    format!("the deployment of {} waits for the database and goes live when that answers: {why}", deployment.revision);
                self.parts.live.set_status(|status| status.waiting = Some(waiting.clone()));
                Kept::Waits
            }
        }
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
                let settled = self.examiner().settle(whole(&self.tree)).await;
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
            ..Changes::default()
        };
        deployment.changes = changes_since(&functions, &self.functions);
        match store.record_deployment(&deployment, &changes, last).await {
            Ok(Recorded::Done) => {
                self.parts.live.set_status(|status| status.waiting = None);
                self.deployment = Some(deployment);
            }
            // It has just been read: the next look reads it again.
            Ok(Recorded::Overtaken(_)) => self.unrecorded = Some(deployment),
            Err(error) => {
                self.tell_unrecorded(&deployment.revision, &error);
                self.unrecorded = Some(deployment);
            }
        }
    }

    /// Returns what is different from the functions that are live.
    pub(super) fn changes(&self, settled: &Settled) -> Vec<FunctionChange> {
        let after = &settled.report.functions;
        let removed = self.functions.iter().filter(|(path, _)| !after.contains_key(*path)).map(|(_, function)| FunctionChange {
            function: function.name.clone(),
            from: Some(function.version),
            to: None,
        });
        let others = after.iter().filter_map(|(path, function)| {
            let from = self.functions.get(path).map(|before| before.version);
            (from != Some(function.version)).then(|| FunctionChange { function: function.name.clone(), from, to: Some(function.version) })
        });
        removed.chain(others).collect()
    }

    /// Returns the functions whose version is not live.
    pub(super) fn new_functions(&self, settled: &Settled) -> Vec<SharedFunction> {
        let is_new =
            |path: &FilePath, function: &SharedFunction| self.functions.get(path).is_none_or(|before| before.version != function.version);
        settled.report.functions.iter().filter(|(path, function)| is_new(path, function)).map(|(_, function)| function.clone()).collect()
    }
}

/// Compares functions with those that the store remembers.
fn changes_since(before: &[FunctionVersion], after: &Functions) -> Vec<FunctionChange> {
    let mut before: BTreeMap<&FunctionName, Version> = before.iter().map(|known| (&known.function, known.version)).collect();
    let mut changes = Vec::new();
    for function in after.values() {
        let from = before.remove(&function.name);
        if from != Some(function.version) {
            changes.push(FunctionChange { function: function.name.clone(), from, to: Some(function.version) });
        }
    }
    changes.extend(before.into_iter().map(|(name, version)| FunctionChange { function: name.clone(), from: Some(version), to: None }));
    changes
}
