//! The folder that a node keeps its own files in, and what commands learn from it about the node.

use std::{
    fs::{self, File, OpenOptions},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{anyhow, bail};
use serde::{Deserialize, Serialize};

use crate::{
    access::{self, admin},
    clock::monotonic,
    config::Config,
    id::NodeNumber,
    secret::Secret,
    store::{Store, queue::NodeEnd},
};

/// What a running node says about itself in its data folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Announcement {
    /// Its process.
    pub pid: u32,
    /// Where it answers, its control plane too.
    pub url: String,
    /// Which database it uses; none: a node of an earlier version does not say.
    #[serde(default)]
    database: Option<String>,
}

impl Announcement {
    /// Returns the database that the node uses, if it is another than this configuration names.
    pub fn other_database(&self, config: &Config) -> Option<&str> {
        self.database.as_deref().filter(|used| Some(*used) != described(config).as_deref())
    }
}

/// Names the database of a configuration alike, from wherever its data folder is named.
fn described(config: &Config) -> Option<String> {
    let data = config.data.canonicalize().ok()?;
    Store::describe(&config.database_url, &data).ok()
}

/// The folder that a node keeps its own files in, held by this process.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// How the process ended that held it before.
    pub before: NodeEnd,
    /// Locked until the process ends, however it ends.
    _lock: File,
}

/// How long a start waits for the data folder, and how often it looks.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

const ANNOUNCEMENT: &str = "node.json";
const LOCK: &str = "node.lock";
const ADMIN_TOKEN: &str = "admin-token";
const NUMBER: &str = "node-number";
/// Is there from the end of a node that was stopped to its next start.
const STOPPED: &str = "stopped";

impl DataFolder {
    /// Makes the folder if it is not there, and takes hold of it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let hint = "let the user that PiCloud runs as write it, or name another folder with `--data`";
        let cannot = |error: std::io::Error| anyhow!("cannot use the data folder `{}`: {error}\n  hint: {hint}", path.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(cannot)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path.join(LOCK)).map_err(cannot)?;
        let began = monotonic();
        let locked = loop {
            match lock.try_lock() {
                // A node that was killed may have been starting a program, which lets go in a moment.
                Err(fs::TryLockError::WouldBlock) if began.elapsed() < LOCK_PATIENCE => std::thread::sleep(LOCK_PAUSE),
                locked => break locked,
            }
        };
        match locked {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(used_by_another(path)),
            Err(fs::TryLockError::Error(error)) => return Err(cannot(error)),
        }
        let before = if fs::remove_file(path.join(STOPPED)).is_ok() { NodeEnd::InOrder } else { NodeEnd::Unknown };
        let folder = Self { path: path.into(), before, _lock: lock };
        folder.admin_token().map_err(cannot)?;
        Ok(folder)
    }

    /// Writes an admin token at the first start, for its owner alone, and says where it is.
    fn admin_token(&self) -> std::io::Result<()> {
        let path = self.path.join(ADMIN_TOKEN);
        if path.exists() {
            return Ok(());
        }
        admin::draw(&path)?;
        tracing::info!("an admin token is in `{}`", path.display());
        Ok(())
    }

    /// Returns what tells this node's ids from those of others, drawn at the first start.
    pub fn number(&self) -> NodeNumber {
        let path = self.path.join(NUMBER);
        let kept = fs::read_to_string(&path).ok().and_then(|text| text.parse().ok());
        kept.unwrap_or_else(|| {
            let number = NodeNumber::drawn();
            if let Err(error) = fs::write(&path, format!("{number}\n")) {
                tracing::warn!("cannot keep the node's number in `{}`: {error}", path.display());
            }
            number
        })
    }

    /// Tells the next start that this node was stopped. To be called when all has ended.
    pub fn end_in_order(&self) {
        if let Err(error) = fs::write(self.path.join(STOPPED), "") {
            tracing::warn!("the next start takes this stop for a crash, because `{STOPPED}` cannot be written to the data folder: {error}");
        }
    }

    /// Tells commands where this node answers.
    pub fn announce(&self, address: SocketAddr, config: &Config) -> std::io::Result<()> {
        let announcement = Announcement { pid: std::process::id(), url: format!("http://{address}"), database: described(config) };
        let path = self.path.join(ANNOUNCEMENT);
        let next = self.path.join(format!("{ANNOUNCEMENT}.next"));
        fs::write(&next, serde_json::to_vec(&announcement)?).and_then(|()| fs::rename(&next, &path))?;
        Ok(())
    }
}

/// Says that another node uses a data folder.
pub fn used_by_another(data: &Path) -> anyhow::Error {
    anyhow!("another node uses the data folder `{}`\n  hint: stop it, or name another folder with `--data`", data.display())
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.path.join(ANNOUNCEMENT));
    }
}

/// Returns where the admin token of a data folder is. A node that finds none there makes another when it starts.
pub fn admin_token_file(data: &Path) -> PathBuf {
    data.join(ADMIN_TOKEN)
}

/// Draws another admin token for a data folder that no node uses.
pub fn rotate_admin_token(data: &Path) -> anyhow::Result<()> {
    let file = admin_token_file(data);
    if !file.exists() {
        bail!(
            "there is no admin token in `{}`\n  hint: a node makes one when it starts; name its data folder with `--data`",
            data.display()
        );
    }
    // Held, so that no node starts meanwhile and goes on with the one before.
    let folder = DataFolder::open(data)?;
    admin::draw(&file).map_err(|error| anyhow!("cannot write `{}`: {error}", file.display()))?;
    if folder.before == NodeEnd::InOrder {
        folder.end_in_order();
    }
    Ok(())
}

/// Returns what tells a data folder from others, and nothing of its secret.
pub fn identity(admin_token: &Secret) -> String {
    access::TokenHash::of(&format!("node {}", admin_token.expose())).as_str()[..8].to_owned()
}

/// Returns the admin token of a data folder, for its owner.
pub fn admin_token(data: &Path) -> std::io::Result<Secret> {
    admin::read(&admin_token_file(data))
}

/// Returns what the node that uses this data folder says about itself; `None` if none runs.
pub fn running(data: &Path) -> Option<Announcement> {
    let lock = File::open(data.join(LOCK)).ok()?;
    match lock.try_lock_shared() {
        Err(fs::TryLockError::WouldBlock) => serde_json::from_slice(&fs::read(data.join(ANNOUNCEMENT)).ok()?).ok(),
        _ => None,
    }
}
