//! `picloud events waiting`: what is in the queue, of events and of schedules.

use clap::Args;
use serde_json::json;

use super::list::PAGE;
use crate::{
    api::events::{DeliveryPage, QueuedDelivery},
    cli::{client::Pairs, exit::Exit, records::ListArgs, target::NodeArgs},
};

/// `picloud events waiting`
#[derive(Debug, Args)]
pub struct Waiting {
    #[command(flatten)]
    node: NodeArgs,
    /// Only those of this function
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,
    /// Only those of functions whose names begin so: `orders/`, `_cron/`
    #[arg(long, value_name = "TEXT", conflicts_with = "function")]
    prefix: Option<String>,
    /// Only those of events about this
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    #[command(flatten)]
    list: ListArgs,
}

impl Waiting {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let all = [("function", self.function), ("prefix", self.prefix), ("topic", self.topic)];
        let pairs: Pairs = all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let parts = |page: DeliveryPage| (page.deliveries, page.next);
        let deliveries = self.node.client()?.pages("/api/admin/deliveries", &pairs, self.list.limit as usize, PAGE, parts)?;
        let heading = ["DELIVERY", "STATE", "DUE", "TOPIC", "RECEIVER", "ATTEMPTS"];
        self.list.form.list(&deliveries, |delivery| json!(delivery), heading, row)
    }
}

fn row(delivery: &QueuedDelivery) -> [String; 6] {
    let QueuedDelivery { id, receiver, topic, state, due, attempts, .. } = delivery;
    let state = json!(state).as_str().unwrap_or_default().to_owned();
    // Of one that runs, it is the end of its lease.
    let due = if state == "running" { "-" } else { due };
    [id.clone(), state, due.to_owned(), topic.clone().unwrap_or_else(|| "-".into()), receiver.clone(), attempts.to_string()]
}
