//! Carries out orders, or has them answered in the background.

use tokio::sync::oneshot;

use super::{
    Done, Sync,
    diff::tree::TreeDiff,
    live_checker::LiveChecker,
    orders::{Order, SnapshotCheck, SyncOutcome, error::OrderError},
};
use crate::{clock::monotonic, deployment::Snapshot, function::Diagnostic, shown::with_causes, store::Store};

impl Sync {
    /// Carries out an order. Whoever asked may have gone; that changes nothing.
    pub(super) async fn carry_out(&mut self, order: Order, done: Done) -> Done {
        match order {
            Order::Look(reply) => return self.look(reply).await,
            Order::Check(snapshot, reply) => {
                let store = self.store();
                self.background.answer(self.live_checker(), reply, |checker| check_snapshot(checker, *snapshot, store));
            }
            Order::Try(files, topics, reply) => {
                self.background.answer(self.live_checker(), reply, |checker| async move { checker.check_files(files, &topics).await });
            }
            Order::Upload(upload, reply) => drop(reply.send(self.upload(*upload).await)),
            Order::Rollback(rollback, reply) => drop(reply.send(self.roll_back(rollback).await)),
            Order::Suspend(by, reply) => drop(reply.send(self.suspend(by).await)),
            Order::Unpin(by, reply) => return self.unpin(by, reply, done).await,
            Order::Resume(by, reply) => return self.resume(by, reply, done).await,
        }
        done
    }

    async fn look(&mut self, reply: Option<oneshot::Sender<SyncOutcome>>) -> Done {
        let done = self.sync(self.parts.source.cause()).await;
        // A push waits for this, and not for what other branches show.
        if let Some(reply) = reply {
            let _ = reply.send(self.last_look());
        }
        self.show_previews().await;
        done
    }

    /// Says what came of the last look.
    pub(super) fn last_look(&self) -> SyncOutcome {
        let status = self.parts.live.status();
        let is_refused = status.diagnostics.iter().any(Diagnostic::is_error);
        let refused = || is_refused.then(|| "it has mistakes".to_owned());
        let held = [&status.source, &status.waiting, &status.held].into_iter().flatten().next().cloned();
        SyncOutcome {
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
}

/// Says what a snapshot would change.
async fn check_snapshot(checker: LiveChecker, snapshot: Snapshot, store: Result<Store, OrderError>) -> SnapshotCheck {
    let database = match store {
        Ok(store) => store.following().await.err().map(|error| with_causes(&error)),
        Err(error) => Some(error.to_string()),
    };
    let proposal = checker.propose(snapshot, monotonic()).await;
    SnapshotCheck {
        plan: TreeDiff::between(&checker.functions, &proposal.good.report.functions),
        diagnostics: proposal.good.diagnostics,
        rollback: proposal.rollback,
        following: checker.following,
        database,
    }
}
