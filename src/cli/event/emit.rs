//! `picloud emit`: an event from outside.

use std::io::{self, Read as _};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use crate::{
    api::events::EmitAnswer,
    cli::{
        client::{Pairs, path_segment, query, understood},
        exit::Exit,
        output,
        target::ChangeArgs,
    },
    execution::MAX_PAYLOAD,
};

/// `picloud emit TOPIC [JSON]`
#[derive(Debug, Args)]
pub struct Emit {
    #[command(flatten)]
    node: ChangeArgs,
    /// What it is about: `orders.created`
    topic: String,
    /// The payload as JSON; `-` reads it from stdin [default: null]
    #[arg(allow_hyphen_values = true, value_name = "JSON")]
    payload: Option<String>,
    /// Events of one key are handled one after the other
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
    /// How long after now it is due (`30s`, `5m`)
    #[arg(long, value_name = "SPAN")]
    delay: Option<String>,
    /// Names it: a second one with this id is left out for a day
    #[arg(long, value_name = "TEXT")]
    id: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Emit {
    pub(in crate::cli) fn run(self) -> anyhow::Result<Exit> {
        let payload = self.payload()?;
        let client = self.node.client(&format!("emit an event on `{}`", self.topic))?;
        let options = [("key", &self.key), ("delay", &self.delay), ("id", &self.id)];
        let pairs: Pairs = options.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect();
        let path = format!("/api/admin/events/{}?{}", path_segment(&self.topic), query(&pairs));
        let answer: EmitAnswer = understood(client.post_bytes(&path, "application/json", payload.as_bytes())?)?;
        if self.json {
            output::json(&answer)?;
            return Ok(Exit::Done);
        }
        output::line(&answer.id);
        match answer.handlers.is_empty() {
            _ if answer.is_left_out() => {
                output::tell(format!("left out: `{}` has had an event with this id within a day", self.topic));
            }
            true => output::tell(format!("nobody handles `{}`: `picloud events topics` lists what is handled", self.topic)),
            false => output::tell(format!("it goes to {}", answer.handlers.join(", "))),
        }
        Ok(Exit::Done)
    }

    fn payload(&self) -> anyhow::Result<String> {
        let text = match self.payload.as_deref() {
            None => return Ok("null".into()),
            Some("-") => {
                let mut text = String::new();
                let read = io::stdin().take(MAX_PAYLOAD as u64 + 1).read_to_string(&mut text);
                read.context("cannot read the payload from stdin")?;
                text
            }
            Some(text) => text.to_owned(),
        };
        match serde_json::from_str::<Value>(&text) {
            Err(error) if text.len() <= MAX_PAYLOAD => {
                bail!("the payload is not JSON: {error}\n  hint: a text stands in double quotes: '\"hello\"'")
            }
            _ => Ok(text),
        }
    }
}
