//! How many requests are under way at once. More wait for a place.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::function::FunctionName;

/// Gives places to requests, in the order in which they ask.
pub struct Places {
    node: Arc<Semaphore>,
    per_function: usize,
    /// Functions with a request under way or waiting; others are forgotten when there are many.
    functions: Mutex<HashMap<FunctionName, Weak<Semaphore>>>,
}

/// A place, until it is dropped.
pub struct Place {
    _function: OwnedSemaphorePermit,
    _node: OwnedSemaphorePermit,
}

/// Names that may be kept without looking for those that are not needed.
const KEPT: usize = 256;

impl Places {
    /// Has so many places for all, and of them so many for one function.
    pub fn new(node: usize, per_function: usize) -> Self {
        Self { node: Arc::new(Semaphore::new(node)), per_function, functions: Mutex::default() }
    }

    /// Waits for a place. A function that waits for its own keeps none of the node's.
    pub async fn take(&self, function: &FunctionName) -> Place {
        let open = "nobody closes it";
        let of_function = self.of(function).acquire_owned().await.expect(open);
        let of_node = self.node.clone().acquire_owned().await.expect(open);
        Place { _function: of_function, _node: of_node }
    }

    fn of(&self, function: &FunctionName) -> Arc<Semaphore> {
        // Nothing that can panic runs while it is held.
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = functions.get(function).and_then(Weak::upgrade) {
            return known;
        }
        if functions.len() >= KEPT {
            functions.retain(|_, semaphore| semaphore.strong_count() > 0);
        }
        let semaphore = Arc::new(Semaphore::new(self.per_function));
        functions.insert(function.clone(), Arc::downgrade(&semaphore));
        semaphore
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_function_and_the_node_have_so_many_places() {
        let places = Places::new(3, 2);
        let take = |name: &str| places.take(&FunctionName::new(name)).now_or_never();
        let (first, second) = (take("a"), take("a"));
        assert!(second.is_some() && take("a").is_none());
        let third = take("b");
        assert!(third.is_some() && take("c").is_none());
        drop(first);
        assert!(take("c").is_some() && take("a").is_some());
        drop(third);
    }

    #[test]
    fn functions_without_requests_are_forgotten() {
        let places = Places::new(10 * KEPT, 1);
        let take = |at| places.take(&FunctionName::new(format!("f{at}"))).now_or_never().unwrap();
        let held = take(0);
        (1..10 * KEPT).for_each(|at| drop(take(at)));
        assert!(places.functions.lock().unwrap().len() <= KEPT);
        assert!(places.take(&FunctionName::new("f0")).now_or_never().is_none());
        drop(held);
    }
}
