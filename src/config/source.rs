//! The section `[source]`: where function files come from.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de::Error};

use super::Fault;
use crate::{
    function::{
        LimitPolicy,
        quantity::{LONGEST, Size, Span},
        within::Within,
    },
    secret::Secret,
    source::git,
};

/// Where function files come from.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceConfig {
    /// A folder that is watched.
    Directory {
        /// The root.
        path: PathBuf,
    },
    /// A git repository.
    Git(Box<git::GitSettings>),
}

impl fmt::Display for SourceConfig {
    /// Writes what it is, for status lines: `directory ./functions`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { path } => write!(f, "directory {}", path.display()),
            Self::Git(settings) => settings.fmt(f),
        }
    }
}

impl SourceConfig {
    /// Returns the path that people know a function file by.
    pub fn path_of(&self, file: &str) -> PathBuf {
        match self {
            _ if file.is_empty() => PathBuf::new(),
            Self::Directory { path } => path.join(file),
            Self::Git(settings) => Path::new(&settings.root).join(file),
        }
    }
}

/// The section as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SourceFile {
    kind: SourceKind,
    #[serde(deserialize_with = "whole_path")]
    path: Option<PathBuf>,
    #[serde(deserialize_with = "whole_path")]
    repository: Option<String>,
    #[serde(deserialize_with = "branch")]
    branch: Option<String>,
    root: Option<String>,
    interval: Option<Within<Span, 100, LONGEST>>,
    timeout: Option<Within<Span, 100, LONGEST>>,
    max_push: Option<Within<Size, 1_024, { 1 << 40 }>>,
    allow_force: Option<bool>,
    require_signed: Option<bool>,
    #[serde(deserialize_with = "whole_path")]
    allowed_signers: Option<PathBuf>,
    user: Option<String>,
    token: Option<Secret>,
    #[serde(deserialize_with = "whole_path")]
    ssh_key: Option<PathBuf>,
    #[serde(deserialize_with = "whole_path")]
    known_hosts: Option<PathBuf>,
    pub(super) webhook_secret: Option<Secret>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SourceKind {
    #[default]
    Directory,
    Git,
}

/// Reads the name of a branch.
fn branch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    let short = name.strip_prefix(git::HEADS).filter(|short| git::is_branch(short));
    match short {
        Some(short) => Err(Error::custom(format!("a branch is named without `{}`: \"{short}\"", git::HEADS))),
        None if git::is_branch(&name) => Ok(Some(name)),
        None => Err(Error::custom(format!("`{name}` is no name of a branch; write it like \"main\" or \"release/2\""))),
    }
}

/// Reads a path, or a URL. There is no shell here that would know whose folder `~` is.
fn whole_path<'de, D: Deserializer<'de>, P: From<String>>(deserializer: D) -> Result<Option<P>, D::Error> {
    let path = String::deserialize(deserializer)?;
    if path.starts_with('~') {
        return Err(Error::custom(format!(
            "`~` is not expanded here; write the whole path, like \"/home/ada{}\"",
            path.trim_start_matches('~')
        )));
    }
    Ok(Some(path.into()))
}

