//! Reading a repository that others may write takes a limited time. Whatever it meets there, the node goes on with what it has.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::timeout};

use super::error::RepositoryError;
use crate::blocking;

/// Reads at a time. One that was given up is among them until it ends.
const MOST: usize = 16;

/// Reads a repository on threads of its own.
pub struct Reads {
    limit: Duration,
    places: Arc<Semaphore>,
}

impl Reads {
    /// One read may take so long.
    pub fn new(limit: Duration) -> Self {
        Self { limit, places: Arc::new(Semaphore::new(MOST)) }
    }

    /// Reads; after the limit that goes on by itself, and nobody waits for it.
    pub async fn run<T: Send + 'static>(&self, repository: &Path, read: impl FnOnce() -> T + Send + 'static) -> Result<T, RepositoryError> {
        let places = self.places.clone();
        let reading = async {
            let place = places.acquire_owned().await.expect("nobody closes it");
            let read = move || {
                let read = read();
                drop(place);
                read
            };
            blocking::run(read).await.expect("reading objects does not panic")
        };
        let late = |_| RepositoryError::TooSlow { path: repository.into(), limit: self.limit };
        timeout(self.limit, reading).await.map_err(late)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_read_that_does_not_end_holds_nobody_and_those_are_not_many() {
        let reads = Reads::new(Duration::from_millis(20));
        let repository = Path::new("/srv/git/f.git");
        let mut stuck = Vec::new();
        for _ in 0..MOST {
            let (end, ended) = mpsc::channel::<()>();
            let error = reads.run(repository, move || ended.recv()).await.unwrap_err();
            assert_eq!(error.to_string(), "the repository `/srv/git/f.git` could not be read within 20ms");
            stuck.push(end);
        }
        let (begun, begins) = mpsc::channel();
        reads.run(repository, move || begun.send(())).await.unwrap_err();
        assert!(begins.try_recv().is_err(), "no further thread begins");
        drop(stuck);
        let reads = Reads { limit: Duration::from_secs(30), ..reads };
        assert_eq!(reads.run(repository, || 7).await.unwrap(), 7);
    }
}
