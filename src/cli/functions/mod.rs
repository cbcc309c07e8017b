//! `picloud functions`: the files of a node, and one of them with its settings.

mod list;
mod show;

use clap::{Args, Subcommand};

use self::{list::List, show::Show};
use super::exit::Exit;

/// Where they are.
const PATH: &str = "/api/admin/scripts";

/// `picloud functions`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Functions {
    #[command(subcommand)]
    one: Option<One>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum One {
    /// Show one of them: each setting with where its value comes from, or the functions that use a module
    Show(Show),
}

impl Functions {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match self.one {
            Some(One::Show(show)) => show.run(),
            None => self.list.run(),
        }
    }
}
