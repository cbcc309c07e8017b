//! Work for another thread: what blocks, on one of its own, and what scripts wait for, on those of the runtime.
//!
//! Tokio's pool panics when the system gives it no thread, and what panics there ends the node. So what blocks does not go there.

use std::{
    fs, io,
    panic::resume_unwind,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{Builder, JoinHandle},
};

use rustix::process::{Resource, getrlimit};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

/// The stack of a thread that runs no script.
const STACK: usize = 2 << 20;
/// Address space that there must be beside a new thread's stack. A new thread first maps a stack for signals. If the system refuses that,
/// the standard library ends the process.
const BESIDE_STACK: u64 = 4 << 20;

/// Starts a thread; gives the work back, and why, if the system gives none.
pub fn spawn<W: FnOnce() + Send + 'static>(thread: Builder, work: W) -> Result<(), (W, io::Error)> {
    spawn_large(thread, STACK, work)
}

/// The same with a stack of so many bytes.
pub fn spawn_large<W: FnOnce() + Send + 'static>(thread: Builder, stack_bytes: usize, work: W) -> Result<(), (W, io::Error)> {
    begin(thread, stack_bytes, work).map(drop)
}

/// Tries whether the system gives so many threads with such stacks at once. For those who cannot do without, and would panic.
pub fn can_start(threads: usize, stack_bytes: usize) -> io::Result<()> {
    let (hold, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let wait = || {
        let held = held.clone();
        move || {
            let _ = held.lock().unwrap_or_else(PoisonError::into_inner).recv();
        }
    };
    let started: Vec<_> = (0..threads).map(|_| begin(Builder::new(), stack_bytes, wait())).collect();
    drop(hold);
    started.into_iter().try_for_each(|started| {
        // A thread that has ended has given its stack back.
        let _ = started.map_err(|(_, error)| error)?.join();
        Ok(())
    })
}

fn begin<W: FnOnce() + Send + 'static>(thread: Builder, stack_bytes: usize, work: W) -> Result<JoinHandle<()>, (W, io::Error)> {
    static STARTING: Mutex<()> = Mutex::new(());
    let thread = thread.stack_size(stack_bytes);
    let Some(limit) = getrlimit(Resource::As).current else { return start(thread, || {}, work) };
    // One after the other, each until it runs, so that no two count on the same room.
    let _turn = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if address_space().is_some_and(|used| used.saturating_add(stack_bytes as u64 + BESIDE_STACK) > limit) {
        let why = format!("the address space is limited to {} MiB (`ulimit -v`), and is used up", limit >> 20);
        return Err((work, io::Error::new(io::ErrorKind::OutOfMemory, why)));
    }
    let (begins, begun) = mpsc::channel::<()>();
    let started = start(thread, move || drop(begins), work);
    // The other end is dropped when the thread runs, or if there is none.
    let _ = begun.recv();
    started
}

fn start<W: FnOnce() + Send + 'static>(
    thread: Builder,
    first: impl FnOnce() + Send + 'static,
    work: W,
) -> Result<JoinHandle<()>, (W, io::Error)> {
    let mine = Arc::new(Mutex::new(Some(work)));
    let theirs = mine.clone();
    let take = |work: &Mutex<Option<W>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let run = move || {
        first();
        take(&theirs).into_iter().for_each(|work| work());
    };
    match thread.spawn(run) {
        Ok(handle) => Ok(handle),
        Err(error) => Err((take(&mine).expect("no thread has taken it"), error)),
    }
}

/// Returns the bytes of address space that this process uses, if the system tells.
fn address_space() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}

/// Runs work on a thread of its own, or on this one if the system gives none. `None` if the work panics.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    if let Err((work, _)) = spawn(Builder::new().name("blocking".into()), move || drop(sender.send(work()))) {
        work();
    }
    receiver.await.ok()
}

/// Runs work as a task of the runtime, which ends when nobody waits for it any more. A thread that the work starts has the priority of the
/// runtime's threads, and not that of the caller's, who may wait on a thread of a script.
pub async fn as_task<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match AbortOnDropHandle::new(tokio::spawn(work)).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime ends, and everybody who waits with it.
            Err(_) => std::future::pending().await,
        },
    }
}
