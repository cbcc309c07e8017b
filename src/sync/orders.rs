//! What others may ask of the sync loop. Orders are served one after the other, so that nothing is decided twice at once.

use tokio::sync::{mpsc, oneshot};

/// The loop has ended: the node is stopping.
#[derive(Debug, thiserror::Error)]
#[error("the node is stopping")]
pub struct Stopping;

/// Gives orders to the sync loop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SyncHandle {
    orders: mpsc::Sender<Order>,
}

/// Orders that wait; more senders wait themselves.
const QUEUE: usize = 16;

/// What the loop is asked to do.
#[derive(Debug)]
pub enum Order {
    /// Refresh the source and look at it.
    Look(oneshot::Sender<()>),
    /// The same, and nobody waits for it.
    Poke,
}

impl SyncHandle {
    /// Makes a handle and the end that the loop reads.
    pub fn new() -> (Self, mpsc::Receiver<Order>) {
        let (orders, receiver) = mpsc::channel(QUEUE);
        (Self { orders }, receiver)
    }

    /// Has the source asked and looked at now, and waits until that is decided.
    pub async fn look(&self) -> Result<(), Stopping> {
        self.ask(Order::Look).await
    }

    /// Has the source asked and looked at soon. Many pokes at once are one.
    pub fn poke(&self) {
        let _ = self.orders.try_send(Order::Poke);
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Stopping> {
        let (sender, receiver) = oneshot::channel();
        self.orders.send(order(sender)).await.map_err(|_| Stopping)?;
        receiver.await.map_err(|_| Stopping)
    }
}
