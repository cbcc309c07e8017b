//! The socket in the repository, on which hooks ask the node.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    time::{MissedTickBehavior, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{MAX_MESSAGE, Push, SOCKET, Verdict, judge::Judge, no_answer, pusher};
use crate::{
    source::git::{FileId, Folder, PermissionDenied, PushTarget},
    sync::orders::SyncHandle,
};

/// Why hooks could not ask.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Another node does that already.
    #[error("another node follows the repository `{}`\n  hint: stop it, or give each node a repository of its own", path.display())]
    Taken {
        /// Which.
        path: PathBuf,
    },
    /// The node's user may not make a file in the repository.
    #[error(transparent)]
    Denied(#[from] PermissionDenied),
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
/// How often it is seen after whether the socket is still there.
const LOOK: Duration = Duration::from_secs(5);

/// Answers the hooks of one repository.
pub struct Gate {
    door: Door,
    judge: Arc<Judge>,
}

/// The socket in the repository.
struct Door {
    listener: UnixListener,
    id: FileId,
}

impl Door {
    /// Opens it. Those who may write into the repository may ask.
    async fn open(repository: &Path) -> Result<Self, GateError> {
        let no_socket = |source: io::Error| match source.kind() {
            ErrorKind::PermissionDenied => PermissionDenied::write_into(repository.into()).into(),
            _ => GateError::NoSocket { path: repository.join(SOCKET), source },
        };
        let folder = Folder::open(repository).map_err(no_socket)?;
        // The node before may have been killed, and its socket left. One whose queue is full is another's, too.
        match UnixStream::connect(folder.path_of(SOCKET)).await {
            Err(error) if error.kind() != ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => return Err(GateError::Taken { path: repository.into() }),
        }
        let made = folder.listen(SOCKET).map_err(no_socket)?;
        if !made.is_shared {
            tracing::warn!(
                "the owner of `{}` is another user than that of this node, and cannot push there: let both be in one group that may write \
                 (`chgrp -R GROUP`, `chmod -R g+ws`, `git config core.sharedRepository group`)",
                repository.display()
            );
        }
        let listen = |listener: std::os::unix::net::UnixListener| {
            listener.set_nonblocking(true)?;
            UnixListener::from_std(listener)
        };
        Ok(Self { listener: listen(made.listener).map_err(no_socket)?, id: made.id })
    }

    fn is_there(&self, repository: &Path) -> bool {
        Folder::open(repository).is_ok_and(|folder| folder.socket(SOCKET) == Some(self.id))
    }
}

impl Gate {
    /// Opens the socket.
    pub async fn open(source: Arc<dyn PushTarget>, sync: SyncHandle) -> Result<Self, GateError> {
        Ok(Self { door: Door::open(source.repository()).await?, judge: Arc::new(Judge { source, sync }) })
    }

    /// Answers until told to stop.
    pub async fn serve(mut self, stop: CancellationToken) {
        let asked = TaskTracker::new();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = look.tick() => self.keep_door(&mut told).await,
                accepted = self.door.listener.accept() => match accepted {
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
        let repository = self.judge.source.repository();
        if self.door.is_there(repository) {
            let _ = std::fs::remove_file(repository.join(SOCKET));
        }
    }

    /// Makes the socket again if somebody has removed it: hooks would say that no node runs.
    async fn keep_door(&mut self, told: &mut Option<String>) {
        let repository = self.judge.source.repository();
        if self.door.is_there(repository) || !repository.exists() {
            return;
        }
        match Door::open(repository).await {
            Ok(door) => {
                tracing::warn!("the socket that hooks ask at was gone from `{}`, and is there again", repository.display());
                (self.door, *told) = (door, None);
            }
            Err(error) => {
                let why = error.to_string();
                if told.as_ref() != Some(&why) {
                    tracing::warn!("pushes cannot be checked: {why}");
                }
                *told = Some(why);
            }
        }
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
