//! One node at a time has a database: two nodes would take each other's deployments for their own.
//!
//! A second node is refused when it starts. A node that has lost its database to another writes nothing there until the other one has left.
//!
//! On Postgres the lease is an advisory lock. A connection of its own holds the lock, and takes it again when that connection breaks. Each
//! transaction asks whether this connection still has the lock. No other statement of a writer runs while the connection is known to be broken.
//!
//! An SQLite file has a lock file beside it. The lock is the same by whatever path the file was found.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write as _,
    mem,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use super::{
    StoreError,
    connect::{CONNECT_LIMIT, DatabaseUrl},
    error::Reason,
    pool::{Fence, HOLDERS, TRY_LOCK},
    sql_emit::CHANNEL,
};

/// Describes sessions: number, name, address, and time of the beginning. This user may not see all of that.
const DESCRIBE: &str = "
    SELECT sessions.pid, COALESCE(sessions.application_name, ''), host(sessions.client_addr),
        to_char(sessions.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
    FROM pg_stat_activity AS sessions
    WHERE sessions.pid IN";
/// With these the server notices within half a minute that the machine of a holder is gone, and frees its lock.
const KEEPALIVES: [(&str, u32); 3] = [("tcp_keepalives_idle", 15), ("tcp_keepalives_interval", 5), ("tcp_keepalives_count", 3)];
/// Shortest and longest wait between two attempts to take the lock again.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Characters of a host's name in the name of a session. Postgres keeps 63 bytes of the whole name.
const HOST_LENGTH: usize = 23;

/// The right to be the only node on a database.
pub struct Lease {
    fence: Fence,
    lock: Lock,
}

/// A change of a lease that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseChange {
    /// Another node took the database while the connection was broken; the text says which. Nothing is written until it has left.
    Lost(String),
    /// The database does not answer; the text says why.
    Away(String),
    /// This node has the database again. Others may have had it meanwhile.
    Regained,
}

enum Lock {
    /// Locked until the process ends, however it ends.
    File {
        _file: File,
    },
    Session {
        place: String,
        options: Box<PgConnectOptions>,
        session: Box<PgListener>,
    },
}

impl Lease {
    /// Takes the database, if no other node has it.
    pub(super) async fn take(url: &DatabaseUrl, identity: &str) -> Result<Self, StoreError> {
        let fence = Fence::default();
        let lock = match url {
            DatabaseUrl::Sqlite(path) => Lock::File { _file: lock_file(&real_name(path, url)?, url, identity)? },
            DatabaseUrl::Postgres(options) => {
                let options = options.clone().application_name(&session_name(identity)).options(KEEPALIVES);
                match try_lock(&options).await.map_err(|source| StoreError::connect(url.describe(), source))? {
                    Attempt::Locked { session, number } => {
                        fence.held_by(number);
                        Lock::Session { place: url.describe(), options: Box::new(options), session }
                    }
                    Attempt::InUse { by } => return Err(StoreError::InUse { place: url.describe(), by }),
                }
            }
        };
        Ok(Self { fence, lock })
    }

    /// Returns the fence that keeps writers from the database while this node does not have it.
    pub(super) fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Holds the lease for ever, and takes it again when it is lost. Reports each change, and each time that SQL may have emitted events.
    pub async fn keep(self, on_change: impl Fn(LeaseChange), on_emit: impl Fn()) {
        let Self { fence, lock } = self;
        let Lock::Session { place, options, mut session } = lock else { return std::future::pending().await };
        loop {
            // The end of this loop says that the connection broke.
            while matches!(session.try_recv().await, Ok(Some(_))) {
                on_emit();
            }
            fence.broken("it is made again".into());
            drop(session);
            session = take_again(&options, &place, &fence, &on_change).await;
            // Nobody listened meanwhile.
            on_emit();
        }
    }
}

