//! Which node a command speaks to: the one of the data folder, or any by its URL and a token.
//!
//! Which node: `--url`, else PICLOUD_URL, else the one that runs on the data folder, else the one of `picloud login`. Which token:
//! `--token-file`, else PICLOUD_TOKEN, else the data folder's for its own node, however it was named, and that of `picloud login` for any other.
//!
//! A node that nobody named is easily forgotten, so it is named on stderr, and asked about before it is changed.

use std::{cell::Cell, fs, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use clap::Args;

use super::{
    client::{Client, no_answer},
    config_args::{ConfigArgs, NODE_OPTIONS, secret},
    confirm::confirmed,
    credentials::{self, Credentials},
    output,
};
use crate::{node, secret::Secret};

/// Which node to speak to.
#[derive(Debug, Args)]
pub struct NodeArgs {
    #[command(flatten)]
    pub configured: ConfigArgs,
    /// The node's address [default: the one that uses the data folder, else the one of `picloud login`]
    #[arg(long, env = "PICLOUD_URL", value_name = "URL", help_heading = NODE_OPTIONS)]
    url: Option<String>,
    /// File with a token for that node; PICLOUD_TOKEN holds the token itself [default: that of `picloud login`]
    #[arg(long, value_name = "FILE", help_heading = NODE_OPTIONS)]
    token_file: Option<PathBuf>,
    /// Whether the node has been named on stderr.
    #[arg(skip)]
    is_told: Cell<bool>,
}

/// Which node to change.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    pub node: NodeArgs,
    /// Do not ask, though only `picloud login` says which node is meant
    #[arg(long, short)]
    yes: bool,
}

/// Longest wait for a node that is only asked whether it is there.
const LOOK_PATIENCE: Duration = Duration::from_secs(10);

/// A node that is meant.
enum Target {
    /// The one that runs on the data folder. It may use another database than the configuration here names.
    Own { url: String, data: PathBuf, has_other_database: bool },
    /// Another, by `--url` or PICLOUD_URL.
    Named(String),
    /// The one of `picloud login`, because nothing else says which.
    Implied(String),
}

impl NodeArgs {
    /// Finds the node, and what proves to it who we are.
    pub fn client(&self) -> anyhow::Result<Client> {
        match self.find()? {
            Some(client) => Ok(client),
            None => {
                let data = self.configured.load()?.data;
                bail!(
                    "no node runs on `{}`\n  hint: start one with `picloud serve`, or name one with `--url` or `picloud login`",
                    data.display()
                )
            }
        }
    }

    /// The same; none if no node runs on the data folder and none is meant elsewhere.
    pub fn find(&self) -> anyhow::Result<Option<Client>> {
        let Some(target) = self.target()? else { return Ok(None) };
        let given = self.token_of_file()?.or_else(|| secret("PICLOUD_TOKEN"));
        let (url, token) = match target {
            Target::Own { url, data, .. } => {
                let own = || node::admin_token(&data).context("cannot read the admin token of the data folder");
                (url, given.map_or_else(own, Ok)?)
            }
            Target::Named(url) => {
                let token = given.map_or_else(|| self.token_for(&url), Ok)?;
                (url, token)
            }
            Target::Implied(url) => {
                let token = given.map_or_else(|| token_of_login(&url), Ok)?;
                if !self.is_told.replace(true) {
                    output::tell(format!("to {url}"));
                }
                (url, token)
            }
        };
        Ok(Some(Client::new(&url, token)))
    }

    /// The same; none where what is asked for is read from the database: no node elsewhere is meant, nor one here whose database is elsewhere.
    pub fn named(&self) -> anyhow::Result<Option<Client>> {
        match self.target()? {
            Some(Target::Named(_) | Target::Implied(_) | Target::Own { has_other_database: true, .. }) => self.find(),
            Some(Target::Own { .. }) | None => Ok(None),
        }
    }

    /// Returns where the node answers that was named or that runs on the data folder, for what needs no token. A login names none.
    pub fn address(&self) -> anyhow::Result<Option<String>> {
        Ok(match self.target()? {
            Some(Target::Named(url) | Target::Own { url, .. }) => Some(url),
            Some(Target::Implied(_)) | None => None,
        })
    }

