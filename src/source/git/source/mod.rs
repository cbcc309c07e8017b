//! The git source itself: which commit the deploy branch points to, and what is in it.

mod push;
mod read;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{
    commit,
    error::RepositoryError,
    own::OwnRepository,
    pushes::{PushRecord, Pushes},
    readable::must_be_readable,
    reader::Reader,
    reads::Reads,
    refs::{self, Head},
    remote::Fetcher,
    settings::{FOLDER, GitSettings, Repository},
    signature::{self, Signers},
    target::PushTarget as _,
    watch::RefWatch,
};
use crate::{
    clock::{SharedClock, monotonic},
    deployment::{Cause, Snapshot},
    function::Revision,
    source::{
        Source, SourceError,
        edit::{Edit, EditError},
    },
};

/// A git repository that is followed. Cheap to clone.
#[derive(Clone)]
pub struct GitSource(Arc<Inner>);

struct Inner {
    settings: GitSettings,
    repository: PathBuf,
    reader: Arc<Reader>,
    reads: Reads,
    /// Whose commits go live; none: everybody's.
    signers: Option<Signers>,
    watch: RefWatch,
    /// Of a remote: keeps the copy.
    fetcher: Option<Fetcher>,
    pushes: Arc<Pushes>,
    clock: SharedClock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The branches as they were told of or read, and why they may be old.
    seen: Option<(Vec<Head>, Option<String>)>,
    /// The last commit of the deploy branch that was read.
    last: Option<Snapshot>,
    /// The snapshots of other branches, by commit.
    previews: BTreeMap<Revision, Snapshot>,
    next_look_us: Option<i64>,
}

impl GitSource {
    /// Follows the repository in this folder, which is there and readable. For a remote, it is the copy in the data folder. Signatures are
    /// verified in the data folder, too.
    pub fn new(settings: GitSettings, repository: PathBuf, data: &Path, clock: SharedClock) -> io::Result<Self> {
        let fetcher = match &settings.repository {
            Repository::Remote(remote) => {
                let copy = OwnRepository::in_data(data, FOLDER)?;
                Some(Fetcher::start(&settings, remote.clone(), copy, clock.clone()))
            }
            Repository::Hosted | Repository::Bare(_) => None,
        };
        let signers = match &settings.allowed_signers {
            Some(allowed) => Some(Signers::new(allowed.clone(), OwnRepository::in_data(data, signature::FOLDER)?)),
            None => None,
        };
        let reader = Arc::new(Reader::new(repository.clone(), settings.root.clone(), settings.max_file_bytes));
        let reads = Reads::new(match &settings.repository {
            Repository::Bare(_) => settings.timeout,
            Repository::Hosted | Repository::Remote(_) => Duration::MAX,
        });
        let watch = RefWatch::new(&repository);
        let pushes = Arc::new(Pushes::in_data(data));
        let state = Mutex::default();
        Ok(Self(Arc::new(Inner { settings, repository, reader, reads, signers, watch, fetcher, pushes, clock, state })))
    }

    /// Returns how it is followed.
    pub fn settings(&self) -> &GitSettings {
        &self.0.settings
    }

    /// Returns where it is.
    pub fn repository(&self) -> &Path {
        &self.0.repository
    }

    /// Refuses a repository that cannot be read here.
    pub async fn must_be_readable(&self) -> Result<(), RepositoryError> {
        let repository = self.0.repository.clone();
        self.reading(move || must_be_readable(&repository)).await
    }

