//! Where functions come from: opens the source of a configuration, for a node to follow or for a command to read once.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::anyhow;

use crate::{
    clock::{SharedClock, SystemClock},
    config::{Config, SourceConfig},
    deployment::Snapshot,
    function::{Content, FilePath},
    source::{
        Source, SourceError,
        directory::{DirectorySettings, DirectorySource},
        git::{self, GitSource, OwnRepository, Repository, hosted},
    },
};

/// Where functions come from.
pub struct OpenedSource {
    /// For the sync loop.
    pub source: Arc<dyn Source>,
    /// The same, if pushes go through this node.
    pub git: Option<GitSource>,
    /// Whether pushes can be checked now; if not, the repository is waited for.
    pub is_open: bool,
}

impl OpenedSource {
    /// Without its repository, or with one that was damaged, a node starts if it `remembers` what was live.
    pub async fn open(config: &Config, clock: &SharedClock, remembers: bool) -> anyhow::Result<Self> {
        let settings = match &config.source {
            SourceConfig::Directory { path } => {
                let source = Arc::new(directory(path, config.limits.file.0));
                return Ok(Self { source, git: None, is_open: false });
            }
            SourceConfig::Git(settings) => (**settings).clone(),
        };
        let mut is_open = true;
        let repository = match &settings.repository {
            Repository::Hosted => {
                git::program::must_be_installed().await?;
                let repository = OwnRepository::in_data(&config.data, git::FOLDER)?;
                hosted::open(&repository, &settings.branch)?;
                for hook in hosted::install_hooks(repository.path())? {
                    tracing::warn!("`{}` is a hook of somebody else: pushes are only checked if it calls `picloud hook`", hook.display());
                }
                repository.path().to_owned()
            }
            Repository::Bare(path) => match usable(path, settings.timeout).await {
                Ok(path) => path,
                Err(error) if remembers => {
                    is_open = false;
                    tracing::warn!("{error:#}; the repository is waited for");
                    std::path::absolute(path)?
                }
                Err(error) => return Err(error),
            },
            Repository::Remote(_) => {
                git::program::must_be_installed().await?;
                let repository = OwnRepository::in_data(&config.data, git::FOLDER)?;
                hosted::make(repository.path(), &settings.branch)?;
                repository.path().to_owned()
            }
        };
        let takes_pushes = !matches!(settings.repository, Repository::Remote(_));
        let git = GitSource::new(settings, repository, &config.data, clock.clone())?;
        Ok(Self { source: Arc::new(git.clone()), git: takes_pushes.then_some(git), is_open })
    }
}

/// Returns the whole path of a bare repository that can be read here, within a time limit.
async fn usable(path: &Path, limit: Duration) -> anyhow::Result<PathBuf> {
    let repository = path.to_owned();
    let look = move || {
        git::must_be_readable(&repository)?;
        refresh_hooks(&repository);
        Ok(repository.canonicalize()?)
    };
    git::Reads::new(limit).run(path, look).await?
}

/// Brings the hooks of a bare repository up to date: the program may have moved since.
pub fn refresh_hooks(repository: &Path) {
    if !hosted::has_hooks(repository) {
        tracing::warn!("pushes to `{0}` are not checked before git accepts them: `picloud init --bare {0}`", repository.display());
    } else if let Err(error) = hosted::install_hooks(repository) {
        tracing::warn!("the hooks of `{}` cannot be brought up to date: {error}", repository.display());
    }
}

fn directory(path: &Path, max_file_bytes: u64) -> DirectorySource {
    DirectorySource::new(path.into(), DirectorySettings { max_file_bytes, ..DirectorySettings::default() })
}

/// Reads a folder of functions once, as a node would that follows it.
pub async fn read_folder(path: &Path, max_file_bytes: u64) -> Result<Snapshot, SourceError> {
    directory(path, max_file_bytes).snapshot().await
}

/// Reads the configured folder once, or the branch that deploys as the repository on this machine has it.
pub async fn read(config: &Config) -> anyhow::Result<Snapshot> {
    match &config.source {
        SourceConfig::Directory { path } => {
            if !path.is_dir() {
                let hint = "name another with `--functions`, or make a project with `picloud init`";
                return Err(anyhow!("there is no functions folder `{}`\n  hint: {hint}", path.display()));
            }
            let mut snapshot = read_folder(path, config.limits.file.0).await?;
            // A node waits a moment for what is to be written into an empty file.
            let is_empty = |file: &FilePath| std::fs::metadata(path.join(&**file)).is_ok_and(|meta| meta.len() == 0);
            for file in snapshot.unsettled.iter().filter(|file| is_empty(file)) {
                snapshot.tree.entry(file.clone()).or_insert_with(|| Content::new(Vec::new()));
            }
            Ok(snapshot)
        }
        SourceConfig::Git(settings) => {
            let path = match &settings.repository {
                Repository::Bare(path) => path.clone(),
                Repository::Hosted | Repository::Remote(_) => config.data.join(git::FOLDER),
            };
            if !path.exists() {
                let hint = "the node makes it at its first start; `picloud check DIR` checks a folder";
                return Err(anyhow!("there is no repository `{}`\n  hint: {hint}", path.display()));
            }
            git::must_be_readable(&path)?;
            // Of a remote the copy is read, and nothing is fetched.
            let settings = git::GitSettings { repository: Repository::Bare(path.clone()), ..(**settings).clone() };
            Ok(GitSource::new(settings, path, &config.data, Arc::new(SystemClock))?.snapshot().await?)
        }
    }
}
