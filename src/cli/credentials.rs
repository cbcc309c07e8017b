//! Where `picloud login` keeps tokens: one file in the user's configuration folder, for its owner alone.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use serde::Deserialize;
use serde_json::json;

use crate::secret::Secret;

const FILE: &str = "credentials.json";
const LOCK: &str = "credentials.lock";
/// What is read of such a file: thousands of nodes.
const MAX_BYTES: u64 = 1 << 20;

/// The nodes that the user has logged in to.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The node that is meant where none is named.
    pub default: Option<String>,
    /// Nodes by their URL.
    #[serde(default)]
    pub nodes: BTreeMap<String, Login>,
}

/// What proves to a node who we are.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    pub token: Secret,
    /// The token's name there.
    pub name: String,
    /// What it allowed when it was given.
    pub scope: String,
}

impl Credentials {
    /// Reads the user's file; where there is none, nobody has logged in.
    pub fn load() -> anyhow::Result<Self> {
        folder().map_or(Ok(Self::default()), |folder| Self::read(&folder.join(FILE)))
    }

    /// Changes the user's file as a whole: whoever reads it meanwhile has the one before.
    pub fn change<T>(change: impl FnOnce(&mut Self) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let folder = folder().ok_or_else(|| anyhow!("there is no folder for the configuration\n  hint: set HOME or XDG_CONFIG_HOME"))?;
        let cannot = || format!("cannot write to `{}`", folder.display());
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).with_context(cannot)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).with_context(cannot)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(folder.join(LOCK)).with_context(cannot)?;
        lock.lock().with_context(cannot)?;
        let path = folder.join(FILE);
        let mut credentials = Self::read(&path)?;
        let changed = change(&mut credentials)?;
        credentials.write(&path).with_context(cannot)?;
        Ok(changed)
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("cannot read `{}`", path.display());
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            opened => opened.with_context(cannot)?,
        };
        let mode = file.metadata().with_context(cannot)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = path.display();
            bail!(
                "`{path}` holds tokens and is open to others (mode {mode:03o})\n  hint: `chmod 600 {path}`, and revoke the tokens in it if somebody may have read them"
            );
        }
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text).with_context(cannot)?;
        // What is wrong with it is told without what is in it.
        serde_json::from_str(&text)
            .map_err(|error| anyhow!("`{}` is damaged in line {}\n  hint: remove it, and log in again", path.display(), error.line()))
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        if self.nodes.is_empty() {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let nodes: BTreeMap<_, _> = (self.nodes.iter())
            .map(|(url, Login { token, name, scope })| (url, json!({ "token": token.expose(), "name": name, "scope": scope })))
            .collect();
        let text = serde_json::to_string_pretty(&json!({ "default": self.default, "nodes": nodes }))?;
        let next = path.with_extension("next");
        // One that was left behind may be another's, or have another mode.
        match fs::remove_file(&next) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&next)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        fs::rename(&next, path)
    }

    /// Forgets a node; the only one that is left is meant from then on where none is named.
    pub fn forget(&mut self, url: &str) -> Option<Login> {
        let forgotten = self.nodes.remove(url)?;
        if self.default.as_deref() == Some(url) {
            self.default = self.nodes.keys().next().filter(|_| self.nodes.len() == 1).cloned();
        }
        Some(forgotten)
    }
}

/// The folder of the user's settings for this program: `$XDG_CONFIG_HOME/picloud`, else `~/.config/picloud`.
fn folder() -> Option<PathBuf> {
    // A relative path there is to be ignored, says the XDG Base Directory Specification.
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(config.join("picloud"))
}

/// Returns a node's URL as it is compared and kept.
pub fn normal(url: &str) -> anyhow::Result<String> {
    let parsed: Option<http::Uri> = url.parse().ok();
    let parsed = parsed.filter(|parsed| matches!(parsed.scheme_str(), Some("http" | "https")) && parsed.host().is_some());
    let parsed = parsed.ok_or_else(|| anyhow!("`{url}` is no URL of a node\n  hint: write it like `{}`", whole(url)))?;
    if parsed.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        bail!("a node's URL has no user or password in it\n  hint: the token is asked for");
    }
    if parsed.query().is_some() {
        bail!("a node's URL ends before the `?`");
    }
    let (scheme, authority) = (parsed.scheme_str().unwrap_or_default(), parsed.authority().map_or("", |authority| authority.as_str()));
    Ok(format!("{scheme}://{}{}", authority.to_ascii_lowercase(), parsed.path().trim_end_matches('/')))
}

/// Returns the URL that was probably meant by one without its beginning, else an example.
fn whole(url: &str) -> String {
    let secure = format!("https://{url}");
    match secure.parse::<http::Uri>() {
        Ok(parsed) if !url.contains("//") && !url.contains('@') && parsed.host().is_some() => {
            let open = format!("http://{url}");
            if is_open_on_its_way(&open) { secure } else { open }
        }
        _ => "https://picloud.example.org".into(),
    }
}

/// Returns whether what is sent to a URL can be read on its way.
pub fn is_open_on_its_way(url: &str) -> bool {
    let parsed: Option<http::Uri> = url.parse().ok();
    parsed.is_some_and(|parsed| {
        let host = parsed.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        parsed.scheme_str() == Some("http") && !is_here
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_one_url() {
        for (url, expected) in [
            ("https://Node.example.org/", Some("https://node.example.org")),
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("https://example.org/picloud//", Some("https://example.org/picloud")),
            ("HTTPS://example.org", Some("https://example.org")),
            ("example.org", None),
            ("ftp://example.org", None),
            ("https://user:secret@example.org", None),
            ("https://example.org?x", None),
            ("https://", None),
            ("", None),
        ] {
            assert_eq!(normal(url).ok().as_deref(), expected, "{url}");
        }
        assert!(!normal("https://user:secret@example.org").unwrap_err().to_string().contains("secret"));
    }

    #[test]
    fn a_token_is_open_where_nothing_hides_it() {
        for (url, is_open) in [
            ("http://example.org", true),
            ("http://10.0.0.1:80", true),
            ("http://localhost:80", false),
            ("http://127.0.0.2", false),
            ("http://[::1]:80", false),
            ("https://example.org", false),
        ] {
            assert_eq!(is_open_on_its_way(url), is_open, "{url}");
        }
    }
}
