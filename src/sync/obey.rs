//! How the loop carries out orders.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Done, Sync,
    examine::Examiner,
    orders::{Checked, Look, Order, OrderError, Rollback, RolledBack},
    plan::Plan,
    settle::Settled,
    whole, with_causes,
};
use crate::{
    audit::{Action, Actor},
    clock::monotonic,
    deployment::{Cause, Changes, Deployment, DeploymentId, DeploymentStatus, Following, Pin, Snapshot, Suspension},
    function::{Diagnostic, Digest, FilePath, Revision, Tree, tree::differences},
    store::{Recorded, Store, StoreError},
};

impl Sync {
    /// Carries out an order. Whoever asked may have gone; that changes nothing.
    pub(super) async fn obey(&mut self, order: Order, done: Done) -> Done {
        match order {
            Order::Look(reply) => return self.look(reply).await,
            Order::Check(snapshot, reply) => {
                let store = self.store();
                self.try_beside(reply, |examiner| checked(examiner, *snapshot, store));
            }
            Order::Try(files, reply) => self.try_beside(reply, |examiner| async move { examiner.tried(files).await }),
            Order::Upload(upload, reply) => drop(reply.send(self.upload(*upload).await)),
            Order::Rollback(rollback, reply) => drop(reply.send(self.roll_back(rollback).await)),
            Order::Suspend(by, reply) => drop(reply.send(self.suspend(by).await)),
            Order::Unpin(by, reply) => {
                let unpinned = Following { pin: None, ..self.following.clone() };
                let wanted = if self.following.pin.is_some() { Ok(unpinned) } else { Err("nothing is pinned") };
                let to = self.following.pin.as_ref().map(|pin| pin.to);
                let why = (by, Action::Unpin, json!({ "pinned_to": to }));
                return self.change_and_look(wanted, why, reply, done).await;
            }
            Order::Resume(by, reply) => {
                let resumed = Following { suspended: None, ..self.following.clone() };
                let wanted = if self.following.suspended.is_some() { Ok(resumed) } else { Err("the source is not suspended") };
                return self.change_and_look(wanted, (by, Action::Resume, json!({})), reply, done).await;
            }
        }
        done
    }

    async fn look(&mut self, reply: Option<oneshot::Sender<Look>>) -> Done {
        let done = self.sync(self.parts.source.cause()).await;
        // A push waits for this, and not for what other branches show.
        if let Some(reply) = reply {
            let _ = reply.send(self.seen());
        }
        self.show_previews().await;
        done
    }

    /// Says what came of the last look.
    fn seen(&self) -> Look {
        let status = self.parts.live.status();
        let is_refused = status.diagnostics.iter().any(Diagnostic::is_error);
        let refused = || is_refused.then(|| "it has mistakes".to_owned());
        let held = [&status.source, &status.waiting, &status.held].into_iter().flatten().next().cloned();
        Look {
            wanted: status.wanted.clone(),
            live: status.live.as_ref().map(|live| (live.id, live.revision.clone())),
            held: held.or_else(refused),
            problem: status.source.clone(),
            diagnostics: status.diagnostics.clone(),
        }
    }

    pub(super) fn store(&self) -> Result<Store, OrderError> {
        let why = || self.parts.live.status().database.clone().unwrap_or_else(|| "it was never reached".into());
        self.parts.store.borrow().clone().ok_or_else(|| OrderError::NoDatabase(why()))
    }

    async fn suspend(&mut self, by: Actor) -> Result<(), OrderError> {
        if self.following.suspended.is_some() {
            return Err(OrderError::NothingToDo("the source is suspended already"));
        }
        let suspended = Some(Suspension { by: by.who.clone(), since_us: self.parts.ids.now_us() });
        let following = Following { suspended, ..self.following.clone() };
        self.change(following, (by, Action::Suspend, json!({}))).await?;
        // The next look, which would say so, comes when something changes.
        let held = self.following.suspended.as_ref().map(ToString::to_string);
        self.parts.live.set_status(|status| status.held.clone_from(&held));
        Ok(())
    }

    async fn change(&mut self, following: Following, (by, action, detail): Why) -> Result<(), OrderError> {
        let record = by.does(action, self.parts.ids.now_us(), detail);
        self.store()?.set_following(&following, &record).await.map_err(no_database)?;
        self.follow_as(following);
        Ok(())
    }

    async fn change_and_look(
        &mut self,
        wanted: Result<Following, &'static str>,
        why: Why,
        reply: oneshot::Sender<Result<Look, OrderError>>,
        done: Done,
    ) -> Done {
        let changed = match wanted {
            Ok(following) => self.change(following, why).await,
            Err(why) => Err(OrderError::NothingToDo(why)),
        };
        let done = if changed.is_ok() { self.sync(self.parts.source.cause()).await } else { done };
        let _ = reply.send(changed.map(|()| self.seen()));
        done
    }

