//! How a run waits for something outside.

use std::{future::Future, pin::Pin, sync::mpsc::sync_channel, time::Duration};

use super::meter::limits::{CancelFlag, Stop};

/// Lets a thread wait. While it does, it keeps no other run from computing.
pub trait Wait: Send + Sync {
    /// Waits on this thread until the future is over, or will never be.
    fn wait(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>);
}

/// Waits for a future, at most for so long and until the run is cancelled. Its rest is dropped then.
pub fn wait<T: Send + 'static>(
    waiter: &dyn Wait,
    future: impl Future<Output = T> + Send + 'static,
    left: Duration,
    cancel: Option<CancelFlag>,
) -> Result<T, Stop> {
    let (sender, receiver) = sync_channel(1);
    let cancelled = async move {
        match cancel {
            Some(cancel) => cancel.wait().await,
            None => std::future::pending().await,
        }
    };
    waiter.wait(Box::pin(async move {
        let result = tokio::select! {
            result = future => Ok(result),
            () = tokio::time::sleep(left) => Err(Stop::Deadline),
            () = cancelled => Err(Stop::Cancelled),
        };
        let _ = sender.try_send(result);
    }));
    // Where nothing was sent, the node stops, or the future panicked.
    receiver.try_recv().unwrap_or(Err(Stop::Cancelled))
}