async fn take_again(options: &PgConnectOptions, place: &str, fence: &Fence, on_change: &impl Fn(LeaseChange)) -> Box<PgListener> {
    let (mut wait, mut told) = (RETRY.0, None);
    loop {
        let change = match try_lock(options).await {
            Ok(Attempt::Locked { session, number }) => {
                fence.held_by(number);
                if told.is_some() {
                    on_change(LeaseChange::Regained);
                }
                return session;
            }
            Ok(Attempt::InUse { by }) => {
                fence.lost_to(by.clone().unwrap_or_else(|| "it does not say which".into()));
                LeaseChange::Lost(StoreError::InUse { place: place.into(), by }.to_string())
            }
            Err(error) => {
                let why = Reason(error).to_string();
                fence.broken(why.clone());
                LeaseChange::Away(why)
            }
        };
        let kind = Some(mem::discriminant(&change));
        if mem::replace(&mut told, kind) != kind {
            on_change(change);
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY.1);
    }
}

/// The answer to one attempt to take the lock.
enum Attempt {
    /// This session has the lock; Postgres gave the session this number.
    Locked { session: Box<PgListener>, number: i32 },
    /// Another session has it, described as far as this user may see it.
    InUse { by: Option<String> },
}

/// Connects, and takes the lock if it is free.
async fn try_lock(options: &PgConnectOptions) -> sqlx::Result<Attempt> {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT_LIMIT).idle_timeout(None).max_lifetime(None);
    let locking = async {
        let mut session = Box::new(PgListener::connect_with(&pool.connect_lazy_with(options.clone())).await?);
        session.eager_reconnect(false);
        if let Some(number) = sqlx::query_scalar(TRY_LOCK).fetch_one(&mut *session).await? {
            session.listen(CHANNEL).await?;
            return Ok(Attempt::Locked { session, number });
        }
        let holder: Option<(i32, String, Option<String>, Option<String>)> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("{DESCRIBE} ({HOLDERS})"))).fetch_optional(&mut *session).await?;
        let Some((pid, name, address, since)) = holder else { return Ok(Attempt::InUse { by: None }) };
        // The holder is this node itself, by the data folder: an earlier process, which has ended. Its session goes on where the network broke.
        if identity_in(&name).is_some_and(|identity| Some(identity) == options.get_application_name().and_then(identity_in)) {
            sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&mut *session).await?;
        }
        Ok(Attempt::InUse { by: Some(described(&name, address, since)).filter(|holder| !holder.is_empty()) })
    };
    match tokio::time::timeout(2 * CONNECT_LIMIT, locking).await {
        Ok(attempt) => attempt,
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

fn described(name: &str, address: Option<String>, since: Option<String>) -> String {
    let name = Some(name.to_owned()).filter(|name| !name.is_empty());
    let address = address.map(|address| format!("from {address}"));
    let since = since.map(|since| format!("since {since}"));
    [name, address, since].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Names a session for people: the host, the process, and the identity of the node's data folder.
fn session_name(identity: &str) -> String {
    // A service may see nothing of `/proc` but its processes.
    let host = ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| fs::read_to_string(path).ok());
    let host: String = host.as_deref().unwrap_or("?").trim().chars().filter(char::is_ascii).take(HOST_LENGTH).collect();
    format!("picloud on {host}, process {} ({identity})", std::process::id())
}

/// Returns the identity in the name of a session.
fn identity_in(name: &str) -> Option<&str> {
    Some(name.strip_suffix(')')?.rsplit_once('(')?.1)
}

/// Returns the canonical path of a file. The file is made if it is missing, because only then it has such a path.
fn real_name(path: &Path, url: &DatabaseUrl) -> Result<PathBuf, StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|source| StoreError::Folder { path: folder.into(), source })?;
    }
    if !path.exists() {
        OpenOptions::new().create(true).append(true).open(path).map_err(|source| StoreError::Folder { path: path.into(), source })?;
    }
    let Ok(name) = path.canonicalize() else { return Ok(path.into()) };
    match name.metadata() {
        Ok(file) if file.is_file() && file.nlink() > 1 => Err(StoreError::SeveralNames { place: url.describe() }),
        _ => Ok(name),
    }
}

fn lock_file(path: &Path, url: &DatabaseUrl, identity: &str) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let failed = |source| StoreError::Folder { path: Path::new(&name).into(), source };
    let mut lock = OpenOptions::new().create(true).truncate(false).write(true).open(&name).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let by = fs::read_to_string(&name).ok().filter(|by| !by.is_empty());
            return Err(StoreError::InUse { place: url.describe(), by });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    // The content is for people only; the lock does not need it.
    let _ = lock.set_len(0).and_then(|()| lock.write_all(session_name(identity).as_bytes()));
    Ok(lock)
}
