//! How the node speaks about itself: on stderr, readable for people on a terminal, JSON lines for everything else. Whoever reads that may be
//! slow or stand still, so a thread of its own writes it: no request waits for the log.

use std::{
    io::{self, IsTerminal, Write, stderr},
    sync::{
        OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use tracing_subscriber::{fmt, prelude::*};

use crate::config::{Log, LogFormat};

/// Bytes that wait to be written; beyond it lines are dropped and counted.
const MAX_WAITING_BYTES: usize = 4 << 20;
/// How long an end waits for the last lines to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

enum LogEntry {
    Line(Vec<u8>),
    /// Everything before this is written.
    Mark(Sender<()>),
}

static WRITER: OnceLock<Sender<LogEntry>> = OnceLock::new();
static WAITING_BYTES: AtomicUsize = AtomicUsize::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Hands lines to the thread that writes. `fmt` gives it each as a whole.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if WAITING_BYTES.fetch_add(line.len(), Ordering::Relaxed) > MAX_WAITING_BYTES {
            WAITING_BYTES.fetch_sub(line.len(), Ordering::Relaxed);
            DROPPED.fetch_add(1, Ordering::Relaxed);
        } else if let Some(writer) = WRITER.get() {
            let _ = writer.send(LogEntry::Line(line.into()));
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(entries: Receiver<LogEntry>) {
    for entry in entries {
        match entry {
            LogEntry::Line(line) => {
                // Where it fails there is nobody to be told.
                let _ = stderr().write_all(&line);
                WAITING_BYTES.fetch_sub(line.len(), Ordering::Relaxed);
            }
            LogEntry::Mark(written) => drop(written.send(())),
        }
        // Said where there is room for more again, and so not beside each line.
        let has_room = WAITING_BYTES.load(Ordering::Relaxed) < MAX_WAITING_BYTES / 2;
        let dropped = if has_room { DROPPED.swap(0, Ordering::Relaxed) } else { 0 };
        if dropped > 0 {
            tracing::warn!("{dropped} line(s) of this log were dropped: they came faster than they were read");
        }
    }
}

/// Waits a moment until what has been said is written.
pub fn flush() {
    let Some(writer) = WRITER.get() else { return };
    let (written, is_written) = channel();
    if writer.send(LogEntry::Mark(written)).is_ok() {
        let _ = is_written.recv_timeout(LAST_LINES);
    }
}

/// The log of a process. Dropping it waits a moment for the last lines.
pub struct LogGuard;

impl Drop for LogGuard {
    fn drop(&mut self) {
        flush();
    }
}

/// Starts the log. Later calls in the same process change nothing.
pub fn start(log: &Log) -> LogGuard {
    let filter = log.level.filter();
    let is_json = match log.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !stderr().is_terminal(),
    };
    let (writer, entries) = channel();
    if WRITER.set(writer).is_ok() {
        let thread = std::thread::Builder::new().name("log".into()).spawn(|| write(entries));
        thread.expect("a process that begins can have another thread");
    }
    let has_colours = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = fmt::layer().with_writer(|| Lines).with_target(false);
    // A second start is a test's, in a process that has its log already.
    let _ = if is_json {
        tracing_subscriber::registry().with(filter).with(lines.json().flatten_event(true)).try_init()
    } else {
        tracing_subscriber::registry().with(filter).with(lines.with_ansi(has_colours)).try_init()
    };
    LogGuard
}
