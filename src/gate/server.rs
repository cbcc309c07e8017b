//! The socket in the repository, on which hooks ask the node.

use std::{
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{MAX_MESSAGE, Push, SOCKET, Verdict, judge::Judge, no_answer, pusher};
use crate::{source::git::GitSource, sync::orders::SyncHandle};

/// Why hooks could not ask.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Another node does that already.
    #[error("another node follows the repository `{}`\n  hint: stop it, or give each node a repository of its own", path.display())]
    Taken {
        /// Which.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot make the socket `{}`", path.display())]
    NoSocket {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// How long a hook may take to say what it wants, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a judgement may take; the hook waits a little longer.
const JUDGEMENT: Duration = Duration::from_secs(28);
/// Longest path that fits into a socket's address, on every system.
const MAX_ADDRESS: usize = 100;

/// Answers the hooks of one repository.
pub struct Gate {
    listener: UnixListener,
    judge: Arc<Judge>,
}

impl Gate {
    /// Opens the socket. Those who may write into the repository may ask.
    pub fn open(source: GitSource, sync: SyncHandle) -> Result<Self, GateError> {
        let path = source.repository().join(SOCKET);
        let no_socket = |source| GateError::NoSocket { path: path.clone(), source };
        // The node before may have been killed, and its socket left.
        let address = short(&path).map_err(no_socket)?;
        if std::os::unix::net::UnixStream::connect(&address.path).is_ok() {
            return Err(GateError::Taken { path: source.repository().into() });
        }
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&address.path).map_err(no_socket)?;
        share(source.repository(), &path).map_err(no_socket)?;
        Ok(Self { listener, judge: Arc::new(Judge { source, sync }) })
    }

    /// Answers until told to stop.
    pub async fn serve(self, stop: CancellationToken) {
        let asked = TaskTracker::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let judge = self.judge.clone();
                        asked.spawn(async move {
                            if let Err(error) = answer(stream, &judge).await {
                                tracing::debug!("a hook went away: {error}");
                            }
                        });
                    }
                    // Out of file handles, for a moment.
                    Err(error) => {
                        tracing::warn!("a hook could not ask: {error}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        asked.close();
        let _ = timeout(PATIENCE, asked.wait()).await;
        let _ = std::fs::remove_file(self.judge.source.repository().join(SOCKET));
    }
}

async fn answer(stream: UnixStream, judge: &Judge) -> io::Result<()> {
    let peer = stream.peer_cred()?;
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    timeout(PATIENCE, BufReader::new(reader.take(MAX_MESSAGE)).read_line(&mut line)).await??;
    let verdict = match serde_json::from_str::<Push>(&line) {
        Ok(push) => timeout(JUDGEMENT, judge.judge(&push, &pusher::of(&peer, push.pusher.as_deref()))).await.unwrap_or_else(|_| {
            let why = format!("the node was too busy to answer within {} s", JUDGEMENT.as_secs());
            Verdict { is_accepted: false, say: no_answer(push.stage, &why).into() }
        }),
        Err(error) => {
            Verdict { is_accepted: false, say: vec![format!("picloud: the hook and the node do not understand each other: {error}")] }
        }
    };
    let mut text = serde_json::to_vec(&verdict)?;
    text.push(b'\n');
    timeout(PATIENCE, writer.write_all(&text)).await?
}

/// Lets those ask who may write into the repository: its owner, and its group if that may write there.
fn share(repository: &Path, socket: &Path) -> io::Result<()> {
    let folder = std::fs::metadata(repository)?;
    let group_may_write = folder.mode() & 0o020 != 0;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(if group_may_write { 0o660 } else { 0o600 }))?;
    let ours = std::fs::metadata(socket)?;
    if (ours.uid(), ours.gid()) == (folder.uid(), folder.gid()) {
        return Ok(());
    }
    // Only root may give files away; to a group that one is in, everybody may.
    let given = chown(socket, Some(folder.uid()), Some(folder.gid())).or_else(|_| chown(socket, None, Some(folder.gid())));
    if given.is_err() || (std::fs::metadata(socket)?.uid() != folder.uid() && !group_may_write) {
        tracing::warn!(
            "the owner of `{}` is another user than that of this node, and cannot push there: let both be in one group that may write \
             (`chgrp -R GROUP`, `chmod -R g+ws`, `git config core.sharedRepository group`)",
            repository.display()
        );
    }
    Ok(())
}

/// An address that is short enough for the system: through a handle of the folder, if the path is too long.
struct Address {
    path: PathBuf,
    _folder: Option<std::fs::File>,
}

fn short(path: &Path) -> io::Result<Address> {
    if path.as_os_str().len() <= MAX_ADDRESS {
        return Ok(Address { path: path.into(), _folder: None });
    }
    let folder = std::fs::File::open(path.parent().unwrap_or(Path::new("/")))?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&folder);
    Ok(Address { path: format!("/proc/self/fd/{number}/{SOCKET}").into(), _folder: Some(folder) })
}
