//! `picloud login`, `picloud logout`: tokens of nodes elsewhere, kept for the commands to come.

use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{
    client::Client,
    credentials::{self, Credentials},
    exit::Exit,
    hidden_input::read_hidden,
    output,
};
use crate::{
    access::{ADMIN, Principal},
    function::diagnostic::near_miss,
    secret::Secret,
    shown::Shown,
};

/// `picloud login [URL]`
#[derive(Debug, Args)]
pub struct Login {
    /// The node's address [default: only list the nodes that there are]
    url: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `picloud logout [URL]`
#[derive(Debug, Args)]
pub struct Logout {
    /// The node's address [default: the one that is meant where none is named]
    url: Option<String>,
}

/// Longest token that is read.
const MAX_TOKEN_BYTES: u64 = 1024;

impl Login {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match &self.url {
            Some(url) => self.log_in(&credentials::normal(url)?),
            None => self.list(),
        }
    }

    fn log_in(&self, url: &str) -> anyhow::Result<Exit> {
        if credentials::is_open_on_its_way(url) {
            output::tell(format!("warning: `{url}` is not encrypted: whoever sees the network sees the token"));
        }
        let token = read_token(url)?;
        let whoami = Client::new(url, token.clone()).get("/api/admin/whoami")?;
        let Principal { name, scope, functions } =
            serde_json::from_value(whoami).map_err(|_| anyhow!("what answers at {url} is no PiCloud"))?;
        let login = credentials::Login { token, name: name.clone(), scope: scope.to_string() };
        Credentials::change(|credentials| {
            credentials.nodes.insert(url.into(), login);
            credentials.default = Some(url.into());
            Ok(())
        })?;
        if self.json {
            output::json(&json!({ "url": url, "name": name, "scope": scope, "functions": functions, "is_default": true }))?;
        } else {
            let only = functions.map_or(String::new(), |prefix| format!(", functions of `{prefix}`"));
            output::line(format!("logged in to {url} as `{}` ({scope}{only})", Shown::inline(&name)));
        }
        Ok(Exit::Done)
    }

    fn list(&self) -> anyhow::Result<Exit> {
        let credentials = Credentials::load()?;
        let is_default = |url: &String| credentials.default.as_ref() == Some(url);
        if self.json {
            let nodes: Vec<Value> = (credentials.nodes.iter())
                .map(|(url, login)| json!({ "url": url, "name": login.name, "scope": login.scope, "is_default": is_default(url) }))
                .collect();
            output::json(&nodes)?;
            return Ok(Exit::Done);
        }
        let rows: Vec<[String; 4]> = (credentials.nodes.iter())
            .map(|(url, login)| {
                [url.clone(), login.name.clone(), login.scope.clone(), if is_default(url) { "default".into() } else { String::new() }]
            })
            .collect();
        output::table(["NODE", "TOKEN", "SCOPE", ""], &rows);
        Ok(Exit::Done)
    }
}

impl Logout {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let url = self.url.as_deref().map(credentials::normal).transpose()?;
        let (url, login, next) = Credentials::change(|credentials| {
            let url = url.or_else(|| credentials.default.clone());
            let url =
                url.ok_or_else(|| anyhow!("no node is meant where none is named\n  hint: `picloud login` lists the nodes there are"))?;
            match credentials.forget(&url) {
                Some(login) => Ok((url, login, credentials.default.clone())),
                None => {
                    let near = near_miss(&url, credentials.nodes.keys().map(String::as_str));
                    let hint = near.map_or("`picloud login` lists the nodes there are".into(), |near| format!("did you mean `{near}`?"));
                    bail!("you are not logged in to {url}\n  hint: {hint}")
                }
            }
        })?;
        output::line(format!("logged out of {url}"));
        output::tell(still_good(&login.name));
        if let Some(next) = next {
            output::tell(format!("Where no node is named, {next} is meant."));
        }
        Ok(Exit::Done)
    }
}

/// Says how long a token is good after nobody here keeps it.
fn still_good(name: &str) -> String {
    match name {
        ADMIN => format!("The token `{ADMIN}` is good until its node starts without the file `admin-token` in its data folder."),
        name => format!("The token `{0}` is good until `picloud token revoke {0}`.", Shown::inline(name)),
    }
}

/// Reads a token: on a terminal it is asked for and not shown, else it is the first line.
fn read_token(url: &str) -> anyhow::Result<Secret> {
    let line = read_hidden(&format!("Token for {url}: "), MAX_TOKEN_BYTES).context("cannot read the token")?;
    match line.trim() {
        "" => bail!(
            "no token was given\n  hint: `picloud login {url} < FILE`, or type it where it is asked for; `picloud token create` makes one"
        ),
        token => Ok(Secret::new(token)),
    }
}
