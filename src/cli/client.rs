//! How commands speak to a running node: to the one of the data folder, or to any by its URL and a token.
//!
//! Which node: `--url`, else PICLOUD_URL, else the one that runs on the data folder, else the one of `picloud login`. Which token:
//! `--token-file`, else PICLOUD_TOKEN, else the data folder's for its own node and that of `picloud login` for any other.
//!
//! A node that nobody named is easily forgotten, so it is named on stderr, and asked about before it is changed.

use std::{cell::Cell, fs, path::PathBuf, time::Duration};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Configured, NODE_OPTIONS,
    confirm::confirmed,
    credentials::{self, Credentials},
    events::Events,
    output,
};
use crate::{execution::ExecutionId, function::Diagnostic, node, secret::Secret, shown::Shown};

/// Which node to speak to.
#[derive(Debug, Args)]
pub struct Node {
    #[command(flatten)]
    pub configured: Configured,
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
pub struct Changed {
    #[command(flatten)]
    pub node: Node,
    /// Do not ask, though only `picloud login` says which node is meant
    #[arg(long, short)]
    yes: bool,
}

/// Longest wait for an answer: a look at a remote fetches it first.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest wait for the beginning of an answer that has no end.
const FIRST_PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for a node that is only asked whether it is there.
const LOOK_PATIENCE: Duration = Duration::from_secs(10);

/// A node that answers.
pub struct Client {
    agent: ureq::Agent,
    url: String,
    token: Secret,
}

/// A node that says no.
#[derive(Debug, thiserror::Error)]
#[error("{}{}", Shown::lines(detail), .diagnostics.iter().map(|found| format!("\n{found}")).collect::<String>())]
pub struct Refusal {
    /// What HTTP calls it.
    pub status: u16,
    /// Why, and what to do.
    pub detail: String,
    /// What is wrong with files.
    pub diagnostics: Vec<Diagnostic>,
    /// What else it said.
    pub body: Value,
}

/// A node that is meant.
enum Place {
    /// The one that runs on the data folder. It may use another database than the configuration here names.
    Own { url: String, data: PathBuf, has_other_database: bool },
    /// Another, by `--url` or PICLOUD_URL.
    Named(String),
    /// The one of `picloud login`, because nothing else says which.
    Implied(String),
}

impl Node {
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
        let Some(place) = self.place()? else { return Ok(None) };
        let given = self.token_of_file()?.or_else(|| super::secret("PICLOUD_TOKEN"));
        let (url, token) = match place {
            Place::Own { url, data, .. } => {
                let own = || node::admin_token(&data).context("cannot read the admin token of the data folder");
                (url, given.map_or_else(own, Ok)?)
            }
            Place::Named(url) => {
                let token = given.map_or_else(|| token_of_login(&url), Ok)?;
                (url, token)
            }
            Place::Implied(url) => {
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
        match self.place()? {
            Some(Place::Named(_) | Place::Implied(_) | Place::Own { has_other_database: true, .. }) => self.find(),
            Some(Place::Own { .. }) | None => Ok(None),
        }
    }

    fn place(&self) -> anyhow::Result<Option<Place>> {
        if let Some(url) = &self.url {
            return Ok(Some(Place::Named(credentials::normal(url)?)));
        }
        let config = self.configured.load()?;
        if let Some(running) = node::running(&config.data) {
            let has_other_database = running.other_database(&config).is_some();
            return Ok(Some(Place::Own { url: running.url, data: config.data, has_other_database }));
        }
        // Whoever names a data folder or a database means those.
        if self.configured.names_a_place() {
            return Ok(None);
        }
        Ok(Credentials::load()?.default.map(Place::Implied))
    }

    /// Returns whether the node is the one whose data folder the configuration names.
    pub fn is_own(&self) -> anyhow::Result<bool> {
        Ok(matches!(self.place()?, Some(Place::Own { .. })))
    }

    /// Asks whether a node is meant that nobody named; what is asked fits before `on URL?`.
    fn must_be_meant(&self, change: &str) -> anyhow::Result<()> {
        match self.place()? {
            Some(Place::Implied(url)) if !confirmed(&format!("{change} on {url}?"))? => {
                bail!("nothing was changed\n  hint: name another node with `--url`, or start one here with `picloud serve`")
            }
            _ => Ok(()),
        }
    }

    /// Returns the node whose URL was given, if one was: what is asked of the files here is asked of no other.
    pub fn given(&self) -> anyhow::Result<Option<Client>> {
        if self.url.is_some() { self.find() } else { Ok(None) }
    }

    fn token_of_file(&self) -> anyhow::Result<Option<Secret>> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let text = fs::read_to_string(path).with_context(|| format!("cannot read the token in `{}`", path.display()))?;
        Ok(Some(Secret::new(text.trim())))
    }
}

impl Changed {
    /// Finds the node to change; asks first if only a login says which. What is asked fits before `on URL?`.
    pub fn client(&self, change: &str) -> anyhow::Result<Client> {
        let client = self.node.client()?;
        self.must_be_meant(change).map(|()| client)
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

/// Says that nothing answers at a URL.
pub fn no_answer(url: &str, error: &ureq::Error) -> anyhow::Error {
    anyhow!("the node at {url} does not answer: {error}")
}

/// Writes a name as one segment of a path.
pub fn path_segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Reads an answer as what it should be.
pub fn understood<T: DeserializeOwned>(answer: Value) -> anyhow::Result<T> {
    serde_json::from_value(answer).context("the node's answer is none to this: is it a PiCloud of another version?")
}

impl Client {
    /// Speaks to the node at this URL.
    pub fn new(url: &str, token: Secret) -> Self {
        let agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).build().into();
        Self { agent, url: url.into(), token }
    }

    /// Returns where the node answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks for something.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.agent.get(format!("{}{path}", self.url)).header("authorization", self.bearer());
        self.answer(request.call())
    }

