//! `picloud definitions`: what editors know of the functions of the host.

use std::{fs, path::PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::{exit::Exit, output};
use crate::engine::host::definitions::definitions;

/// `picloud definitions [FILE]`
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub struct Definitions {
    /// File to write, whose name ends with `.d.rhai`, outside of the functions folder; `-` is standard output
    #[arg(value_name = "FILE", default_value = "picloud.d.rhai")]
    file: PathBuf,
}

impl Definitions {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        if self.file.as_os_str() == "-" {
            output::raw(definitions().as_bytes());
            return Ok(Exit::Done);
        }
        let file = self.file.display();
        if !self.file.to_string_lossy().ends_with(".d.rhai") {
            bail!("`{file}` is no name of a definition file\n  hint: let it end with `.d.rhai`: `picloud definitions picloud.d.rhai`");
        }
        fs::write(&self.file, definitions()).with_context(|| format!("cannot write `{file}`"))?;
        output::line(format!("wrote {file}"));
        Ok(Exit::Done)
    }
}
