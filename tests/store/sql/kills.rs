//! A process that is killed in the middle of a transaction leaves nothing of it.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use picloud::capability::sql::SqlValue;

use super::{App, generous, text};
use crate::kit::store::{Fresh, on_both};

on_both! {
    a_killed_process_leaves_nothing_half
}

/// Says to a copy of this test that it is the one to be killed, and where its database is.
const VICTIM: &str = "PICLOUD_TEST_VICTIM";

async fn a_killed_process_leaves_nothing_half(fresh: Fresh) {
    if let Ok(place) = std::env::var(VICTIM) {
        return be_killed(&place).await;
    }
    let app = App::new(fresh);
    app.done("CREATE TABLE t (a INTEGER)").await;
    let kind = if app.is_sqlite() { "sqlite" } else { "postgres" };
    let name = format!("sql::kills::{kind}::a_killed_process_leaves_nothing_half");
    let place = format!("{}\n{}", app.fresh.url, app.fresh.folder.path().display());
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args([&name, "--exact", "--nocapture"])
        .env(VICTIM, place)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("in the middle")), "{name}");
    victim.kill().unwrap();
    victim.wait().unwrap();
    // On Postgres the server notices within a moment, and until then the row is in no other transaction either.
    assert_eq!(app.value("SELECT count(*) FROM t").await, SqlValue::Int(0));
    app.done("INSERT INTO t VALUES (1)").await;
    assert_eq!(app.value("SELECT count(*) FROM t").await, SqlValue::Int(1));
}

async fn be_killed(place: &str) {
    let (url, folder) = place.split_once('\n').unwrap();
    let fresh = Fresh { url: url.into(), folder: tempfile::TempDir::new().unwrap() };
    let app = App::at(fresh, &PathBuf::from(folder));
    let mut transaction = app.begin().await;
    for _ in 0..100 {
        transaction.query(&text("INSERT INTO t VALUES (1)"), generous()).await.unwrap();
    }
    println!("in the middle");
    tokio::time::sleep(Duration::from_secs(60)).await;
}
