//! `picloud token`: who may use the node over HTTP. Works on the database, whether a node runs or not; or by a node elsewhere.

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    client::{Client, path_segment},
    config_args::ConfigArgs,
    exit::Exit,
    output,
    records::{ListForm, Records},
    target::{ChangeArgs, NodeArgs},
};
use crate::{
    access::{self, ADMIN, FunctionPrefix, Scope, TokenHash},
    api::tokens::{NewToken, TokenList, TokenOrder, TokenSummary},
    audit::{Action, Actor, Origin},
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
    /// Draw another admin token for the data folder here; the one before is worth nothing at once
    RotateAdmin(RotateAdmin),
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

/// `picloud token rotate-admin`
#[derive(Debug, Args)]
pub struct RotateAdmin {
    #[command(flatten)]
    configured: ConfigArgs,
}

impl Token {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::Create(create) => create.run(),
            Self::List(list) => list.run(),
            Self::Revoke(revoke) => revoke.run(),
            Self::RotateAdmin(rotate) => rotate.run(),
        }
    }
}

impl Create {
    fn run(self) -> anyhow::Result<Exit> {
        let new = match self.node.named("make a token")? {
            Some(client) => self.order(&client)?,
            None => self.make()?,
        };
        if self.json {
            output::json(&serde_json::to_value(new)?)?;
            return Ok(Exit::Done);
        }
        let NewToken { summary: TokenSummary { name, scope, functions, expires, .. }, secret } = new;
        output::line(secret);
        let only = functions.map_or(String::new(), |prefix| format!(" for functions of `{prefix}`"));
        let end = expires.map_or(String::new(), |end| format!(" until {end}"));
        output::tell(format!("The token `{name}` ({scope}{only}{end}) is shown this once; keep it safe."));
        Ok(Exit::Done)
    }

    fn order(&self, client: &Client) -> anyhow::Result<NewToken> {
        let functions = self.prefix.as_ref().map(ToString::to_string);
        let order = TokenOrder { name: self.name.clone(), scope: self.scope, expires: self.expires.clone(), functions };
        let answer = client.post("/api/admin/tokens", &order)?;
        serde_json::from_value(answer).map_err(|_| anyhow!("what answers at {} is no PiCloud of this version", client.url()))
    }

    fn make(&self) -> anyhow::Result<NewToken> {
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
        Ok(NewToken { summary: TokenSummary::of(&token, now_us), secret: secret.expose().to_owned() })
    }
}

/// Names whoever runs this command.
fn user() -> Actor {
    Actor { who: user::name(), origin: Origin::Cli }
}

impl List {
    fn run(self) -> anyhow::Result<Exit> {
        let tokens = self.node.records(async |records| match records {
            Records::Node(client) => Ok(client.read::<TokenList>("/api/admin/tokens")?.tokens),
            Records::Database(store) => {
                let now_us = SystemClock.now_us();
                Ok(store.tokens().await?.iter().map(|token| TokenSummary::of(token, now_us)).collect())
            }
        })?;
        self.form.list(&tokens, |token| json!(token), ["NAME", "SCOPE", "FUNCTIONS", "CREATED", "EXPIRES", "LAST USED", ""], row)
    }
}

fn row(token: &TokenSummary) -> [String; 7] {
    let TokenSummary { name, scope, functions, created, expires, is_expired, last_used } = token;
    let or_never = |time: &Option<String>| time.clone().unwrap_or_else(|| "never".into());
    [
        name.clone(),
        scope.to_string(),
        functions.as_ref().map_or("all".into(), ToString::to_string),
        created.clone(),
        or_never(expires),
        or_never(last_used),
        if *is_expired { "expired".into() } else { String::new() },
    ]
}

impl RotateAdmin {
    fn run(self) -> anyhow::Result<Exit> {
        let config = self.configured.load()?;
        let data = &config.data;
        match node::running(data) {
            Some(running) => {
                let token = node::admin_token(data).context("cannot read the admin token of the data folder")?;
                Client::new(&running.url, token).post("/api/admin/rotate-admin-token", &json!({}))?;
            }
            None => {
                node::rotate_admin_token(data)?;
                let record = user().does(Action::AdminTokenRotate, SystemClock.now_us(), json!({}));
                if let Err(error) = self.configured.with_writable_store(&config, async |store| Ok(store.record_audit(&record).await?)) {
                    output::tell(format!("warning: it is not in the audit log: {error:#}"));
                }
            }
        }
        output::tell(format!(
            "`{}` holds another admin token. The one before is worth nothing any more.",
            node::admin_token_file(data).display()
        ));
        Ok(Exit::Done)
    }
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
                    let again = configured.again();
                    format!("`picloud token rotate-admin{again}` makes it worthless, and writes another to `{}`", file.display())
                }
                Some(near) => format!("did you mean `{near}`?"),
                None => "`picloud token list` lists the tokens".into(),
            };
            bail!("there is no token `{}`\n  hint: {hint}", self.name)
        })
    }
}
