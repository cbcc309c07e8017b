//! Everything at once for minutes: `scripts/soak [MINUTES] [sqlite|postgres|both]`.

#[path = "../tests/git/kit.rs"]
#[allow(dead_code, reason = "the tests of git use the rest of it")]
mod kit;
#[path = "../tests/support/node.rs"]
mod node;
#[path = "../tests/soak/soak.rs"]
mod soak;
#[path = "../tests/store/kit.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the store's tests use the rest of it")]
mod store;

use std::{process::ExitCode, time::Duration};

use soak::{Kind, run};

fn main() -> ExitCode {
    // `cargo test --benches` only wants to see that it builds.
    let Ok(seconds) = std::env::var("PICLOUD_SOAK_SECONDS") else { return ExitCode::SUCCESS };
    let span = Duration::from_secs(seconds.parse().expect("PICLOUD_SOAK_SECONDS is a number"));
    let kinds: &[Kind] = match std::env::var("PICLOUD_SOAK_ON").as_deref() {
        Ok("sqlite") => &[Kind::FolderAndSqlite],
        Ok("postgres") => &[Kind::GitAndPostgres],
        _ => &[Kind::FolderAndSqlite, Kind::GitAndPostgres],
    };
    let mut holds = true;
    for kind in kinds {
        for failure in run(*kind, span) {
            holds = false;
            eprintln!("does not hold: {failure}");
        }
    }
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
