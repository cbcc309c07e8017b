//! A flag for work whose result nobody wants any more.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

/// Set by whoever no longer wants a result. Cheap to clone: all clones are one flag.
#[derive(Debug, Clone, Default)]
pub struct CancelFlag(Arc<Cancel>);

#[derive(Debug, Default)]
struct Cancel {
    is_set: AtomicBool,
    set: Notify,
}

impl CancelFlag {
    /// Sets it, for good.
    pub fn set(&self) {
        self.0.is_set.store(true, Ordering::Relaxed);
        self.0.set.notify_waiters();
    }

    /// Returns whether it is set.
    pub fn is_set(&self) -> bool {
        self.0.is_set.load(Ordering::Relaxed)
    }

    /// Waits until it is set.
    pub async fn wait(&self) {
        let mut set = pin!(self.0.set.notified());
        // From here on no notice is missed.
        set.as_mut().enable();
        if !self.is_set() {
            set.await;
        }
    }
}

/// Sets a flag when whoever waits for the result goes.
#[derive(Debug, Default)]
pub struct CancelOnDrop(pub CancelFlag);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}
