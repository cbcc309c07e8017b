//! `picloud man`: pages for `man`, one for each command, as packages install them.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Args, Command};
use clap_mangen::Man as Page;

use super::{exit::Exit, output};

/// `picloud man DIR`
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub struct Man {
    /// Folder to write the pages into; it is made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// What the page of the program says besides its commands.
const MORE: &str = include_str!("man.roff");

impl Man {
    pub(super) fn run(self, root: Command) -> anyhow::Result<Exit> {
        let folder = self.folder.display();
        let mut root = root.disable_help_subcommand(true);
        root.build();
        let count = fs::create_dir_all(&self.folder)
            .and_then(|()| write_all(&root, &self.folder))
            .with_context(|| format!("cannot write into `{folder}`"))?;
        output::line(format!("wrote {count} pages into {folder}"));
        Ok(Exit::Done)
    }
}

/// Writes the page of a command and those of all below it, and returns how many.
fn write_all(command: &Command, folder: &Path) -> io::Result<usize> {
    let page = Page::new(command.clone()).manual("PiCloud");
    let mut text = Vec::new();
    page.render(&mut text)?;
    if command.get_name() == "picloud" {
        text.write_all(MORE.as_bytes())?;
    }
    fs::write(folder.join(page.get_filename()), text)?;
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    below.map(|below| write_all(below, folder)).try_fold(1, |count, written| Ok(count + written?))
}
