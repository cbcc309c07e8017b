//! Orders that others give to the sync loop.
//!
//! Orders are carried out one after the other, so nothing is decided twice at once. Orders that only ask are answered in the background. The
//! loop never waits for a network: who needs news of a remote waits for them before giving the order.

pub mod error;
pub mod rollback;
pub mod upload;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;

use self::{
    error::{NodeStopping, OrderError},
    rollback::{Rollback, RollbackOutcome},
    upload::{FilesCheck, Upload, UploadError, UploadOutcome},
};
use super::{diff::tree::TreeDiff, pin::PinOutcome};
use crate::{
    audit::Actor,
    deployment::{DeploymentId, Following, Snapshot},
    function::{Diagnostic, Revision, Tree, topic_reach::TopicReach},
    source::Source,
};

/// Gives orders to the sync loop. Cheap to clone.
#[derive(Clone)]
pub struct SyncHandle {
    orders: mpsc::Sender<Order>,
    source: Arc<dyn Source>,
}

/// Orders that wait; more senders wait themselves.
const QUEUE: usize = 16;

/// An order to the loop.
#[derive(Debug)]
pub enum Order {
    /// Look at the source; perhaps somebody waits for what comes of it.
    Look(Option<oneshot::Sender<SyncOutcome>>),
    /// Say what a snapshot would change, and change nothing.
    Check(Box<Snapshot>, oneshot::Sender<SnapshotCheck>),
    /// Say what these files of somebody with these topics would change if they were live beside the others, and change nothing.
    Try(Tree, TopicReach, oneshot::Sender<FilesCheck>),
    /// Change files of the source, and make that live.
    Upload(Box<Upload>, oneshot::Sender<Result<UploadOutcome, UploadError>>),
    /// Go back to an earlier deployment.
    Rollback(Rollback, oneshot::Sender<Result<RollbackOutcome, OrderError>>),
    /// Follow the source again after a rollback.
    Unpin(Actor, oneshot::Sender<Result<SyncOutcome, OrderError>>),
    /// Follow the source no longer.
    Suspend(Actor, oneshot::Sender<Result<(), OrderError>>),
    /// Follow it again.
    Resume(Actor, oneshot::Sender<Result<SyncOutcome, OrderError>>),
}

/// The outcome of a look at the source.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SyncOutcome {
    /// The revision of the source, if it could be read.
    pub wanted: Option<Revision>,
    /// The live deployment and its revision.
    #[schema(value_type = Option<[String; 2]>)]
    pub live: Option<(DeploymentId, Revision)>,
    /// Why what the source holds is not live, a sentence; none if it is.
    pub held: Option<String>,
    /// Why what the source holds is not known, or may be old.
    pub problem: Option<String>,
    /// Mistakes in it.
    pub diagnostics: Vec<Diagnostic>,
}

/// The changes that a snapshot would make.
#[derive(Debug, Clone)]
pub struct SnapshotCheck {
    /// Mistakes in it. With an error among them, it cannot go live.
    pub diagnostics: Vec<Diagnostic>,
    /// The functions that it would add, change and remove.
    pub plan: TreeDiff,
    /// The effect on a rollback, if there is one.
    pub rollback: Option<PinOutcome>,
    /// The words of operators about following the source.
    pub following: Following,
    /// Why the database does not answer: nothing can go live.
    pub database: Option<String>,
}

impl SyncHandle {
    /// Makes a handle and the end that the loop reads.
    pub fn new(source: Arc<dyn Source>) -> (Self, mpsc::Receiver<Order>) {
        let (orders, receiver) = mpsc::channel(QUEUE);
        (Self { orders, source }, receiver)
    }

    /// Has the source asked and looked at now, and waits until that is decided.
    pub async fn look(&self) -> Result<SyncOutcome, NodeStopping> {
        // Here and not in the loop, which has other orders to obey while a remote does not answer.
        self.source.refresh(true).await;
        self.ask(|reply| Order::Look(Some(reply))).await
    }

    /// Has the source asked and looked at soon. Many pokes at once are one.
    pub fn poke(&self) {
        self.source.poke();
        // Where the queue is full, the loop is awake.
        let _ = self.orders.try_send(Order::Look(None));
    }

    /// Has what is known of the source looked at again soon: what it needs may be there now, or gone.
    pub async fn look_again(&self) {
        // A loop that has ended looks at its next start.
        let _ = self.orders.send(Order::Look(None)).await;
    }

    /// Returns when the source is looked at without being told, in microseconds since 1970, if it is.
    pub fn next_look_us(&self) -> Option<i64> {
        self.source.next_look_us()
    }

    /// Says what a snapshot would change, and changes nothing.
    pub async fn check(&self, snapshot: Snapshot) -> Result<SnapshotCheck, NodeStopping> {
        self.ask(|reply| Order::Check(Box::new(snapshot), reply)).await
    }

    /// Says what these files of somebody who has these topics would change if they were live beside the others, and changes nothing.
    pub async fn try_files(&self, files: Tree, topics: TopicReach) -> Result<FilesCheck, NodeStopping> {
        self.ask(|reply| Order::Try(files, topics, reply)).await
    }

    /// Changes files of the source, and waits until that is live.
    pub async fn upload(&self, upload: Upload) -> Result<UploadOutcome, UploadError> {
        let answer = self.ask(|reply| Order::Upload(Box::new(upload), reply)).await;
        answer.map_err(OrderError::from)?
    }

    /// Makes the files of an earlier deployment live again.
    pub async fn rollback(&self, rollback: Rollback) -> Result<RollbackOutcome, OrderError> {
        self.ask(|reply| Order::Rollback(rollback, reply)).await?
    }

    /// Follows the source again after a rollback, and looks at it.
    pub async fn unpin(&self, by: Actor) -> Result<SyncOutcome, OrderError> {
        self.source.refresh(false).await;
        self.ask(|reply| Order::Unpin(by, reply)).await?
    }

    /// Lets nothing of the source go live until it is resumed.
    pub async fn suspend(&self, by: Actor) -> Result<(), OrderError> {
        self.ask(|reply| Order::Suspend(by, reply)).await?
    }

    /// Follows the source again, and looks at it.
    pub async fn resume(&self, by: Actor) -> Result<SyncOutcome, OrderError> {
        self.source.refresh(false).await;
        self.ask(|reply| Order::Resume(by, reply)).await?
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, NodeStopping> {
        let (sender, receiver) = oneshot::channel();
        self.orders.send(order(sender)).await.map_err(|_| NodeStopping)?;
        receiver.await.map_err(|_| NodeStopping)
    }
}
