//! `picloud secret`: values that functions use and nobody reads. By the node that runs, or on the database while none does.

mod change;
mod list;
mod value;

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};

use self::{change::Keeper, list::List};
use super::{exit::Exit, output, target::ChangeArgs};
use crate::{api::secrets::SecretChanges, capability::redact::SHORTEST_REDACTED, function::grants::secret::SecretName, vault::NewSecret};

/// `picloud secret`
#[derive(Debug, Subcommand)]
pub enum Secret {
    /// Set a secret; its value is read from stdin or a file, or asked for
    Set(Set),
    /// List secrets by name, without their values
    List(List),
    /// Remove secrets
    Rm(Rm),
    /// Make every variable of a `.env` file a secret
    Import(Import),
}

/// `picloud secret set NAME`
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    node: ChangeArgs,
    /// Its name: capital letters, digits and `_`, such as `STRIPE_KEY`
    name: SecretName,
    /// File with the value; `-` is stdin [default: stdin, or asked for on a terminal]
    #[arg(long, value_name = "FILE", conflicts_with = "is_final")]
    from: Option<PathBuf>,
    /// How long the value before is accepted; `0s`: not at all [default: 24h]
    #[arg(long, value_name = "SPAN", conflicts_with = "is_final")]
    keep_previous: Option<humantime::Duration>,
    /// Set nothing, and end the rotation: the value before is not accepted any more
    #[arg(long = "final")]
    is_final: bool,
    /// A value that somebody put on the command line.
    #[arg(hide = true)]
    value: Option<String>,
}

/// `picloud secret rm NAME…`
#[derive(Debug, Args)]
pub struct Rm {
    #[command(flatten)]
    node: ChangeArgs,
    /// Their names
    #[arg(required = true)]
    names: Vec<SecretName>,
    /// Also if live functions use them, which then fail
    #[arg(long)]
    force: bool,
}

/// `picloud secret import FILE`
#[derive(Debug, Args)]
pub struct Import {
    #[command(flatten)]
    node: ChangeArgs,
    /// File with lines such as `NAME=value`; `-` is stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How long the values before are accepted; `0s`: not at all [default: 24h]
    #[arg(long, value_name = "SPAN")]
    keep_previous: Option<humantime::Duration>,
}

impl Secret {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::Set(set) => set.run(),
            Self::List(list) => list.run(),
            Self::Rm(rm) => rm.run(),
            Self::Import(import) => import.run(),
        }
    }
}

impl Set {
    fn run(self) -> anyhow::Result<Exit> {
        let name = &self.name;
        if self.value.is_some() {
            bail!(
                "a value does not belong on the command line: others see it in the list of processes, and the shell keeps it\n  hint: `picloud secret set {name}` asks for it; `--from FILE` reads a file"
            );
        }
        if self.is_final {
            Keeper::find(&self.node, "end the rotation of a secret")?.end_rotation(name)?;
            output::tell(format!("Only the current value of `{name}` is accepted now."));
            return Ok(Exit::Done);
        }
        // First: who is asked for a value should not learn then that there is no node.
        let place = Keeper::find(&self.node, "set a secret")?;
        let value = value::read(name, self.from.as_deref())?;
        place.set(vec![NewSecret { name: name.clone(), value }], self.keep_previous.map(Into::into))
    }
}

impl Rm {
    fn run(self) -> anyhow::Result<Exit> {
        Keeper::find(&self.node, "remove secrets")?.remove(&self.names, self.force)?;
        for name in &self.names {
            output::tell(format!("The secret `{name}` is gone."));
        }
        Ok(Exit::Done)
    }
}

impl Import {
    fn run(self) -> anyhow::Result<Exit> {
        let new = value::read_env(&self.file)?;
        Keeper::find(&self.node, "set secrets")?.set(new, self.keep_previous.map(Into::into))
    }
}

/// Tells what became of secrets.
fn tell(changes: &SecretChanges, short: &[SecretName]) {
    let told = [(&changes.created, "is set."), (&changes.changed, "has a new value."), (&changes.unchanged, "has this value already.")];
    for (names, what) in told {
        for name in names {
            output::tell(format!("The secret `{name}` {what}"));
        }
    }
    for name in short {
        output::tell(format!(
            "warning: the value of `{name}` has fewer than {SHORTEST_REDACTED} bytes: it is not taken out of log lines, where it would be found in innocent words"
        ));
    }
}
