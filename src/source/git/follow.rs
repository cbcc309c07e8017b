//! The source itself: which commit the deploy branch points to, and what is in it.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{
    FOLDER, OwnRepository, Repository, RepositoryError, Settings, commit, denied,
    pushes::{Pushed, Pushes},
    readable::must_be_readable,
    reader::{Reader, Unfit},
    reads::Reads,
    refs::{self, HEADS, Head},
    remote::Fetcher,
    signature::{self, Signers},
    watch::RefWatch,
};
use crate::{
    clock::{SharedClock, monotonic},
    deployment::{Cause, Snapshot},
    function::{Diagnostic, Revision},
    source::{
        Source, SourceError,
        edit::{Edit, EditError},
    },
};

/// Branches that a push moves, and the commits that they point to afterwards; none if it deletes them.
pub type Moved = BTreeMap<String, Option<String>>;

/// A git repository that is followed. Cheap to clone.
#[derive(Clone)]
pub struct GitSource(Arc<Inner>);

struct Inner {
    settings: Settings,
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

impl Inner {
    /// Leaves of all branches, which are in order of name, those that matter.
    fn choose(&self, heads: Vec<Head>, quarantine: Option<&Path>) -> Result<Vec<Head>, RepositoryError> {
        let (mut chosen, mut others): (Vec<Head>, Vec<Head>) = heads.into_iter().partition(|head| head.branch == self.settings.branch);
        if self.settings.previews > 0 {
            self.reader.sort_by_time(&mut others, quarantine)?;
        }
        others.truncate(self.settings.previews);
        chosen.append(&mut others);
        Ok(chosen)
    }

