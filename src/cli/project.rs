//! A project: a folder with a `picloud.toml`, which says where its functions are. One rule for every command that takes a folder.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::output;
use crate::config::{Config, FILE_NAME, Overrides, SourceConfig};

/// What a folder that was named is.
pub struct Project {
    /// Where its functions are.
    pub functions: PathBuf,
    /// What its `picloud.toml` says; none if it is a folder of functions.
    pub config: Option<Config>,
}

impl Project {
    /// Looks at a folder: in a project the settings say where the functions are, else they are in the folder itself.
    pub fn of(dir: &Path) -> anyhow::Result<Self> {
        let settings = dir.join(FILE_NAME);
        if !settings.is_file() {
            return Ok(Self { functions: dir.into(), config: None });
        }
        let config = Config::load(Some(&settings), Overrides::default())?;
        let functions = match &config.source {
            SourceConfig::Directory { path } => path.clone(),
            SourceConfig::Git(git) => dir.join(&git.root),
        };
        if !functions.is_dir() {
            bail!(
                "the functions of `{}` should be in `{}`, which is no folder\n  hint: `path` or `root` in the section `[source]` of its `{FILE_NAME}` says where they are",
                dir.display(),
                functions.display()
            );
        }
        output::tell(format!("`{}` is a project; its functions are in `{}`", dir.display(), functions.display()));
        Ok(Self { functions, config: Some(config) })
    }
}