    /// Makes the files of an earlier deployment live again, and keeps the source from undoing that.
    async fn roll_back(&mut self, rollback: Rollback) -> Result<RolledBack, OrderError> {
        let began = monotonic();
        let store = self.store()?;
        let to = match rollback.to {
            Some(key) => store.find_deployment(&key).await?,
            None => self.before(&store).await?,
        };
        let tree = store.tree_of(to.id).await.map_err(no_database)?.unwrap_or_default();
        let tree = Arc::new(tree);
        let files = differences(&self.tree, &tree);
        if files.is_empty() {
            return Err(OrderError::AlreadyLive(to.id));
        }
        let report = self.examiner().check(&tree).await;
        if !report.is_good() {
            return Err(OrderError::Broken { id: to.id, diagnostics: report.diagnostics });
        }
        let plan = Plan::between(&self.functions, &report.functions);
        let suspended = self.following.suspended.as_ref().map(ToString::to_string);
        if rollback.is_dry_run {
            return Ok(RolledBack { to, plan, deployment: None, suspended });
        }
        let held = match self.parts.source.snapshot().await {
            Ok(snapshot) => snapshot,
            Err(_) => Snapshot { revision: self.live_revision(), ..whole(&self.tree) },
        };
        let pin = Pin {
            to: to.id,
            abandoned: self.abandoned(),
            files: self.abandoned_files(&tree),
            hold: rollback.hold,
            by: rollback.by.clone(),
            reason: rollback.reason.clone(),
            since_us: self.parts.ids.now_us(),
        };
        let following = Following { pin: Some(pin), ..self.following.clone() };
        let (wanted, diagnostics) = (Arc::new(held.tree.clone()), report.diagnostics.clone());
        let settled = Settled { wanted, tree: tree.clone(), diagnostics, report, broken: Vec::new() };
        let deployment = Deployment {
            id: DeploymentId(self.parts.ids.next()),
            revision: to.revision.clone(),
            cause: Cause::Rollback,
            by: Some(rollback.by),
            pushed_by: None,
            note: Some(Deployment::note_of_rollback(to.id, rollback.reason.as_deref())),
            status: DeploymentStatus::Live,
            diagnostics: settled.diagnostics.clone(),
            changes: self.changes(&settled),
            functions: settled.report.functions.len() as u32,
            took_us: began.elapsed().as_micros() as i64,
        };
        let changes = Changes {
            files: files.into_iter().map(|path| (path.clone(), tree.get(&path).cloned())).collect(),
            functions: self.new_functions(&settled),
            following: Some(following.clone()),
            origin: Some(rollback.origin),
        };
        self.load(&settled).await;
        let live = self.deployment.as_ref().map(|live| live.id);
        if let Recorded::Overtaken(by) = store.record_deployment(&deployment, &changes, live).await.map_err(no_database)? {
            self.meet(by).await;
            return Err(OrderError::NoDatabase(format!("deployment {by} of another node has gone live since")));
        }
        self.decided = Some((deployment.revision.clone(), settled.diagnostics.clone()));
        self.follow_as(following);
        self.announce(&settled, &deployment, Some(deployment.id), "is live again");
        self.swap(deployment.clone(), settled);
        let held = self.held(&held).or_else(|| self.held_files());
        self.parts.live.set_status(|status| {
            status.held.clone_from(&held);
            status.count(&deployment);
        });
        Ok(RolledBack { to, plan, deployment: Some(deployment), suspended })
    }

    /// Returns the revision that is abandoned by going back: what was live of the source, which may hold something newer.
    fn abandoned(&self) -> Revision {
        let is_rollback = self.deployment.as_ref().is_some_and(|live| live.cause == Cause::Rollback);
        match self.following.pin.as_ref().filter(|_| is_rollback) {
            Some(pin) => pin.abandoned.clone(),
            None => self.live_revision(),
        }
    }

    /// Returns the files that are abandoned by going back to this tree, with what was live of them, or what was abandoned before.
    fn abandoned_files(&self, to: &Tree) -> BTreeMap<FilePath, Option<Digest>> {
        let digest = |tree: &Tree, file: &FilePath| tree.get(file).map(|content| content.digest);
        let mut files: BTreeMap<_, _> =
            differences(to, &self.tree).into_iter().map(|file| (file.clone(), digest(&self.tree, &file))).collect();
        files.extend(self.following.pin.iter().flat_map(|pin| pin.files.clone()));
        files.retain(|file, abandoned| digest(to, file) != *abandoned);
        files
    }

    fn live_revision(&self) -> Revision {
        match &self.deployment {
            Some(live) => live.revision.clone(),
            None => whole(&self.tree).revision,
        }
    }

    /// Returns the last deployment before the live one whose files differ from it. What lies between a rollback and where that led was
    /// gone back from, and is passed over.
    async fn before(&self, store: &Store) -> Result<Deployment, OrderError> {
        let live = self.deployment.as_ref().ok_or_else(|| OrderError::NothingBefore("nothing was ever live".into()))?;
        let mut last = live.clone();
        for _ in 0..MAX_STEPS_BACK {
            let before = match last.went_back_to() {
                Some(to) => store.deployment(to).await,
                None => store.live_before(last.id).await,
            };
            let Some(before) = before.map_err(no_database)? else { break };
            let tree = store.tree_of(before.id).await.map_err(no_database)?.unwrap_or_default();
            if tree != *self.tree {
                return Ok(before);
            }
            last = before;
        }
        Err(OrderError::NothingBefore(format!("there is no live deployment before {} with other files", last.id)))
    }
}

/// Says what a snapshot would change.
async fn checked(examiner: Examiner, snapshot: Snapshot, store: Result<Store, OrderError>) -> Checked {
    let database = match store {
        Ok(store) => store.following().await.err().map(|error| with_causes(&error)),
        Err(error) => Some(error.to_string()),
    };
    let proposal = examiner.propose(snapshot, monotonic()).await;
    Checked {
        plan: Plan::between(&examiner.functions, &proposal.settled.report.functions),
        diagnostics: proposal.settled.diagnostics,
        rollback: proposal.rollback,
        following: examiner.following,
        database,
    }
}

/// Who wants how the source is followed to change, and what the audit log says of it.
type Why = (Actor, Action, Value);

/// Deployments in a row that changed no file and are passed over on the way back.
const MAX_STEPS_BACK: usize = 100;

pub(super) fn no_database(error: StoreError) -> OrderError {
    OrderError::NoDatabase(with_causes(&error))
}
