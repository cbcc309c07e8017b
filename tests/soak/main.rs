//! A short form of what `scripts/soak` does for minutes, on both databases and both kinds of source.

#[path = "../kit/mod.rs"]
mod kit;
mod soak;

use std::time::Duration;

use soak::{Kind, run};

const SPAN: Duration = Duration::from_secs(8);

#[track_caller]
fn holds(kind: Kind) {
    let failures = run(kind, SPAN);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// One after the other: each measures what its node takes of the machine.
#[test]
fn nothing_fails_grows_or_is_lost_while_everything_happens_at_once() {
    holds(Kind::FolderAndSqlite);
    holds(Kind::GitAndPostgres);
}
