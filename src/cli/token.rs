//! `picloud token`: who may use the node over HTTP. Works on the database, whether a node runs or not; or by a node elsewhere.

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    client::{Client, path_segment},
    exit::Exit,
    output,
    records::{ListForm, Records},
    target::{ChangeArgs, NodeArgs},
};
use crate::{
    access::{self, ADMIN, FunctionPrefix, Scope, TokenHash},
    audit::{Actor, Origin},
    clock::{Clock, SystemClock},
    function::diagnostic::near_miss,
    node, user,
};

/// `picloud token`
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token, and print its secret once
    Create(Create),
    /// List tokens by name
    List(List),
    /// Make a token worthless
    Revoke(Revoke),
}

/// `picloud token create NAME`
#[derive(Debug, Args)]
// Here the folder of functions, which no token is about, leaves its name to which of them it is good for.
#[command(mut_arg("functions", |folder| folder.long("functions-folder").hide(true)))]
pub struct Create {
    #[command(flatten)]
    node: ChangeArgs,
    /// Its name: letters, digits, `-`, `_`, `.`
    name: String,
    /// What it allows: `read` (look, clone), `deploy` (push, roll back, too), `admin` (everything)
    #[arg(long)]
    scope: Scope,
    /// How long it is good for (`90d`) [default: for ever]
    #[arg(long, value_name = "SPAN")]
    expires: Option<String>,
    /// Good only for the function of this name and those in the folder of this name [default: for the whole node]
    #[arg(long = "functions", value_name = "PREFIX")]
    prefix: Option<FunctionPrefix>,
    /// Print one JSON object, the secret in it
    #[arg(long)]
    json: bool,
}

/// `picloud token list`
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    form: ListForm,
}

/// `picloud token revoke NAME`
#[derive(Debug, Args)]
pub struct Revoke {
    #[command(flatten)]
    node: ChangeArgs,
    /// Its name
    name: String,
}

impl Token {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::Create(create) => create.run(),
            Self::List(list) => list.run(),
            Self::Revoke(revoke) => revoke.run(),
        }
    }
}

impl Create {
    fn run(self) -> anyhow::Result<Exit> {
        let (secret, mut token) = match self.node.named("make a token")? {
            Some(client) => self.order(&client)?,
            None => self.make()?,
        };
        if self.json {
            token["secret"] = secret.into();
            output::json(&token)?;
            return Ok(Exit::Done);
        }
        output::line(secret);
        let text = |key: &str| token[key].as_str().unwrap_or_default();
        let only = token["functions"].as_str().map_or(String::new(), |prefix| format!(" for functions of `{prefix}`"));
        let end = token["expires"].as_str().map_or(String::new(), |end| format!(" until {end}"));
        output::tell(format!("The token `{}` ({}{only}{end}) is shown this once; keep it safe.", text("name"), text("scope")));
        Ok(Exit::Done)
    }

    fn order(&self, client: &Client) -> anyhow::Result<(String, Value)> {
        let wish = json!({ "name": self.name, "scope": self.scope, "expires": self.expires, "functions": self.prefix });
        let token = client.post("/api/admin/tokens", &wish)?;
        let secret = token["secret"].as_str().ok_or_else(|| anyhow!("what answers at {} is no PiCloud of this version", client.url()))?;
        Ok((secret.to_owned(), token))
    }

    fn make(&self) -> anyhow::Result<(String, Value)> {
        access::check_name(&self.name)?;
        let now_us = SystemClock.now_us();
        let span_us = self.expires.as_deref().map(access::parse_span_us).transpose()?;
        let token = access::Token::new(self.name.clone(), self.scope, self.prefix.clone(), now_us, span_us);
        let secret = access::new_secret()?;
        let (hash, record) = (TokenHash::of(secret.expose()), token.creation(&user()));
        let configured = &self.node.node.configured;
        let config = configured.load()?;
        let made = configured.with_writable_store(&config, async |store| Ok(store.create_token(&token, &hash, &record).await?))?;
        if !made {
            let name = token.name;
            let again = configured.again();
            bail!("there is a token `{name}` already\n  hint: take another name, or `picloud token revoke {name}{again}` first");
        }
        Ok((secret.expose().to_owned(), token.summary(now_us)))
    }
}

/// Names whoever runs this command.
fn user() -> Actor {
    Actor { who: user::name(), origin: Origin::Cli }
}

impl List {
    fn run(self) -> anyhow::Result<Exit> {
        let tokens = self.node.records(async |records| match records {
            Records::Node(client) => Ok(client.get("/api/admin/tokens")?["tokens"].take()),
            Records::Database(store) => {
                let now_us = SystemClock.now_us();
                Ok(store.tokens().await?.iter().map(|token| token.summary(now_us)).collect())
            }
        })?;
        let tokens = tokens.as_array().map(Vec::as_slice).unwrap_or_default();
        self.form.list(tokens, |token| token, ["NAME", "SCOPE", "FUNCTIONS", "CREATED", "EXPIRES", "LAST USED", ""], row)
    }
}

fn row(token: &Value) -> [String; 7] {
    let text = |key: &str, none: &str| token[key].as_str().unwrap_or(none).to_owned();
    [
        text("name", ""),
        text("scope", ""),
        text("functions", "all"),
        text("created", ""),
        text("expires", "never"),
        text("last_used", "never"),
        if token["is_expired"] == true { "expired".into() } else { String::new() },
    ]
}

impl Revoke {
    fn run(self) -> anyhow::Result<Exit> {
        match self.node.named("revoke a token")? {
            Some(client) => drop(client.delete(&format!("/api/admin/tokens/{}", path_segment(&self.name)))?),
            None => self.revoke()?,
        }
        output::tell(format!("The token `{}` is worth nothing any more.", self.name));
        Ok(Exit::Done)
    }

    fn revoke(&self) -> anyhow::Result<()> {
        let configured = &self.node.node.configured;
        let config = configured.load()?;
        let record = access::revocation(&self.name, &user(), SystemClock.now_us());
        configured.with_writable_store(&config, async |store| {
            if store.revoke_token(&self.name, &record).await? {
                return Ok(());
            }
            let tokens = store.tokens().await?;
            let near = near_miss(&self.name, tokens.iter().map(|token| token.name.as_str()));
            let hint = match near {
                _ if self.name == ADMIN => {
                    let file = node::admin_token_file(&config.data);
                    format!("that of the data folder is another when the node starts without its file: `rm {}`", file.display())
                }
                Some(near) => format!("did you mean `{near}`?"),
                None => "`picloud token list` lists the tokens".into(),
            };
            bail!("there is no token `{}`\n  hint: {hint}", self.name)
        })
    }
}
