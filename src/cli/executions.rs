//! `picloud executions`: what ran, and how it ended. Which executions are meant is asked alike by `picloud logs`.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    answer::place_and_message,
    client::Pairs,
    exit::Exit,
    history::must_be_known,
    kept_request::ShowRequest,
    output,
    records::{ListArgs, Records},
    show::Show,
    target::NodeArgs,
};
use crate::{
    api::{WithTime, executions::ExecutionPage},
    clock::{Clock, SystemClock, rfc3339},
    deployment::DeploymentId,
    execution::{Execution, ExecutionId},
    function::VersionPrefix,
    store::{ExecutionFilter, Page, StatusOrOutcome, Store},
};

/// The options that say which executions are meant.
#[derive(Debug, Args)]
pub struct ExecutionSelection {
    /// Only of this function
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,
    /// Only of functions whose name begins so: `orders/`
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// Only those that ran on the deployment with this id
    #[arg(long, value_name = "ID")]
    deployment: Option<DeploymentId>,
    /// Only of the node with this number
    #[arg(long, value_name = "NUMBER")]
    node: Option<String>,
    /// Only those that this asked for: `http`, `execute`, `invoke`, `replay`, `schedule`, `event`, `manual`
    #[arg(long, value_name = "TRIGGER")]
    trigger: Option<String>,
    /// Only those of the request with this `x-request-id`
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Only those with this text in a log line or in the message of their failure
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Only since then: a span (`10m`, `2h`) or a time (`2026-11-23T09:00:00Z`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

impl ExecutionSelection {
    /// Returns what these ask for.
    pub fn pairs(&self) -> Pairs {
        let all = [
            ("function", &self.function),
            ("prefix", &self.prefix),
            ("deployment", &self.deployment.map(|id| id.to_string())),
            ("node", &self.node),
            ("trigger", &self.trigger),
            ("request_id", &self.request_id),
            ("text", &self.text),
            ("since", &self.since),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect()
    }
}

impl Records {
    /// Returns at most so many executions, the newest first, older than `before`, as far as was looked in one go.
    pub async fn executions(&self, pairs: &Pairs, before: Option<ExecutionId>, limit: usize) -> anyhow::Result<Page> {
        let limit = limit.min(PAGE);
        match self {
            Self::Node(client) => {
                let page: ExecutionPage = client.page("/api/admin/executions", pairs.clone(), before, limit)?;
                Ok(Page { executions: page.executions.into_iter().map(|found| found.record).collect(), next: page.next })
            }
            Self::Database(store) => {
                let asked = filter(store, pairs).await?;
                let filter = ExecutionFilter { before: before.or(asked.before), limit: limit as u32, ..asked };
                let mut page = store.search(&filter, Duration::MAX).await?;
                page.executions.iter_mut().for_each(Execution::leave_out_effects);
                Ok(page)
            }
        }
    }
}

/// The most that is asked for at once.
const PAGE: usize = 1_000;

/// Reads what is asked for, and refuses a function that the database does not know.
pub async fn filter(store: &Store, pairs: &Pairs) -> anyhow::Result<ExecutionFilter> {
    let filter = ExecutionFilter::parse(pairs.iter().map(|(key, value)| (*key, value.as_str())), SystemClock.now_us())?;
    if let Some(function) = &filter.function {
        must_be_known(store, function).await?;
    }
    Ok(filter)
}

/// `picloud executions`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, disable_version_flag = true)]
pub struct Executions {
    #[command(subcommand)]
    one: Option<One>,
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    selection: ExecutionSelection,
    /// Only of versions that begin so
    #[arg(long, value_name = "VERSION")]
    version: Option<VersionPrefix>,
    /// Only those that ended so: `404`, `5xx`, `failed`, `timed_out`, …
    #[arg(long, value_parser = ended)]
    status: Option<StatusOrOutcome>,
    /// Only until then: a span (`10m`, `2h`) or a time (`2026-11-23T09:00:00Z`)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those older than this execution
    #[arg(long, value_name = "EXECUTION")]
    before: Option<ExecutionId>,
    /// Only those newer than this execution, the ones next to it
    #[arg(long, value_name = "EXECUTION")]
    after: Option<ExecutionId>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum One {
    /// Show all that is known of one execution: its log, why it failed, and what it did outside
    Show(Show),
    /// Show the request that was kept with an execution; the audit log tells who read it
    Request(ShowRequest),
}

fn ended(text: &str) -> Result<StatusOrOutcome, String> {
    text.parse().map_err(|hint| format!("it is not a status\n  hint: {hint}"))
}

impl Executions {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match self.one {
            Some(One::Show(show)) => return show.run(),
            Some(One::Request(request)) => return request.run(),
            None => {}
        }
        let mut pairs = self.selection.pairs();
        pairs.extend(self.version.as_ref().map(|version| ("version", version.to_string())));
        pairs.extend(self.status.map(|status| ("status", status.to_string())));
        pairs.extend(self.until.clone().map(|until| ("until", until)));
        pairs.extend(self.before.map(|before| ("before", before.to_string())));
        let executions = self.node.records(async |records| match self.after {
            Some(after) => self.next_to(&records, &pairs, after).await,
            None => self.newest(&records, &pairs).await,
        })?;
        let heading = ["EXECUTION", "TIME", "STATUS", "TOOK", "FUNCTION", "REQUEST", "FAILURE"];
        self.list.form.list(&executions, |execution| json!(WithTime::from(execution)), heading, row)
    }
}

impl Executions {
    async fn newest(&self, records: &Records, pairs: &Pairs) -> anyhow::Result<Vec<Execution>> {
        let (mut found, mut before, limit) = (Vec::new(), None, self.list.limit as usize);
        while found.len() < limit {
            let page = records.executions(pairs, before, limit - found.len()).await?;
            found.extend(page.executions);
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Returns those that came after one, the newest first.
    async fn next_to(&self, records: &Records, pairs: &Pairs, after: ExecutionId) -> anyhow::Result<Vec<Execution>> {
        let (mut found, mut after, limit) = (Vec::new(), Some(after), self.list.limit as usize);
        while let Some(from) = after.filter(|_| found.len() < limit) {
            let mut pairs = pairs.clone();
            pairs.push(("after", from.to_string()));
            let page = records.executions(&pairs, None, limit - found.len()).await?;
            found.splice(0..0, page.executions);
            after = page.next;
        }
        Ok(found)
    }
}

fn row(execution: &Execution) -> [String; 7] {
    [
        execution.id.to_string(),
        rfc3339(execution.id.time_us()),
        execution.status.to_string(),
        output::micros(execution.duration_us),
        execution.function.to_string(),
        format!("{} {}", execution.method, execution.path),
        execution.failure.as_deref().map_or(String::new(), place_and_message),
    ]
}