    fn no_references(&self, error: io::Error) -> RepositoryError {
        denied::in_references(&self.repository, error)
    }
}

impl GitSource {
    /// Follows the repository in this folder, which is there and readable; of a remote it is the copy in the data folder, where signatures
    /// are verified too.
    pub fn new(settings: Settings, repository: PathBuf, data: &Path, clock: SharedClock) -> io::Result<Self> {
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
    pub fn settings(&self) -> &Settings {
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

    /// Reads a commit; what a push has brought and git has not yet accepted lies in `quarantine`.
    pub async fn read(&self, commit: &str, quarantine: Option<PathBuf>) -> Result<Snapshot, RepositoryError> {
        let unsigned = match &self.0.signers {
            Some(signers) => self.unsigned(signers, commit, quarantine.clone()).await?,
            None => None,
        };
        let (reader, commit) = (self.0.reader.clone(), commit.to_owned());
        let mut snapshot = self.reading(move || reader.read(&commit, quarantine.as_deref())).await?;
        snapshot.problems.extend(unsigned);
        Ok(snapshot)
    }

    async fn unsigned(&self, signers: &Signers, commit: &str, quarantine: Option<PathBuf>) -> Result<Option<Diagnostic>, RepositoryError> {
        let (reader, name) = (self.0.reader.clone(), commit.to_owned());
        let folders = reader.folders(quarantine.as_deref());
        let signature = self.reading(move || reader.signature(&name, quarantine.as_deref())).await?;
        Ok(signers.problem(commit, signature.as_deref(), &folders).await?)
    }

    /// Returns whether a commit contains another.
    pub async fn contains(&self, commit: &str, other: &str, quarantine: Option<PathBuf>) -> Result<bool, RepositoryError> {
        let (reader, commit, other) = (self.0.reader.clone(), commit.to_owned(), other.to_owned());
        self.reading(move || reader.contains(&commit, &other, quarantine.as_deref())).await
    }

    /// Returns why a branch cannot point to something that a push has brought, if it cannot.
    pub async fn unfit(&self, id: &str, quarantine: Option<PathBuf>) -> Result<Option<Unfit>, RepositoryError> {
        let (reader, id) = (self.0.reader.clone(), id.to_owned());
        self.reading(move || reader.unfit(&id, quarantine.as_deref())).await
    }

    /// Returns the references that cannot be there together with this one, which may be new.
    pub async fn in_the_way(&self, name: &str) -> Result<Vec<String>, RepositoryError> {
        let (inner, name) = (self.0.clone(), name.to_owned());
        let deploy = format!("{HEADS}{}", self.0.settings.branch);
        self.reading(move || {
            // The branch that deploys has its name although it may not be there yet.
            if refs::exclude_each_other(&name, &deploy) {
                return Ok(vec![deploy]);
            }
            refs::in_the_way(&inner.repository, &name).map_err(|error| inner.no_references(error))
        })
        .await
    }

    /// Remembers who pushes a commit.
    pub async fn expect(&self, commit: Revision, pushed: Pushed) {
        let pushes = self.0.pushes.clone();
        let _ = crate::blocking::run(move || pushes.expect(commit, pushed)).await;
    }

    async fn pushed(&self, commit: Revision) -> Option<Pushed> {
        let pushes = self.0.pushes.clone();
        crate::blocking::run(move || pushes.arrived(&commit)).await.flatten()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the branches that matter: the one that deploys, and as many others as are shown.
    async fn heads(&self) -> Result<Vec<Head>, RepositoryError> {
        let inner = self.0.clone();
        self.reading(move || inner.choose(refs::heads(&inner.repository).map_err(|error| inner.no_references(error))?, None)).await
    }

    /// Returns the other branches that are shown once a push has moved these; what it has brought lies in `quarantine`.
    pub async fn shown_after(&self, moved: Moved, quarantine: Option<PathBuf>) -> Result<Vec<String>, RepositoryError> {
        if self.0.settings.previews == 0 {
            return Ok(Vec::new());
        }
        let inner = self.0.clone();
        self.reading(move || {
            let heads = refs::heads(&inner.repository).map_err(|error| inner.no_references(error))?;
            let mut heads: Moved = heads.into_iter().map(|head| (head.branch, Some(head.commit))).collect();
            heads.extend(moved);
            let heads = heads.into_iter().filter_map(|(branch, commit)| Some(Head { branch, commit: commit? })).collect();
            let chosen = inner.choose(heads, quarantine.as_deref())?.into_iter().map(|head| head.branch);
            Ok(chosen.filter(|branch| *branch != inner.settings.branch).collect())
        })
        .await
    }

    /// Returns whether no function file would be left.
    fn is_emptied_by(&self, edit: &Edit) -> bool {
        let is_gone = |path| edit.files.get(path).is_some_and(|file| file.after.is_none());
        let is_base = |last: &&Snapshot| last.revision == edit.base;
        edit.files.values().all(|file| file.after.is_none())
            && self.state().last.as_ref().filter(is_base).is_some_and(|last| last.tree.keys().all(is_gone))
    }

    /// Returns where the node's own commits go.
    fn place(&self) -> commit::Place<'_> {
        commit::Place { repository: &self.0.repository, branch: &self.0.settings.branch, root: &self.0.settings.root }
    }

    /// Returns the modes of the files that an edit changes, unless something is in its way.
    async fn modes(&self, edit: &Edit) -> Result<BTreeMap<String, i32>, EditError> {
        let (reader, base) = (self.0.reader.clone(), commit::base(edit).map(str::to_owned));
        let paths: Vec<String> = edit.files.keys().map(|path| self.place().in_repository(path)).collect();
        self.reading(move || commit::modes(&reader, base.as_deref(), paths)).await
    }

    async fn deployed(&self, commit: &str) -> Result<Snapshot, RepositoryError> {
        let last = self.state().last.clone();
        if let Some(last) = last.as_ref().filter(|last| last.revision.0 == commit) {
            return Ok(last.clone());
        }
        let mut snapshot = self.read(commit, None).await?;
        let pushed = self.pushed(snapshot.revision.clone()).await;
        let replaces = match (&pushed, last) {
            (Some(pushed), _) => pushed.replaces.clone(),
            // A history that was shortened or is gone cannot be compared; then nothing is said.
            (None, Some(last)) => {
                let is_contained = self.contains(commit, &last.revision.0, None).await.unwrap_or(true);
                (!is_contained).then_some(last.revision)
            }
            (None, None) => None,
        };
        if let Some(said) = &mut snapshot.commit {
            said.pushed_by = pushed.map(|pushed| pushed.by);
            said.replaces = replaces;
        }
        self.state().last = Some(snapshot.clone());
        Ok(snapshot)
    }
}

impl From<RepositoryError> for EditError {
    fn from(error: RepositoryError) -> Self {
        Self::Failed { path: "the branch".into(), why: error.to_string() }
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
        let (is_emptied, pushed) = (self.is_emptied_by(&edit), Pushed { by: edit.author.clone(), replaces: None });
        let now_s = self.0.clock.now_us() / 1_000_000;
        let inner = self.0.clone();
        let make = move || {
            let Inner { settings, repository, reader, .. } = &*inner;
            let place = commit::Place { repository, branch: &settings.branch, root: &settings.root };
            commit::make(reader, &place, &edit, &modes, is_emptied, now_s)
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
