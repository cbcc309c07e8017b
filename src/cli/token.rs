//! `picloud token`: who may use the node over HTTP. Works on the database, whether a node runs or not.

use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Configured, Exit, output};
use crate::{
    access::{self, Scope, TokenHash},
    clock::{Clock, SystemClock, rfc3339},
    function::diagnostic::near_miss,
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
pub struct Create {
    #[command(flatten)]
    configured: Configured,
    /// Its name: letters, digits, `-`, `_`, `.`
    name: String,
    /// What it allows: `read` (look, clone), `deploy` (push, roll back, too), `admin` (everything)
    #[arg(long)]
    scope: Scope,
    /// How long it is good for (`90d`) [default: for ever]
    #[arg(long, value_name = "SPAN")]
    expires: Option<String>,
}

/// `picloud token list`
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    configured: Configured,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// `picloud token revoke NAME`
#[derive(Debug, Args)]
pub struct Revoke {
    #[command(flatten)]
    configured: Configured,
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
        access::check_name(&self.name)?;
        let created_us = SystemClock.now_us();
        let expires_us = self.expires.as_deref().map(parse_span).transpose()?.map(|span| created_us.saturating_add(span));
        let token = access::Token { name: self.name, scope: self.scope, created_us, expires_us, last_used_us: None };
        let secret = access::new_secret()?;
        let hash = TokenHash::of(secret.expose());
        let config = self.configured.load()?;
        let made = self.configured.with_writable_store(&config, async |store| Ok(store.create_token(&token, &hash).await?))?;
        if !made {
            let name = token.name;
            bail!("there is a token `{name}` already\n  hint: take another name, or `picloud token revoke {name}` first");
        }
        output::line(secret.expose());
        let end = expires_us.map_or(String::new(), |end| format!(" until {}", rfc3339(end)));
        output::tell(format!("The token `{}` ({}{end}) is shown this once; keep it safe.", token.name, token.scope));
        Ok(Exit::Done)
    }
}

/// Returns the microseconds of a span.
fn parse_span(text: &str) -> anyhow::Result<i64> {
    let span = humantime::parse_duration(text).ok().filter(|span| *span > Duration::ZERO);
    let span = span.ok_or_else(|| anyhow!("`{text}` is no span of time\n  hint: write `12h`, `90d` or `1y`"))?;
    Ok(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
}

impl List {
    fn run(self) -> anyhow::Result<Exit> {
        let config = self.configured.load()?;
        let tokens = self.configured.with_store(&config, async |store| Ok(store.tokens().await?))?;
        let now_us = SystemClock.now_us();
        let is_expired = |token: &access::Token| token.expires_us.is_some_and(|end| end <= now_us);
        if self.json {
            let all: Vec<_> = tokens
                .iter()
                .map(|token| {
                    json!({
                        "name": token.name,
                        "scope": token.scope,
                        "created": rfc3339(token.created_us),
                        "expires": token.expires_us.map(rfc3339),
                        "is_expired": is_expired(token),
                        "last_used": token.last_used_us.map(rfc3339),
                    })
                })
                .collect();
            output::json(&all)?;
            return Ok(Exit::Done);
        }
        let rows: Vec<[String; 6]> = tokens
            .iter()
            .map(|token| {
                [
                    token.name.clone(),
                    token.scope.to_string(),
                    rfc3339(token.created_us),
                    token.expires_us.map_or("never".into(), rfc3339),
                    token.last_used_us.map_or("never".into(), rfc3339),
                    if is_expired(token) { "expired".into() } else { String::new() },
                ]
            })
            .collect();
        output::table(["NAME", "SCOPE", "CREATED", "EXPIRES", "LAST USED", ""], &rows);
        Ok(Exit::Done)
    }
}

impl Revoke {
    fn run(self) -> anyhow::Result<Exit> {
        let config = self.configured.load()?;
        self.configured.with_writable_store(&config, async |store| {
            if store.revoke_token(&self.name).await? {
                return Ok(());
            }
            let tokens = store.tokens().await?;
            let near = near_miss(&self.name, tokens.iter().map(|token| token.name.as_str()));
            let hint = near.map_or("`picloud token list` lists the tokens".into(), |near| format!("did you mean `{near}`?"));
            bail!("there is no token `{}`\n  hint: {hint}", self.name)
        })?;
        output::tell(format!("The token `{}` is worth nothing any more.", self.name));
        Ok(Exit::Done)
    }
}
