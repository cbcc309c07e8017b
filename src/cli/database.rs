//! `picloud db`: what a node remembers, in another database.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{
    backup::{for_its_user, show},
    exit::Exit,
    output,
};
use crate::{
    node,
    store::transfer::{self, DatabaseSnapshot, Filling},
};

/// `picloud db`
#[derive(Debug, Subcommand)]
pub enum Database {
    /// Copy every table into an empty database, compare both, and keep the copy if it is the same
    Copy(Copy),
}

/// `picloud db copy FROM TO`
#[derive(Debug, Args)]
pub struct Copy {
    /// The database that there is: `sqlite:PATH`, or `sqlite` for the one in the data folder, or `postgres://…`
    #[arg(value_name = "FROM")]
    from: String,
    /// An empty one; a password belongs into the environment, as PICLOUD_DATABASE_URL or as PGPASSWORD
    #[arg(value_name = "TO", env = "PICLOUD_DATABASE_URL", hide_env_values = true)]
    to: String,
    /// Folder for the node's own files
    #[arg(long, alias = "data-dir", env = "PICLOUD_DATA", value_name = "DIR", default_value = ".picloud")]
    data: PathBuf,
}

impl Database {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::Copy(copy) => copy.run(),
        }
    }
}

impl Copy {
    fn run(self) -> anyhow::Result<Exit> {
        let copied = for_its_user(async {
            let from = DatabaseSnapshot::open(&self.from, &self.data).await?;
            let to = Filling::open(&self.to, &self.data, transfer::last_schema()).await?;
            if let Some(running) = node::running(&self.data) {
                output::tell(format!("a node runs at {}: what it writes from now on is not copied", running.url));
            }
            let places = (from.place().to_owned(), to.place());
            let copied = transfer::copy(from, to, show).await;
            output::progress("");
            Ok((places, copied?))
        });
        let ((from, to), copied) = copied?;
        output::table(
            ["TABLE", "ROWS", "SHA-256"],
            &copied.iter().map(|(table, sum)| [table.name.clone(), sum.rows.to_string(), sum.sha256[..16].to_owned()]).collect::<Vec<_>>(),
        );
        output::line(format!("\n{to} holds what {from} does."));
        Ok(Exit::Done)
    }
}
