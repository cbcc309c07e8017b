//! `picloud init`: a small working project.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
};

use anyhow::{Context, bail};
use clap::Args;

use super::{Exit, output};

/// `picloud init [DIR]`
#[derive(Debug, Args)]
pub struct Init {
    /// Folder to make it in; it may exist
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// The files of a new project.
pub const FILES: [(&str, &str); 5] = [
    (
        "picloud.toml",
        r#"# What people change most; every key is in docs/configuration.md.
[source]
path = "functions"

[server]
listen = "127.0.0.1:8080"
"#,
    ),
    (".gitignore", "/.picloud\n"),
    (
        "functions/hello.rhai",
        r#"+++
description = "Greets someone: /hello?name=Ada"
methods = ["GET"]
+++
import "greetings" as greetings;

let name = ctx.request.query.name ?? "world";
log::info(`greeting ${name}`);
#{ message: greetings::greet(name) }
"#,
    ),
    (
        "functions/users/[id=int].get.rhai",
        r#"+++
description = "Answers /users/7"
+++
#{ id: parse_int(ctx.request.params.id), path: ctx.request.path }
"#,
    ),
    (
        "functions/_lib/greetings.rhai",
        r#"// Files below `_lib` answer nothing; others import them.
fn greet(name) {
    `hello ${name}`
}
"#,
    ),
];

impl Init {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        if let Some((file, _)) = FILES.iter().find(|(file, _)| self.dir.join(file).exists()) {
            bail!("`{}` is there already\n  hint: name an empty folder: `picloud init my-project`", self.dir.join(file).display());
        }
        for (file, text) in FILES {
            let path = self.dir.join(file);
            let cannot = || format!("cannot write `{}`", path.display());
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).with_context(cannot)?;
            }
            let mut new = OpenOptions::new().create_new(true).write(true).open(&path).with_context(cannot)?;
            new.write_all(text.as_bytes()).with_context(cannot)?;
            output::line(format!("made {}", path.display()));
        }
        output::line("\nNow:");
        if self.dir.as_os_str() != "." {
            output::line(format!("  cd {}", self.dir.display()));
        }
        output::line("  picloud serve\n  curl 'http://127.0.0.1:8080/hello?name=Ada'");
        Ok(Exit::Done)
    }
}
