//! `picloud events topics`, `list`, `show`, `retry` and `discard`: what was emitted, and what waits.

use std::borrow::Cow;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    api::events::{AttemptFailure, DeadLetterDetail, DeliveryStatus, EventDetail, EventPage, EventSummary, TopicList, TopicStatus},
    cli::{
        client::{Client, Pairs, path_segment},
        exit::Exit,
        output,
        records::{ListArgs, ListForm},
        target::{ChangeArgs, NodeArgs},
    },
    execution::Emitter,
};

/// The most that is asked for at once.
pub const PAGE: usize = 1_000;

/// `picloud events topics`
#[derive(Debug, Args)]
pub struct Topics {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    form: ListForm,
}

impl Topics {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let TopicList { topics } = self.node.client()?.read("/api/admin/topics")?;
        let row = |topic: &TopicStatus| {
            let TopicStatus { topic, handlers, waiting, retrying, oldest_due, running, held, dead } = topic;
            let counts = [waiting, retrying, running, held, dead].map(u64::to_string);
            let [waiting, retrying, running, held, dead] = counts;
            let due = oldest_due.clone().unwrap_or_else(|| "-".into());
            [topic.clone(), waiting, retrying, running, held, dead, due, handlers.join(" ")]
        };
        let heading = ["TOPIC", "WAITING", "RETRYING", "RUNNING", "HELD", "DEAD", "OLDEST DUE", "HANDLERS"];
        self.form.list(&topics, |topic| json!(topic), heading, row)
    }
}

/// `picloud events list`
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    node: NodeArgs,
    /// Only those about this
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    #[command(flatten)]
    list: ListArgs,
}

impl List {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let pairs: Pairs = self.topic.into_iter().map(|topic| ("topic", topic)).collect();
        let parts = |page: EventPage| (page.events, page.next);
        let events = self.node.client()?.pages("/api/admin/events", &pairs, self.list.limit as usize, PAGE, parts)?;
        let row = |event: &EventSummary| {
            let EventSummary { id, topic, time, key, emitted_by, .. } = event;
            [id.clone(), time.clone(), topic.clone(), key.clone().unwrap_or_default(), emitter(emitted_by).into_owned()]
        };
        self.list.form.list(&events, |event| json!(event), ["EVENT", "TIME", "TOPIC", "KEY", "EMITTED BY"], row)
    }
}

fn emitter(by: &Emitter) -> Cow<'_, str> {
    match by {
        Emitter::Run { function, execution } => format!("{function} {execution}").into(),
        Emitter::Token(name) => format!("token {name}").into(),
        Emitter::Database => "database".into(),
        Emitter::Node => "node".into(),
    }
}

/// `picloud events show ID`
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    node: NodeArgs,
    /// Its id; of several with one id the newest is meant
    id: String,
    /// What it is about, where more than one topic has this id
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Print its payload, and nothing else
    #[arg(long, conflicts_with = "json")]
    payload: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let client = self.node.client()?;
        let topic = match &self.topic {
            Some(topic) => topic.clone(),
            None => self.find(&client)?,
        };
        let path = format!("/api/admin/events/{}/{}", path_segment(&topic), path_segment(&self.id));
        if self.payload {
            output::json(&client.get(&format!("{path}/payload"))?)?;
            return Ok(Exit::Done);
        }
        let answer = client.get(&path)?;
        match self.json {
            true => output::json(&answer)?,
            false => tell(&serde_json::from_value(answer)?),
        }
        Ok(Exit::Done)
    }

    /// Finds the topic of the event.
    fn find(&self, client: &Client) -> anyhow::Result<String> {
        let pairs = vec![("id", self.id.clone())];
        let EventPage { events, .. } = client.page("/api/admin/events", pairs, None::<String>, 1)?;
        match events.into_iter().next() {
            Some(event) => Ok(event.topic),
            None => bail!("no event has the id `{}`, or it is no longer kept\n  hint: `picloud events list` lists them", self.id),
        }
    }
}

fn tell(EventDetail { event, deliveries, dead }: &EventDetail) {
    output::line(format!("{} on {}, {}", event.id, event.topic, event.time));
    output::line(format!("emitted by {}", emitter(&event.emitted_by)));
    if let Some(key) = &event.key {
        output::line(format!("key {key}"));
    }
    if deliveries.is_empty() && dead.is_empty() {
        output::line("nothing of it waits: its handlers are done, or there were none");
    }
    for DeliveryStatus { id, handler, state, due, attempts, failed } in deliveries {
        let state = json!(state);
        output::line(format!("\n{handler}: {}, due {due}, {attempts} attempt(s), delivery {id}", state.as_str().unwrap_or_default()));
        tell_attempts(failed);
    }
    dead.iter().for_each(tell_dead);
}

/// Tells of a dead letter and its attempts.
pub fn tell_dead(DeadLetterDetail { letter, failed }: &DeadLetterDetail) {
    output::line(format!("\n{}: given up {}, dead letter {}: {}", letter.receiver, letter.time, letter.id, letter.reason));
    if letter.has_changed {
        output::line(format!("  fixed since? `{}` is live in another version than the one that failed", letter.function));
    }
    tell_attempts(failed);
}

fn tell_attempts(failed: &[AttemptFailure]) {
    for AttemptFailure { attempt, time, execution, error, .. } in failed {
        let run = execution.map(|id| format!(" (execution {id})")).unwrap_or_default();
        output::line(format!("  {attempt}. {time}{run}: {error}"));
    }
}

/// `picloud events retry ID`
#[derive(Debug, Args)]
pub struct RetryNow {
    #[command(flatten)]
    node: ChangeArgs,
    /// The id of the delivery, as `picloud events waiting` and `show` tell it
    delivery: String,
}

impl RetryNow {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let client = self.node.client("try a delivery at once")?;
        client.post(&format!("/api/admin/deliveries/{}/retry", path_segment(&self.delivery)), &Value::Null)?;
        output::tell("It is due now.");
        Ok(Exit::Done)
    }
}

/// `picloud events discard ID`
#[derive(Debug, Args)]
pub struct Discard {
    #[command(flatten)]
    node: ChangeArgs,
    /// The id of the delivery, as `picloud events waiting` and `show` tell it
    delivery: String,
}

impl Discard {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let client = self.node.client("throw a delivery away")?;
        client.delete(&format!("/api/admin/deliveries/{}", path_segment(&self.delivery)))?;
        output::tell("It is gone.");
        Ok(Exit::Done)
    }
}
