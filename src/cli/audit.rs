//! `picloud audit`: who changed what, of the database or of a node elsewhere.

use clap::Args;
use serde_json::Value;

use super::{
    client::Pairs,
    exit::Exit,
    records::{ListArgs, Records},
    target::NodeArgs,
};
use crate::{
    api::audit::AuditPage,
    audit::{AuditEntry, AuditFilter, PAGE},
    clock::{Clock, SystemClock},
};

/// `picloud audit`
#[derive(Debug, Args)]
pub struct Audit {
    #[command(flatten)]
    node: NodeArgs,
    /// Only this: `save`, `push`, `rollback`, `token_create`, …
    #[arg(long)]
    action: Option<String>,
    /// Only what this one did: the name of a token or of a user, an author, `files`
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Only since then: a span (`10m`, `2h`) or a time (`2026-11-23T09:00:00Z`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    #[command(flatten)]
    list: ListArgs,
}

impl Audit {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let (pairs, limit) = (self.pairs(), self.list.limit);
        let entries: Vec<AuditEntry> = self.node.records(async |records| match records {
            Records::Node(client) => {
                let parts = |page: AuditPage| (page.entries, page.next);
                client.pages("/api/admin/audit", &pairs, limit as usize, PAGE.1 as usize, parts)
            }
            Records::Database(store) => {
                let filter = AuditFilter::parse(pairs.iter().map(|(key, value)| (*key, value.as_str())), SystemClock.now_us())?;
                Ok(store.audit(&AuditFilter { limit, ..filter }).await?)
            }
        })?;
        self.list.form.list(&entries, |entry| entry, ["TIME", "ACTION", "WHO", "FROM", "DETAIL"], row)
    }

    fn pairs(&self) -> Pairs {
        let all = [("action", &self.action), ("who", &self.who), ("since", &self.since)];
        all.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect()
    }
}

fn row(entry: &AuditEntry) -> [String; 5] {
    let AuditEntry { time, action, who, origin, detail, .. } = entry;
    [time.clone(), action.to_string(), who.clone(), origin.clone(), said(detail)]
}

/// Writes a detail in one line, what is empty left out.
fn said(detail: &Value) -> String {
    let parts = detail.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let parts = parts.map(|(key, value)| format!("{key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    parts.collect::<Vec<_>>().join(" ")
}
