//! `picloud audit`: who changed what, of the database or of a node elsewhere.

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use super::{
    Exit,
    client::{Client, Node},
    executions::{Pairs, query},
    output,
};
use crate::{
    audit::{AuditEntry, AuditFilter, PAGE},
    clock::{Clock, SystemClock},
};

/// `picloud audit`
#[derive(Debug, Args)]
pub struct Audit {
    #[command(flatten)]
    node: Node,
    /// Only this: `save`, `push`, `rollback`, `token_create`, …
    #[arg(long)]
    action: Option<String>,
    /// Only what this one did: the name of a token or of a user, an author, `files`
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Only since then: a span (`10m`, `2h`) or a time (`2026-11-23T09:00:00Z`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// At most so many, the newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let entries = match self.node.named()? {
            Some(client) => self.ask(&client)?,
            None => self.read()?,
        };
        if self.json {
            output::json(&entries)?;
            return Ok(Exit::Done);
        }
        let rows: Vec<[String; 5]> = (entries.into_iter())
            .map(|entry| [entry.time, entry.action.to_string(), entry.who, entry.origin, said(&entry.detail)])
            .collect();
        output::table(["TIME", "ACTION", "WHO", "FROM", "DETAIL"], &rows);
        Ok(Exit::Done)
    }

    fn pairs(&self) -> Pairs {
        let all = [("action", &self.action), ("who", &self.who), ("since", &self.since)];
        all.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect()
    }

    fn read(&self) -> anyhow::Result<Vec<AuditEntry>> {
        let pairs = self.pairs();
        let filter = AuditFilter::parse(pairs.iter().map(|(key, value)| (*key, value.as_str())), SystemClock.now_us())?;
        let filter = AuditFilter { limit: self.limit, ..filter };
        let configured = &self.node.configured;
        configured.with_store(&configured.load()?, async |store| Ok(store.audit(&filter).await?))
    }

    /// Asks page by page.
    fn ask(&self, client: &Client) -> anyhow::Result<Vec<AuditEntry>> {
        let (mut entries, mut cursor) = (Vec::new(), None);
        while let left @ 1.. = self.limit as usize - entries.len() {
            let mut pairs = self.pairs();
            pairs.push(("limit", left.min(PAGE.1 as usize).to_string()));
            pairs.extend(cursor.take().map(|cursor: String| ("cursor", cursor)));
            let mut page = client.get(&format!("/api/admin/audit?{}", query(&pairs)))?;
            let said = "the node's answer is none to this question: is it a PiCloud of another version?";
            let found: Vec<AuditEntry> = serde_json::from_value(page["entries"].take()).context(said)?;
            entries.extend(found.into_iter().take(left));
            cursor = page["next"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        Ok(entries)
    }
}

/// Writes a detail in one line, what is empty left out.
fn said(detail: &Value) -> String {
    let parts = detail.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let parts = parts.map(|(key, value)| format!("{key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    parts.collect::<Vec<_>>().join(" ")
}
