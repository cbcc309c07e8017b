//! Signals: the first asks the node to end what it is at, the second ends it at once.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Signals so close after the first are one: `timeout` and some supervisors tell the process, and then its whole group.
const TOGETHER: Duration = Duration::from_millis(50);
/// The exit code of a process that a second signal ended: 128 and SIGINT, as shells count.
const INTERRUPTED: i32 = 130;

/// Cancels the token at the first SIGTERM or SIGINT, and ends the process at the second, after `last`.
pub async fn on_signal(stop: CancellationToken, last: fn()) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut next = async || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    next().await;
    tracing::info!("stopping: running requests may end; a second signal stops at once");
    stop.cancel();
    let _ = tokio::time::timeout(TOGETHER, async {
        loop {
            next().await;
        }
    })
    .await;
    next().await;
    tracing::warn!("stopped at once");
    last();
    std::process::exit(INTERRUPTED)
}
