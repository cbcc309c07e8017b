//! What a story does with a node that runs: it saves files, asks, and waits for what it is told.

use std::{
    fs,
    path::{Path, PathBuf},
};

use picloud::{
    execution::Execution,
    store::{ExecutionFilter, Store},
};
use serde_json::Value;

use super::{Node, PATIENCE, wait_until, write};
use crate::kit::client::{Client, Response};

impl Node {
    /// Returns the path of a function file.
    pub fn file(&self, path: &str) -> PathBuf {
        self.folder().join("functions").join(path)
    }

    /// Saves a function file in place.
    pub fn write(&self, path: &str, text: &str) {
        write(&self.file(path), text);
    }

    /// Saves a function file as careful editors do: another file, renamed over it.
    pub fn replace(&self, path: &str, text: &str) {
        let next = self.file(path).with_extension("next~");
        write(&next, text);
        fs::rename(next, self.file(path)).unwrap();
    }

    /// Deletes a function file.
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.file(path)).unwrap();
    }

    /// Opens a connection.
    pub fn client(&self) -> Client {
        Client::to(self.address)
    }

    /// Waits until a line on stderr holds all of these, and returns it.
    #[track_caller]
    pub fn wait_for_line(&self, parts: &[&str]) -> String {
        let mut found = None;
        wait_until(&format!("a line with {parts:?} is in the log"), PATIENCE, || {
            found = self.log().lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned);
            found.is_some()
        });
        found.unwrap()
    }

    /// Asks on a connection of its own.
    pub fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], b"")
    }

    /// Asks on a connection of its own.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.client().send(method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.log()))
    }

    /// Waits until a function answers so.
    #[track_caller]
    pub fn wait_for(&self, path: &str, text: &str) {
        let mut client = self.client();
        let mut last = String::new();
        wait_until(&format!("{path} answers `{text}`"), PATIENCE, || {
            last = client.get(path).unwrap().text();
            last == text
        });
    }

    /// Waits until a path has this status.
    #[track_caller]
    pub fn wait_for_status(&self, path: &str, status: u16) {
        let mut client = self.client();
        wait_until(&format!("{path} has status {status}"), PATIENCE, || client.get(path).unwrap().status == status);
    }

    /// What `/_picloud/ready` says.
    pub fn ready(&self) -> Value {
        self.get("/_picloud/ready").json()
    }

    /// Waits until it calls itself so: `ready`, `degraded`, `starting`.
    #[track_caller]
    pub fn wait_for_state(&self, state: &str) {
        wait_until(&format!("the node is {state}"), PATIENCE, || self.ready()["status"] == state);
    }

    /// Every execution in its database, newest first.
    pub fn executions(&self) -> Vec<Execution> {
        executions(&self.data())
    }

    /// Waits until its database has an execution like this, and returns it.
    #[track_caller]
    pub fn wait_for_execution(&self, what: &str, is_it: impl Fn(&Execution) -> bool) -> Execution {
        let mut found = None;
        wait_until(&format!("an execution is recorded: {what}"), PATIENCE, || {
            found = self.executions().into_iter().find(&is_it);
            found.is_some()
        });
        found.unwrap()
    }
}

/// Every execution in a data folder's database, newest first; none while there is no database.
pub fn executions(data: &Path) -> Vec<Execution> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Ok(store) = Store::open_read_only("sqlite", data).await else { return Vec::new() };
        let found = store.executions(&ExecutionFilter { limit: u32::MAX, ..ExecutionFilter::default() }).await;
        store.close().await;
        found.unwrap()
    })
}
