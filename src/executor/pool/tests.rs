//! The pool with work of its own: what is refused, what is given a thread, and what waits.

use std::{
    sync::{Arc, Mutex, mpsc::channel},
    time::Duration,
};

use tokio::runtime::{Builder, Handle, Runtime};

use super::*;
use crate::engine::Wait as _;

/// Longer than any of this takes.
const LONG: Duration = Duration::from_secs(10);

/// What watches a pool. It does so only while it is driven.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// Waits until a pool has so many with a place and in line.
fn until(pool: &Pool, usage: (usize, usize)) {
    while pool.usage() != usage {
        std::thread::yield_now();
    }
}

/// Waits until the pool takes a job and has run it.
fn runs_again(pool: &Pool, runtime: &Handle) {
    let (ran, seen) = channel();
    loop {
        let ran = ran.clone();
        match pool.run(runtime, Box::new(move || ran.send(()).unwrap())) {
            Ok(()) => break,
            Err(Full) => std::thread::yield_now(),
        }
    }
    seen.recv_timeout(LONG).unwrap();
}

#[test]
fn a_full_pool_refuses_and_takes_again_when_a_thread_is_free() {
    let (pool, runtime) = (Pool::new(2, 1 << 20), runtime());
    let (release, wait) = channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    for _ in 0..2 {
        let wait = wait.clone();
        pool.run(runtime.handle(), Box::new(move || wait.lock().unwrap().recv().unwrap())).unwrap();
    }
    assert!(pool.run(runtime.handle(), Box::new(|| {})).is_err());
    assert_eq!(pool.usage(), (2, 0));
    release.send(()).unwrap();
    runs_again(&pool, runtime.handle());
    release.send(()).unwrap();
}

#[test]
fn what_waits_behind_long_jobs_gets_a_thread() {
    let (pool, runtime) = (Pool::new(1_000, 1 << 20), runtime());
    let (release, wait) = channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let few = pool.shared.places;
    for _ in 0..few {
        let wait = wait.clone();
        let work = move || {
            let _ = wait.lock().unwrap().recv();
        };
        pool.run(runtime.handle(), Box::new(work)).unwrap();
    }
    let (ran, mut seen) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..100 {
        let ran = ran.clone();
        pool.run(runtime.handle(), Box::new(move || ran.send(()).unwrap())).unwrap();
    }
    assert_eq!(pool.usage(), (few, 100), "more threads make nothing faster");
    runtime.block_on(async {
        for _ in 0..100 {
            tokio::time::timeout(LONG, seen.recv()).await.unwrap().unwrap();
        }
    });
    drop(release);
    until(&pool, (0, 0));
}

#[test]
fn one_task_watches_for_all_who_are_in_line() {
    let (pool, runtime) = (Pool::new(1_000, 1 << 20), runtime());
    let (release, wait) = channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    for _ in 0..pool.shared.places + 100 {
        let wait = wait.clone();
        let work = move || {
            let _ = wait.lock().unwrap().recv();
        };
        pool.run(runtime.handle(), Box::new(work)).unwrap();
    }
    assert_eq!(runtime.metrics().num_alive_tasks(), 1);
    drop(release);
    until(&pool, (0, 0));
    runtime.block_on(async {
        while runtime.metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn who_waits_has_no_place_and_comes_back_to_the_same_priority() {
    let (pool, runtime) = (Pool::new(1_000, 1 << 20), runtime());
    let many = 10 * pool.shared.places;
    let (open, gate) = tokio::sync::watch::channel(false);
    let (ran, seen) = channel();
    for _ in 0..many {
        let waiter = PoolWait { pool: pool.clone(), runtime: runtime.handle().clone() };
        let (mut gate, ran) = (gate.clone(), ran.clone());
        let work = move || {
            waiter.wait(Box::pin(async move { drop(gate.wait_for(|is_open| *is_open).await) }), LONG);
            ran.send(getpriority_process(None).unwrap()).unwrap();
        };
        pool.run(runtime.handle(), Box::new(work)).unwrap();
    }
    until(&pool, (0, 0));
    runs_again(&pool, runtime.handle());
    open.send(true).unwrap();
    runtime.block_on(async {
        while runtime.metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    });
    for _ in 0..many {
        // Threads that wait have started others, which would otherwise be less and less likely to run.
        let niceness = seen.recv_timeout(LONG).unwrap();
        assert_eq!(niceness, (pool.shared.niceness + worker::NICENESS).min(19));
    }
    until(&pool, (0, 0));
}

#[test]
fn whoever_waited_in_vain_or_for_what_panics_has_a_place_again() {
    let (pool, runtime) = (Pool::new(1_000, 1 << 20), runtime());
    for is_broken in [false, true] {
        let waiter = PoolWait { pool: pool.clone(), runtime: runtime.handle().clone() };
        let (theirs, (ran, seen)) = (pool.clone(), channel());
        let work = move || {
            let never = async {
                tokio::task::yield_now().await;
                assert!(!is_broken, "on purpose");
                std::future::pending::<()>().await;
            };
            let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| waiter.wait(Box::pin(never), Duration::from_millis(1))));
            ran.send((waited.is_err(), theirs.usage())).unwrap();
        };
        pool.run(runtime.handle(), Box::new(work)).unwrap();
        assert_eq!(seen.recv_timeout(LONG).unwrap(), (is_broken, (1, 0)));
        until(&pool, (0, 0));
    }
}

#[test]
fn the_thread_that_worked_last_works_next() {
    let (pool, runtime) = (Pool::new(1_000, 1 << 20), runtime());
    let (release, wait) = channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    for _ in 0..pool.shared.places {
        let wait = wait.clone();
        let work = move || {
            let _ = wait.lock().unwrap().recv();
        };
        pool.run(runtime.handle(), Box::new(work)).unwrap();
    }
    drop(release);
    let threads = |count: usize| {
        let (ran, seen) = channel();
        let ids = (0..count).map(|_| {
            let idle = || pool.shared.lock().idle.len() == pool.shared.places;
            while !idle() {
                std::thread::yield_now();
            }
            let ran = ran.clone();
            pool.run(runtime.handle(), Box::new(move || ran.send(std::thread::current().id()).unwrap())).unwrap();
            seen.recv_timeout(LONG).unwrap()
        });
        ids.collect::<std::collections::HashSet<_>>().len()
    };
    assert_eq!(threads(10), 1);
}

#[test]
fn where_the_system_gives_no_thread_a_job_is_refused() {
    let (pool, runtime) = (Pool::new(2, usize::MAX / 4), runtime());
    for _ in 0..3 {
        assert!(pool.run(runtime.handle(), Box::new(|| {})).is_err());
    }
    assert_eq!(pool.usage(), (0, 0));
}

#[test]
fn a_job_that_panics_costs_no_thread() {
    let (pool, runtime) = (Pool::new(1, 1 << 20), runtime());
    pool.run(runtime.handle(), Box::new(|| panic!("on purpose"))).unwrap();
    runs_again(&pool, runtime.handle());
}