    fn target(&self) -> anyhow::Result<Option<Target>> {
        if let Some(url) = &self.url {
            return Ok(Some(Target::Named(credentials::normal(url)?)));
        }
        let config = self.configured.load()?;
        if let Some(running) = node::running(&config.data) {
            let has_other_database = running.other_database(&config).is_some();
            return Ok(Some(Target::Own { url: running.url, data: config.data, has_other_database }));
        }
        // Whoever names a data folder or a database means those.
        if self.configured.names_a_place() {
            return Ok(None);
        }
        Ok(Credentials::load()?.default.map(Target::Implied))
    }

    /// Returns whether the node is the one whose data folder the configuration names.
    pub fn is_own(&self) -> anyhow::Result<bool> {
        Ok(matches!(self.target()?, Some(Target::Own { .. })))
    }

    /// Asks whether a node is meant that nobody named; what is asked fits before `on URL?`.
    fn must_be_meant(&self, change: &str) -> anyhow::Result<()> {
        match self.target()? {
            Some(Target::Implied(url)) if !confirmed(&format!("{change} on {url}?"))? => {
                bail!("nothing was changed\n  hint: name another node with `--url`, or start one here with `picloud serve`")
            }
            _ => Ok(()),
        }
    }

    /// Returns the node whose URL was given, if one was: what is asked of the files here is asked of no other.
    pub fn given(&self) -> anyhow::Result<Option<Client>> {
        if self.url.is_some() { self.find() } else { Ok(None) }
    }

    /// Returns the token for a node that was named: it may be the one of the data folder.
    fn token_for(&self, url: &str) -> anyhow::Result<Secret> {
        let data = self.configured.load().ok().map(|config| config.data);
        let own = data.filter(|data| node::running(data).is_some_and(|running| running.url == url));
        match own {
            Some(data) => node::admin_token(&data).context("cannot read the admin token of the data folder"),
            None => token_of_login(url),
        }
    }

    fn token_of_file(&self) -> anyhow::Result<Option<Secret>> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let text = fs::read_to_string(path).with_context(|| format!("cannot read the token in `{}`", path.display()))?;
        Ok(Some(Secret::new(text.trim())))
    }
}

impl ChangeArgs {
    /// Finds the node to change; asks first if only a login says which. What is asked fits before `on URL?`.
    pub fn client(&self, change: &str) -> anyhow::Result<Client> {
        let client = self.node.client()?;
        self.must_be_meant(change).map(|()| client)
    }

    /// The same; none if no node runs on the data folder and none is meant elsewhere.
    pub fn find(&self, change: &str) -> anyhow::Result<Option<Client>> {
        let Some(client) = self.node.find()? else { return Ok(None) };
        self.must_be_meant(change).map(|()| Some(client))
    }

    /// The same; none where the database is changed: no node elsewhere is meant.
    pub fn named(&self, change: &str) -> anyhow::Result<Option<Client>> {
        let Some(client) = self.node.named()? else { return Ok(None) };
        self.must_be_meant(change).map(|()| Some(client))
    }

    fn must_be_meant(&self, change: &str) -> anyhow::Result<()> {
        if self.yes { Ok(()) } else { self.node.must_be_meant(change) }
    }
}

/// Returns the token of a node that the user has logged in to. That a node wants one is only said of a node that is there.
fn token_of_login(url: &str) -> anyhow::Result<Secret> {
    if let Some(login) = Credentials::load()?.nodes.remove(url) {
        return Ok(login.token);
    }
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(LOOK_PATIENCE)).http_status_as_error(false).build().into();
    agent.get(format!("{url}/_picloud/health")).call().map_err(|error| no_answer(url, &error))?;
    let hint = format!(
        "`picloud login {url}` asks for one and keeps it, PICLOUD_TOKEN may hold one; on the node's machine, in its folder, `picloud token create` makes one"
    );
    bail!("`{url}` wants a token\n  hint: {hint}")
}
