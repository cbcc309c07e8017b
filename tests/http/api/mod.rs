//! A node from afar: executions with their logs, deployments and what differs between them, routes, and runs that are asked for; through a
//! real node on both databases.

mod deployments;
mod effects;
mod invoke;
mod lists;
mod openapi;
mod remote;
mod replay;
mod routes;
mod settings;
mod stats;
mod status_tail;
pub mod tail;

use std::process::{Command, Output, Stdio};

use crate::kit::{api::bearer, client::Response, node::Node, store::Fresh};
use picloud::{
    execution::Execution,
    store::{Store, Turn},
};
use tokio::runtime::Runtime;

/// Runs each of these stories on both databases.
macro_rules! on_both_databases {
    ($($test:ident)*) => {
        mod sqlite { $(#[test] fn $test() { super::$test(crate::api::Story::sqlite()) })* }
        mod postgres { $(#[test] fn $test() { super::$test(crate::api::Story::postgres()) })* }
    };
}
pub(crate) use on_both_databases;

/// A database, and what can be done with it beside a node.
struct Story {
    fresh: Fresh,
    runtime: Runtime,
}

impl Story {
    fn sqlite() -> Self {
        let mut fresh = Fresh::sqlite();
        fresh.url = format!("sqlite:{}", fresh.sqlite_file().display());
        Self { fresh, runtime: Runtime::new().unwrap() }
    }

    fn postgres() -> Self {
        let runtime = Runtime::new().unwrap();
        Self { fresh: runtime.block_on(Fresh::postgres()), runtime }
    }

    fn setup(&self, files: &[(&str, &str)]) -> crate::kit::node::Setup {
        crate::kit::node::node(files).variable("PICLOUD_DATABASE_URL", &self.fresh.url)
    }

    /// Works on the database itself.
    fn store<T>(&self, work: impl AsyncFnOnce(&Store) -> T) -> T {
        self.runtime.block_on(async {
            let store = self.fresh.open().await;
            let done = work(&store).await;
            store.close().await;
            done
        })
    }

    /// A command in the folder of a node, which reads its files and its database.
    fn beside(&self, node: &Node, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_picloud"));
        command.args(arguments).current_dir(node.folder()).env_clear().stdin(Stdio::null());
        command.env("PICLOUD_DATABASE_URL", &self.fresh.url);
        command
    }

    /// Makes a token, and returns what is sent with it.
    fn token(&self, node: &Node, scope: &str) -> String {
        let secret = text(self.beside(node, &["token", "create", scope, "--scope", scope]).output().unwrap());
        format!("Bearer {}", secret.trim())
    }

    fn append(&self, executions: &[Execution]) {
        self.store(async |store| store.append_executions(executions, Turn::First).await.unwrap());
    }
}

/// Asks with the admin's token.
fn get(node: &Node, path: &str) -> Response {
    node.send("GET", path, &[("authorization", &bearer(node))], b"")
}

/// Returns what is wrong with a question, by its status.
fn refused(node: &Node, path: &str) -> (u16, String) {
    let answer = get(node, path);
    (answer.status, answer.json()["detail"].as_str().unwrap().to_owned())
}

/// A command in a folder without a node, that is told of one.
fn elsewhere(folder: &tempfile::TempDir, node: &Node, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picloud"));
    let token = std::fs::read_to_string(node.data().join("admin-token")).unwrap();
    command.args(arguments).current_dir(folder.path()).env_clear().stdin(Stdio::null());
    command.env("PICLOUD_URL", format!("http://{}", node.address())).env("PICLOUD_TOKEN", token.trim());
    command
}

fn text(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
