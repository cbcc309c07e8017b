//! What a node remembers: read from the node or from its database, and listed as a table or as JSON.

use clap::Args;
use serde::Serialize;

use super::{client::Client, exit::Exit, output, target::NodeArgs};
use crate::store::Store;

/// Where records are read from.
pub enum Records {
    /// A node.
    Node(Client),
    /// The database that the configuration names.
    Database(Store),
}

impl NodeArgs {
    /// Reads records from the node that was named, else from the database.
    pub fn records<T>(&self, read: impl AsyncFnOnce(Records) -> anyhow::Result<T>) -> anyhow::Result<T> {
        match self.named()? {
            Some(client) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(read(Records::Node(client)))
            }
            None => {
                let config = self.configured.load()?;
                self.configured.with_store(&config, async |store| read(Records::Database(store)).await)
            }
        }
    }
}

/// How many records are listed, and how.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// At most so many, the newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    #[command(flatten)]
    pub form: ListForm,
}

/// How records are listed.
#[derive(Debug, Args)]
pub struct ListForm {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

impl ListForm {
    /// Prints records: as `json` makes them, or each as a row below the heading.
    pub fn list<'r, R, J: Serialize, const N: usize>(
        &self,
        records: &'r [R],
        json: impl FnMut(&'r R) -> J,
        heading: [&str; N],
        row: impl FnMut(&'r R) -> [String; N],
    ) -> anyhow::Result<Exit> {
        if self.json {
            output::json(&records.iter().map(json).collect::<Vec<_>>())?;
        } else {
            output::table(heading, &records.iter().map(row).collect::<Vec<_>>());
        }
        Ok(Exit::Done)
    }
}
