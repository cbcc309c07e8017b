//! How a run waits for something outside.

use std::{future::Future, pin::Pin, time::Duration};

use super::meter::limits::Stop;
use crate::cancel::CancelFlag;

/// Lets a thread wait. While it does, it keeps no other run from computing.
pub trait Wait: Send + Sync {
    /// Waits on this thread until the future is over, at most for so long. It is dropped then.
    fn wait(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>, left: Duration);
}

/// Waits for a future, at most for so long and until the run is cancelled. Its rest is dropped then.
pub fn wait<T>(waiter: &dyn Wait, future: impl Future<Output = T>, left: Duration, cancel: Option<CancelFlag>) -> Result<T, Stop> {
    let mut result = Err(Stop::Deadline);
    let cancelled = async move {
        match cancel {
            Some(cancel) => cancel.wait().await,
            None => std::future::pending().await,
        }
    };
    let work = async {
        result = tokio::select! {
            biased;
            done = future => Ok(done),
            () = cancelled => Err(Stop::Cancelled),
        };
    };
    waiter.wait(Box::pin(work), left);
    result
}
