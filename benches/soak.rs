//! Everything at once for minutes: `scripts/soak [MINUTES] [sqlite|postgres|both]`.

#[path = "../tests/kit/mod.rs"]
mod kit;
#[path = "../tests/soak/soak.rs"]
mod soak;

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