    /// Reads for a limited time.
    async fn reading<T: Send + 'static, E: From<RepositoryError> + Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        self.0.reads.run(&self.0.repository, read).await?
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Source for GitSource {
    fn cause(&self) -> Cause {
        match self.0.settings.repository {
            Repository::Hosted | Repository::Bare(_) => Cause::Push,
            Repository::Remote(_) => Cause::Pull,
        }
    }

    async fn changed(&self) {
        let interval = self.0.settings.interval;
        let next = self.0.clock.now_us() + interval.as_micros() as i64;
        self.state().next_look_us = Some(next);
        let wake = monotonic() + interval;
        loop {
            let fetched = async {
                match &self.0.fetcher {
                    Some(fetcher) => fetcher.changed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.0.watch.changed() => {}
                () = fetched => {}
                () = tokio::time::sleep_until(wake.into()) => return,
            }
            // What cannot be looked at is told by `snapshot`.
            let Ok(heads) = self.heads().await else { return };
            let now = Some((heads, self.problem()));
            let mut state = self.state();
            if state.seen != now {
                state.seen = now;
                return;
            }
        }
    }

    async fn snapshot(&self) -> Result<Snapshot, SourceError> {
        let heads = self.heads().await?;
        let branch = &self.0.settings.branch;
        let head = heads.iter().find(|head| head.branch == *branch).map(|head| head.commit.clone());
        self.state().seen = Some((heads, self.problem()));
        match head {
            Some(commit) => Ok(self.deployed(&commit).await?),
            None if self.0.fetcher.is_some() => Err(SourceError::NotFetched { problem: self.problem() }),
            None => {
                let repository = self.0.repository.clone();
                let others =
                    self.0.reads.run(&self.0.repository, move || refs::heads(&repository).unwrap_or_default()).await.unwrap_or_default();
                let other = others.into_iter().next().map(|head| head.branch);
                Err(SourceError::NoBranch { branch: branch.clone(), other })
            }
        }
    }

    async fn edit(&self, edit: Edit) -> Result<(), EditError> {
        if let Some(why) = commit::forbidden(&self.0.settings) {
            return Err(EditError::ReadOnly(why));
        }
        let modes = self.modes(&edit).await?;
        let (is_emptied, pushed) = (self.is_emptied_by(&edit), PushRecord { by: edit.author.clone(), replaces: None });
        let now_s = self.0.clock.now_us() / 1_000_000;
        let inner = self.0.clone();
        let make = move || {
            let Inner { settings, repository, reader, .. } = &*inner;
            let target = commit::CommitTarget { repository, branch: &settings.branch, root: &settings.root };
            commit::make(reader, &target, &edit, &modes, is_emptied, now_s)
        };
        let made = self.reading(make).await?;
        // The sync loop waits for this, so nobody has looked at the branch yet.
        self.expect(made, pushed).await;
        Ok(())
    }

    /// Where the node makes no commits, somebody else may make this one.
    async fn try_edit(&self, edit: Edit) -> Result<(), EditError> {
        self.modes(&edit).await.map(drop)
    }

    async fn refresh(&self, _takes_empty: bool) {
        if let Some(fetcher) = &self.0.fetcher {
            fetcher.fetch_now().await;
        }
    }

    fn poke(&self) {
        if let Some(fetcher) = &self.0.fetcher {
            fetcher.poke();
        }
    }

    fn problem(&self) -> Option<String> {
        self.0.fetcher.as_ref().and_then(Fetcher::problem)
    }

    fn next_look_us(&self) -> Option<i64> {
        match &self.0.fetcher {
            Some(fetcher) => fetcher.next_us(),
            None => self.state().next_look_us,
        }
    }

    async fn previews(&self) -> Result<Vec<(String, Snapshot)>, SourceError> {
        if self.0.settings.previews == 0 {
            return Ok(Vec::new());
        }
        let (mut previews, mut known) = (Vec::new(), std::mem::take(&mut self.state().previews));
        let mut read = BTreeMap::new();
        for head in self.heads().await?.into_iter().filter(|head| head.branch != self.0.settings.branch) {
            let snapshot = match known.remove(&Revision(head.commit.clone())) {
                Some(snapshot) => snapshot,
                None => match self.read(&head.commit, None).await {
                    Ok(snapshot) => snapshot,
                    Err(error) => {
                        tracing::warn!("branch `{}` cannot be read and is not shown: {error}", head.branch);
                        continue;
                    }
                },
            };
            read.insert(snapshot.revision.clone(), snapshot.clone());
            previews.push((head.branch, snapshot));
        }
        self.state().previews = read;
        Ok(previews)
    }
}
