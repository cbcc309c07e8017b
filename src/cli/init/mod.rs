//! `picloud init`: a small working project.

mod template;

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;

use self::template::{IGNORED, SHARED, Template};
use super::{exit::Exit, output};
use crate::source::git::{self, hosted};

/// `picloud init [DIR]`
#[derive(Debug, Args)]
pub struct Init {
    /// Folder to make it in; it may exist
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// What kind of project
    #[arg(long, value_enum, default_value = "api", conflicts_with = "bare")]
    template: Template,
    /// Make a bare git repository there to push to, or make one fit that is there
    #[arg(long)]
    bare: bool,
    /// The branch that deploys
    #[arg(long, default_value = "main", requires = "bare")]
    branch: String,
}

impl Init {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match self.bare {
            true => self.bare(),
            false => self.project(),
        }
    }

    /// Makes a repository whose pushes go through the node that follows it.
    fn bare(self) -> anyhow::Result<Exit> {
        if !git::is_branch(&self.branch) {
            bail!("`{}` is no name of a branch\n  hint: write it like `main` or `release/2`", self.branch);
        }
        // Among somebody's files none is made: its `config` would take the place of theirs.
        let is_new = git::is_free(&self.dir);
        if is_new {
            hosted::make(&self.dir, &self.branch)?;
        }
        git::must_be_readable(&self.dir)?;
        hosted::adopt(&self.dir)?;
        let repository = self.dir.canonicalize()?;
        let foreign = hosted::install_hooks(&repository)?;
        if let Some(hook) = foreign.first() {
            let name = hook.file_name().unwrap_or_default().display();
            bail!(
                "`{}` is a hook of somebody else, and pushes are not checked without ours\n  hint: rename it, run this again, and call it from the new one",
                hook.with_file_name(name.to_string()).display()
            );
        }
        output::line(format!("{} {}", if is_new { "made" } else { "adopted" }, repository.display()));
        output::line("\nNow, in the folder of the node, this picloud.toml:");
        // TOML takes every string that JSON does.
        let path = serde_json::Value::from(repository.display().to_string());
        output::line(format!("  [source]\n  kind = \"git\"\n  repository = {path}"));
        if self.branch != "main" {
            output::line(format!("  branch = \"{}\"", self.branch));
        }
        output::line("and\n  picloud serve");
        let place = output::shell(&repository.display().to_string());
        output::line(format!("Then push from anywhere:\n  git push {place} {}", self.branch));
        Ok(Exit::Done)
    }

    fn project(self) -> anyhow::Result<Exit> {
        if self.dir.exists() && !self.dir.is_dir() {
            bail!("`{}` is a file\n  hint: name a folder: `picloud init my-project`", self.dir.display());
        }
        let is_here = self.dir == Path::new(".");
        let place = |file: &str| if is_here { file.into() } else { self.dir.join(file) };
        let files = SHARED.into_iter().chain(self.template.files().iter().copied());
        let (kept, new): (Vec<_>, Vec<_>) = files.partition(|(file, _)| place(file).symlink_metadata().is_ok());
        if let Some((file, _)) = kept.iter().find(|(file, _)| *file != IGNORED) {
            bail!("`{}` is there already\n  hint: name an empty folder: `picloud init my-project`", place(file).display());
        }
        for (file, text) in new {
            let path = place(file);
            make(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
            output::line(format!("made {}", path.display()));
        }
        for (file, text) in kept {
            let lines: Vec<String> = text.lines().map(|line| format!("`{line}`")).collect();
            output::line(format!("left {} as it is; it should have the lines {}", place(file).display(), lines.join(" and ")));
        }
        output::line("\nNow:");
        if !is_here {
            output::line(format!("  cd {}", self.dir.display()));
        }
        output::line("  picloud dev\nand in another terminal, there:");
        self.template.next().iter().for_each(|command| output::line(format!("  {command}")));
        output::line("For an editor with Rhai's language server, so that it knows `http::get` and the others:\n  picloud definitions");
        Ok(Exit::Done)
    }
}

/// Writes a file that is not there yet, and the folders above it.
fn make(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create_new(true).write(true).open(path)?.write_all(text.as_bytes())
}
