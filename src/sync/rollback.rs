//! Makes the files of an earlier deployment live again.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Sync,
    check::needs::Excuse,
    diff::tree::TreeDiff,
    fallback::GoodTree,
    live_checker::LiveChecker,
    migrations,
    orders::{
        error::OrderError,
        rollback::{Rollback, RollbackOutcome},
    },
    whole,
};
use crate::{
    clock::monotonic,
    deployment::{Cause, Changes, Deployment, DeploymentId, DeploymentStatus, Following, Pin, Snapshot},
    function::{Digest, FilePath, Revision, Tree, tree::differences},
    store::{RecordOutcome, Store},
};

/// Deployments in a row that changed no file and are passed over on the way back.
const MAX_STEPS_BACK: usize = 100;

impl Sync {
    /// Makes the files of an earlier deployment live again, and keeps the source from undoing that.
    pub(super) async fn roll_back(&mut self, rollback: Rollback) -> Result<RollbackOutcome, OrderError> {
        let began = monotonic();
        let store = self.store()?;
        let from = self.deployment.as_ref().map(|live| live.id);
        if let Some((seen, live)) = rollback.from.zip(from).filter(|(seen, live)| seen != live) {
            return Err(OrderError::OtherLive { from: seen, live });
        }
        let to = match &rollback.to {
            Some(key) => store.find_deployment(key).await?,
            None => self.before(&store).await?,
        };
        let earlier = store.tree_of(to.id).await?.unwrap_or_default();
        let kept_migrations = migrations::kept_note(&earlier, &self.tree);
        let tree = Arc::new(migrations::keep(earlier, &self.tree));
        let files = differences(&self.tree, &tree);
        if files.is_empty() {
            return Err(OrderError::AlreadyLive(to.id));
        }
        let checker = LiveChecker { excuse: Excuse::All, ..self.live_checker() };
        let report = checker.check(&tree).await;
        if !report.is_good() {
            return Err(OrderError::Broken { id: to.id, diagnostics: report.diagnostics });
        }
        let plan = TreeDiff::between(&self.functions, &report.functions);
        let suspended = self.following.suspended.as_ref().map(ToString::to_string);
        if rollback.is_dry_run {
            return Ok(RollbackOutcome { to, from, plan, deployment: None, suspended });
        }
        let held = match self.parts.source.snapshot().await {
            Ok(snapshot) => snapshot,
            Err(_) => Snapshot { revision: self.live_revision(), ..whole(&self.tree) },
        };
        let following = Following { pin: Some(self.pin(&rollback, to.id, &tree)), ..self.following.clone() };
        let (wanted, diagnostics) = (Arc::new(held.tree.clone()), report.diagnostics.clone());
        let good = GoodTree { wanted, tree: tree.clone(), diagnostics, report, broken: Vec::new() };
        let deployment = Deployment { took_us: began.elapsed().as_micros() as i64, ..self.back_to(&to, &rollback, kept_migrations, &good) };
        let changes = Changes {
            files: files.into_iter().map(|path| (path.clone(), tree.get(&path).cloned())).collect(),
            functions: self.new_functions(&good),
            following: Some(following.clone()),
            origin: Some(rollback.origin),
        };
        self.load(&good).await;
        self.record_rollback(&store, &deployment, &changes).await?;
        self.decided = Some((deployment.revision.clone(), good.diagnostics.clone()));
        self.follow_as(following);
        self.announce(&good, &deployment, Some(deployment.id), "is live again");
        self.swap(deployment.clone(), good);
        let held = self.held(&held).or_else(|| self.held_files());
        self.parts.live.set_status(|status| {
            status.held.clone_from(&held);
            status.count(&deployment);
        });
        Ok(RollbackOutcome { to, from, plan, deployment: Some(deployment), suspended })
    }

    /// Returns what keeps the source from undoing a rollback.
    fn pin(&self, rollback: &Rollback, to: DeploymentId, tree: &Tree) -> Pin {
        Pin {
            to,
            abandoned: self.abandoned(),
            files: self.abandoned_files(tree),
            hold: rollback.hold,
            by: rollback.by.clone(),
            reason: rollback.reason.clone(),
            since_us: self.parts.ids.now_us(),
        }
    }

    /// Makes the deployment of a rollback. Nobody knows yet how long it takes.
    fn back_to(&self, to: &Deployment, rollback: &Rollback, kept_migrations: Option<String>, good: &GoodTree) -> Deployment {
        let said: Vec<String> = rollback.reason.iter().cloned().chain(kept_migrations).collect();
        let reason = (!said.is_empty()).then(|| said.join("; "));
        Deployment {
            id: DeploymentId(self.parts.ids.next()),
            revision: to.revision.clone(),
            cause: Cause::Rollback,
            by: Some(rollback.by.clone()),
            pushed_by: None,
            note: Some(Deployment::note_of_rollback(to.id, reason.as_deref())),
            subject: to.subject.clone(),
            status: DeploymentStatus::Live,
            diagnostics: good.diagnostics.clone(),
            changes: self.changes(good),
            functions: good.report.functions.len() as u32,
            took_us: 0,
        }
    }

    async fn record_rollback(&mut self, store: &Store, deployment: &Deployment, changes: &Changes) -> Result<(), OrderError> {
        let live = self.deployment.as_ref().map(|live| live.id);
        match store.record_deployment(deployment, changes, live).await? {
            RecordOutcome::Done => Ok(()),
            RecordOutcome::Overtaken(by) => {
                self.meet(by).await;
                Err(OrderError::NoDatabase(format!("deployment {by} of another node has gone live since")))
            }
        }
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
            let Some(before) = before? else { break };
            let tree = store.tree_of(before.id).await?.unwrap_or_default();
            if migrations::keep(tree, &self.tree) != *self.tree {
                return Ok(before);
            }
            last = before;
        }
        Err(OrderError::NothingBefore(format!("there is no live deployment before {} with other files", last.id)))
    }
}
