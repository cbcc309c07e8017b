//! `picloud events dead`: what was given up.

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;

use super::list::{PAGE, tell_dead};
use crate::{
    api::events::{DeadLetter, DeadLetterChanges, DeadLetterOrder, DeadLetterPage},
    cli::{
        client::{Pairs, path_segment, understood},
        exit::Exit,
        output::{self, count},
        records::ListArgs,
        target::{ChangeArgs, NodeArgs},
    },
};

/// `picloud events dead`
#[derive(Debug, Subcommand)]
pub enum Dead {
    /// List dead letters, the newest first
    List(DeadList),
    /// Show a dead letter with every attempt
    Show(DeadShow),
    /// Put dead letters back: they are tried as often as if they were new
    Retry(DeadChange),
    /// Throw dead letters away
    Discard(DeadChange),
}

impl Dead {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::List(list) => list.run(),
            Self::Show(show) => show.run(),
            Self::Retry(change) => change.run("retry", "try dead letters again", "tried again"),
            Self::Discard(change) => change.run("discard", "throw dead letters away", "thrown away"),
        }
    }
}

/// Which dead letters are meant.
#[derive(Debug, Args)]
struct DeadSelection {
    /// Only those of this function
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,
    /// Only those of functions whose names begin so: `orders/`
    #[arg(long, value_name = "TEXT", conflicts_with = "function")]
    prefix: Option<String>,
    /// Only those of events about this
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only those that were given up since then: a span (`2h`) or a time (`2026-11-23T09:00:00Z`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

/// `picloud events dead list`
#[derive(Debug, Args)]
pub struct DeadList {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    selection: DeadSelection,
    #[command(flatten)]
    list: ListArgs,
}

impl DeadList {
    fn run(self) -> anyhow::Result<Exit> {
        let DeadSelection { function, prefix, topic, since } = self.selection;
        let all = [("function", function), ("prefix", prefix), ("topic", topic), ("since", since)];
        let pairs: Pairs = all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let parts = |page: DeadLetterPage| (page.dead_letters, page.next);
        let letters = self.node.client()?.pages("/api/admin/dead-letters", &pairs, self.list.limit as usize, PAGE, parts)?;
        let heading = ["DEAD LETTER", "TIME", "TOPIC", "RECEIVER", "ATTEMPTS", "FIXED SINCE?", "REASON", "LAST ERROR"];
        self.list.form.list(&letters, |letter| json!(letter), heading, row)
    }
}

fn row(letter: &DeadLetter) -> [String; 8] {
    [
        letter.id.clone(),
        letter.time.clone(),
        letter.topic.clone().unwrap_or_else(|| "-".into()),
        letter.receiver.clone(),
        letter.attempts.to_string(),
        if letter.has_changed { "perhaps".into() } else { "no".into() },
        letter.reason.clone(),
        letter.last_error.clone().unwrap_or_else(|| "-".into()),
    ]
}

/// `picloud events dead show ID`
#[derive(Debug, Args)]
pub struct DeadShow {
    #[command(flatten)]
    node: NodeArgs,
    /// Its id
    id: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl DeadShow {
    fn run(self) -> anyhow::Result<Exit> {
        let answer = self.node.client()?.get(&format!("/api/admin/dead-letters/{}", path_segment(&self.id)))?;
        match self.json {
            true => output::json(&answer)?,
            false => tell_dead(&understood(answer)?),
        }
        Ok(Exit::Done)
    }
}

/// `picloud events dead retry`, and `discard`
#[derive(Debug, Args)]
pub struct DeadChange {
    #[command(flatten)]
    node: ChangeArgs,
    /// Only this one
    id: Option<String>,
    #[command(flatten)]
    selection: DeadSelection,
    /// All of them
    #[arg(long)]
    all: bool,
    /// Change nothing unless there are so many
    #[arg(long, value_name = "N")]
    expected: Option<u64>,
}

impl DeadChange {
    fn run(self, order: &str, change: &str, changed: &str) -> anyhow::Result<Exit> {
        let Self { node, id, selection: DeadSelection { function, prefix, topic, since }, all, expected } = self;
        let names_some = [&id, &function, &prefix, &topic, &since].iter().any(|key| key.is_some());
        match (names_some, all) {
            (true, true) => bail!("`--all` means all dead letters, and others are named, too\n  hint: leave one of both out"),
            (false, false) => {
                bail!("which dead letters?\n  hint: name one by its id, or say `--function`, `--prefix`, `--topic`, `--since` or `--all`")
            }
            _ => {}
        }
        let body = DeadLetterOrder { id, function, prefix, topic, since, all, expected };
        let answer = node.client(change)?.post(&format!("/api/admin/dead-letters/{order}"), &body)?;
        let DeadLetterChanges { changed: number } = understood(answer)?;
        output::tell(format!("{} {changed}.", count(number as usize, "dead letter")));
        Ok(Exit::Done)
    }
}