    /// Asks for something of which it is known what it looks like.
    pub fn read<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        understood(self.get(path)?)
    }

    /// Asks for something that goes on, from the event after this one. None if the node cannot be reached just now.
    pub fn events(&self, path: &str, after: Option<ExecutionId>) -> anyhow::Result<Option<Events>> {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(FIRST_PATIENCE))
            .timeout_recv_response(Some(FIRST_PATIENCE))
            .http_status_as_error(false)
            .build();
        let mut request = ureq::Agent::from(config).get(format!("{}{path}", self.url)).header("authorization", self.bearer());
        if let Some(after) = after {
            request = request.header("last-event-id", after.to_string());
        }
        match request.call() {
            Ok(answer) if answer.status().is_success() => Ok(Some(Events::new(answer.into_body().into_reader()))),
            Ok(answer) if answer.status().is_server_error() => Ok(None),
            Ok(answer) => self.answer(Ok(answer)).map(|_| None),
            Err(_) => Ok(None),
        }
    }

    /// Orders something.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.url)).header("authorization", self.bearer());
        self.answer(request.send_json(body))
    }

    /// Puts bytes somewhere.
    pub fn put(&self, path: &str, content_type: &str, body: &[u8]) -> anyhow::Result<Value> {
        let request = self.agent.put(format!("{}{path}", self.url)).header("authorization", self.bearer());
        self.answer(request.content_type(content_type).send(body))
    }

    /// Has something removed.
    pub fn delete(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.agent.delete(format!("{}{path}", self.url)).header("authorization", self.bearer());
        self.answer(request.call())
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token.expose())
    }

    fn answer(&self, answer: Result<http::Response<ureq::Body>, ureq::Error>) -> anyhow::Result<Value> {
        let mut answer = answer.map_err(|error| no_answer(&self.url, &error))?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string().with_context(|| format!("the answer of {} broke off", self.url))?;
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(value);
        }
        let mut detail = value["detail"].as_str().map_or_else(|| format!("it answers {status}"), str::to_owned);
        if let Some(hint) = value["hint"].as_str() {
            detail.push_str(&format!("\n  hint: {hint}"));
        }
        let diagnostics = value["diagnostics"].as_array().into_iter().flatten();
        let diagnostics = diagnostics.filter_map(|found| serde_json::from_value(found.clone()).ok()).collect();
        Err(Refusal { status: status.as_u16(), detail, diagnostics, body: value }.into())
    }
}