impl SourceFile {
    /// Refuses keys that would do nothing: whoever wrote them means something else.
    pub(super) fn validate(&self) -> Result<(), Fault> {
        let is_remote = self.repository.as_deref().is_some_and(is_url);
        let of_git = [
            ("repository", self.repository.is_some()),
            ("branch", self.branch.is_some()),
            ("root", self.root.is_some()),
            ("interval", self.interval.is_some()),
            ("timeout", self.timeout.is_some()),
            ("max_push", self.max_push.is_some()),
            ("allow_force", self.allow_force.is_some()),
            ("require_signed", self.require_signed.is_some()),
            ("allowed_signers", self.allowed_signers.is_some()),
        ];
        let of_remote = [
            ("user", self.user.is_some()),
            ("token", self.token.is_some()),
            ("ssh_key", self.ssh_key.is_some()),
            ("known_hosts", self.known_hosts.is_some()),
            ("webhook_secret", self.webhook_secret.is_some()),
        ];
        let given = |keys: &[(&'static str, bool)]| keys.iter().find(|(_, is_given)| *is_given).map(|(key, _)| *key);
        let is_for =
            |key: &str, what: &str| Fault::new(&[&format!("source.{key}")], format!("`{key}` in the section `[source]` is for {what}"));
        match self.kind {
            SourceKind::Directory => {
                if let Some(key) = given(&of_git).or(given(&of_remote)) {
                    return Err(is_for(key, "git").hint("add `kind = \"git\"`, or leave it out"));
                }
            }
            SourceKind::Git => {
                if self.path.is_some() {
                    let hint = "`repository` says where the repository is, and `root` which folder in it";
                    return Err(is_for("path", "a directory").hint(hint));
                }
                if let Some(key) = given(&of_remote).filter(|_| !is_remote) {
                    return Err(is_for(key, "a remote repository").hint("name its URL as `repository`, or leave this out"));
                }
            }
        }
        let is_signed = self.require_signed == Some(true);
        if is_signed != self.allowed_signers.is_some() {
            let keys = ["source.require_signed", "source.allowed_signers"];
            let fault = Fault::new(&keys, "`require_signed` and `allowed_signers` go together: a signature is checked against a list");
            return Err(fault.hint("give both: `require_signed = true` and `allowed_signers = \"FILE\"`"));
        }
        // A password in a URL gets into messages and lists of processes.
        let url = self.repository.as_deref().filter(|_| is_remote).unwrap_or_default();
        let user = url.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'));
        if user.is_some_and(|(user, _)| user.contains(':')) {
            let fault = Fault::new(&["source.repository"], "the URL of `repository` holds a password");
            return Err(fault.hint("give it as PICLOUD_GIT_TOKEN in the environment"));
        }
        Ok(())
    }

    pub(super) fn resolve(
        self,
        folder: &Path,
        limits: &LimitPolicy,
        previews: usize,
        preview_host: Option<git::PreviewHost>,
    ) -> SourceConfig {
        let SourceKind::Git = self.kind else {
            return SourceConfig::Directory { path: folder.join(self.path.unwrap_or_else(|| "functions".into())) };
        };
        let default = git::GitSettings::default();
        let repository = match self.repository.as_deref().unwrap_or("hosted") {
            "hosted" => git::Repository::Hosted,
            url if is_url(url) => git::Repository::Remote(git::Remote {
                url: url.into(),
                user: self.user.unwrap_or_else(|| "git".into()),
                token: self.token,
                ssh_key: self.ssh_key.map(|path| folder.join(path)),
                known_hosts: self.known_hosts.map(|path| folder.join(path)),
            }),
            path => git::Repository::Bare(folder.join(path)),
        };
        SourceConfig::Git(Box::new(git::GitSettings {
            repository,
            branch: self.branch.unwrap_or(default.branch),
            root: self.root.map_or(default.root, |root| root.trim_start_matches("./").trim_matches(['/', '.']).to_owned()),
            interval: self.interval.map_or(default.interval, |span| span.get().0),
            timeout: self.timeout.map_or(default.timeout, |span| span.get().0),
            max_push_bytes: self.max_push.map_or(default.max_push_bytes, |size| size.get().0),
            max_file_bytes: limits.file.0,
            allow_force: self.allow_force.unwrap_or(default.allow_force),
            allowed_signers: self.allowed_signers.map(|path| folder.join(path)),
            previews,
            preview_host,
        }))
    }
}

/// Returns whether a repository's name is a URL, or `user@host:path` as ssh has it.
fn is_url(repository: &str) -> bool {
    let is_scp = repository.split_once(':').is_some_and(|(host, _)| host.contains('@') && !host.contains('/'));
    repository.contains("://") || is_scp
}
