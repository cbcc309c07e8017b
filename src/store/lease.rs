//! One node at a time has a database. Two would take each other's deployments for their own: the second is refused when it starts, and one that
//! has lost its database to another writes nothing there until that one has left.
//!
//! On Postgres it is an advisory lock, held by a connection of its own and asked for again when that breaks; transactions ask whether that
//! connection still has it, and no statement of a writer runs while it is known to be broken. An SQLite file has a lock file beside it, wherever it lies and by whatever name it was found.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use super::{
    StoreError,
    connect::{CONNECT_LIMIT, Place, close},
    error::Reason,
    limited::{self, HOLDERS},
};

/// Takes the advisory lock, and tells the number of the session that has it then.
const TRY: &str = "SELECT CASE WHEN pg_try_advisory_lock(1885954924, hashtext(current_schema())) THEN pg_backend_pid() END";
/// Who has it: name, address and time, where this user may see them.
const HOLDER: &str = "
    SELECT sessions.pid, COALESCE(sessions.application_name, ''), host(sessions.client_addr),
        to_char(sessions.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
    FROM pg_stat_activity AS sessions
    WHERE sessions.pid IN";
/// Has the server notice after half a minute that the machine of a holder is gone: its lock is free then.
const KEEPALIVES: [(&str, u32); 3] = [("tcp_keepalives_idle", 15), ("tcp_keepalives_interval", 5), ("tcp_keepalives_count", 3)];
/// Shortest and longest wait before the lock is asked for again.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Most of a host's name that fits into what Postgres keeps of a session's name, 63 bytes, with the rest.
const HOST_LENGTH: usize = 23;

/// The right to be the only node on a database.
pub struct Lease {
    hold: limited::Hold,
    lock: Lock,
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
    pub(super) async fn take(place: &Place, identity: &str) -> Result<Self, StoreError> {
        let hold = limited::Hold::default();
        let lock = match place {
            Place::Sqlite(path) => Lock::File { _file: lock_file(&real_name(path, place)?, place, identity)? },
            Place::Postgres(options) => {
                let options = options.clone().application_name(&me(identity)).options(KEEPALIVES);
                // A pool, which the session below is of, would try again and again where it is refused.
                close(place.connect_postgres(&options).await?).await;
                let session = session(&options).await.map_err(|source| StoreError::connect(place.describe(), source))?;
                let (session, number) = session.map_err(|by| StoreError::InUse { place: place.describe(), by })?;
                hold.take(number);
                Lock::Session { place: place.describe(), options: Box::new(options), session: Box::new(session) }
            }
        };
        Ok(Self { hold, lock })
    }

    /// Returns what tells writers whether this node still has the database.
    pub(super) fn hold(&self) -> limited::Hold {
        self.hold.clone()
    }

    /// Holds it for ever. Tells when another node has taken it while the connection was broken, and when it has left.
    pub async fn keep(self, tell: impl Fn(Option<&str>)) {
        let Self { hold, lock } = self;
        let Lock::Session { place, options, mut session } = lock else { return std::future::pending().await };
        loop {
            // Nobody notifies; an answer, of whatever kind, says that the connection broke.
            while matches!(session.try_recv().await, Ok(Some(_))) {}
            hold.break_off("it is made again".into());
            drop(session);
            session = Box::new(taken_again(&options, &place, &hold, &tell).await);
        }
    }
}

async fn taken_again(options: &PgConnectOptions, place: &str, hold: &limited::Hold, tell: &impl Fn(Option<&str>)) -> PgListener {
    let (mut wait, mut is_told) = (RETRY.0, false);
    loop {
        match session(options).await {
            Ok(Ok((session, number))) => {
                hold.take(number);
                if is_told {
                    tell(None);
                }
                return session;
            }
            Ok(Err(by)) => {
                let other = by.clone().unwrap_or_else(|| "it does not say which".into());
                hold.lose(other);
                if !is_told {
                    let lost = StoreError::InUse { place: place.into(), by };
                    tell(Some(&lost.to_string()));
                    is_told = true;
                }
            }
            // The database is away; the journal says so.
            Err(error) => hold.break_off(Reason(error).to_string()),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY.1);
    }
}

/// Connects and locks, and returns the session with its number; else returns who has the lock, if that is known.
async fn session(options: &PgConnectOptions) -> sqlx::Result<Result<(PgListener, i32), Option<String>>> {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT_LIMIT).idle_timeout(None).max_lifetime(None);
    let locking = async {
        let mut session = PgListener::connect_with(&pool.connect_lazy_with(options.clone())).await?;
        session.eager_reconnect(false);
        if let Some(number) = sqlx::query_scalar(TRY).fetch_one(&mut session).await? {
            return Ok(Ok((session, number)));
        }
        let holder: Option<(i32, String, Option<String>, Option<String>)> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("{HOLDER} ({HOLDERS})"))).fetch_optional(&mut session).await?;
        let Some((pid, name, address, since)) = holder else { return Ok(Err(None)) };
        // This process has the data folder, so another of this node has ended. Its session goes on where the network between them broke.
        if identity_in(&name).is_some_and(|identity| Some(identity) == options.get_application_name().and_then(identity_in)) {
            sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&mut session).await?;
        }
        Ok(Err(Some(described(&name, address, since)).filter(|holder| !holder.is_empty())))
    };
    match tokio::time::timeout(2 * CONNECT_LIMIT, locking).await {
        Ok(locked) => locked,
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

fn described(name: &str, address: Option<String>, since: Option<String>) -> String {
    let name = Some(name.to_owned()).filter(|name| !name.is_empty());
    let address = address.map(|address| format!("from {address}"));
    let since = since.map(|since| format!("since {since}"));
    [name, address, since].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Says which node this is: where it runs, as which process, and with which data folder.
fn me(identity: &str) -> String {
    // A service may see no more of `/proc` than its processes.
    let host = ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| fs::read_to_string(path).ok());
    let host: String = host.as_deref().unwrap_or("?").trim().chars().filter(char::is_ascii).take(HOST_LENGTH).collect();
    format!("picloud on {host}, process {} ({identity})", std::process::id())
}

fn identity_in(name: &str) -> Option<&str> {
    Some(name.strip_suffix(')')?.rsplit_once('(')?.1)
}

/// Returns the one name of a file that may be named in several ways. It is made if it is not there: before that it has no such name.
fn real_name(path: &Path, place: &Place) -> Result<PathBuf, StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|source| StoreError::Folder { path: folder.into(), source })?;
    }
    if !path.exists() {
        OpenOptions::new().create(true).append(true).open(path).map_err(|source| StoreError::Folder { path: path.into(), source })?;
    }
    let Ok(name) = path.canonicalize() else { return Ok(path.into()) };
    match name.metadata() {
        Ok(file) if file.is_file() && file.nlink() > 1 => Err(StoreError::SeveralNames { place: place.describe() }),
        _ => Ok(name),
    }
}

fn lock_file(path: &Path, place: &Place, identity: &str) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let failed = |source| StoreError::Folder { path: Path::new(&name).into(), source };
    let mut lock = OpenOptions::new().create(true).truncate(false).write(true).open(&name).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let by = fs::read_to_string(&name).ok().filter(|by| !by.is_empty());
            return Err(StoreError::InUse { place: place.describe(), by });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    // For people; the lock holds without it.
    let _ = lock.set_len(0).and_then(|()| lock.write_all(me(identity).as_bytes()));
    Ok(lock)
}
