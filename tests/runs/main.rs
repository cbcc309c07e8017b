//! Executions from afar: lists, one with its log, and the live tail, through a real node on both databases.

#[path = "../store/kit.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the store's tests use the rest of it")]
mod kit;
#[path = "../support/node.rs"]
mod node;

mod lists;
mod remote;
mod replay;
mod tail;

use kit::Fresh;
use node::{Node, Response};
use picloud::{execution::Execution, store::Store};
use tokio::runtime::Runtime;

/// Runs each of these stories on both databases.
macro_rules! on_both_databases {
    ($($test:ident)*) => {
        mod sqlite { $(#[test] fn $test() { super::$test(crate::Story::sqlite()) })* }
        mod postgres { $(#[test] fn $test() { super::$test(crate::Story::postgres()) })* }
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

    fn setup(&self, files: &[(&str, &str)]) -> node::Setup {
        node::node(files).variable("PICLOUD_DATABASE_URL", &self.fresh.url)
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

    fn append(&self, executions: &[Execution]) {
        self.store(async |store| store.append_executions(executions).await.unwrap());
    }
}

fn admin(node: &Node) -> String {
    format!("Bearer {}", std::fs::read_to_string(node.data().join("admin-token")).unwrap().trim())
}

/// Asks with the admin's token.
fn get(node: &Node, path: &str) -> Response {
    node.send("GET", path, &[("authorization", &admin(node))], b"")
}
