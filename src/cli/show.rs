//! `picloud executions show`: all that is known of one execution.

use anyhow::bail;
use clap::Args;

use super::{
    answer::{place_and_message, word},
    exit::Exit,
    output,
    records::Records,
    target::NodeArgs,
};
use crate::{
    api::WithTime,
    clock::rfc3339,
    execution::{Effect, EmittedEvent, Execution, ExecutionId},
    shown::Shown,
};

/// `picloud executions show EXECUTION`
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub struct Show {
    #[command(flatten)]
    node: NodeArgs,
    /// Which; the header `x-picloud-execution` of the answer names it
    execution: ExecutionId,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let id = self.execution;
        let execution = self.node.records(async |records| match records {
            Records::Node(client) => {
                let found: WithTime<Execution> = client.read(&format!("/api/admin/executions/{id}"))?;
                Ok(Some(found.record))
            }
            Records::Database(store) => Ok(store.execution(id).await?),
        })?;
        let Some(execution) = execution else {
            bail!("no execution has the id `{id}`, or it is not kept any more\n  hint: `picloud executions` lists them")
        };
        match self.json {
            true => output::json(&WithTime::from(&execution))?,
            false => print(&execution),
        }
        Ok(Exit::Done)
    }
}

fn print(execution: &Execution) {
    let field = |name: &str, value: &str| output::line(format!("{name:<11}{}", Shown::inline(value)));
    field("execution", &execution.id.to_string());
    field("time", &rfc3339(execution.id.time_us()));
    field("function", &execution.function.to_string());
    field("version", &execution.version.to_string());
    field("deployment", &execution.deployment.to_string());
    field("request", &format!("{} {}", execution.method, execution.path));
    field("by", &by(execution));
    field("node", &execution.id.node().to_string());
    field("status", &format!("{} ({})", execution.status, execution.outcome.as_str()));
    if let Some(bytes) = execution.response_bytes {
        let of = execution.response_type.as_ref().map_or(String::new(), |of| format!(" of {of}"));
        field("answer", &format!("{bytes} bytes{of}"));
    }
    if execution.captured {
        field("captured", &format!("yes: `picloud replay {}` runs its request again", execution.id));
    }
    field(
        "took",
        &format!("{}, {} operations, {} bytes", output::micros(execution.duration_us), execution.operations, execution.peak_memory_bytes),
    );
    if let Some(failure) = &execution.failure {
        field("failure", &place_and_message(failure));
        failure.calls.iter().for_each(|call| field("", &format!("in {call}")));
    }
    print_log(execution);
    print_effects(execution);
    print_events(execution);
}

/// Says what asked for the run.
fn by(execution: &Execution) -> String {
    let trigger = execution.trigger.as_str();
    match (&execution.replay_of, &execution.request_id) {
        (Some(replayed), _) => format!("{trigger} of {replayed}"),
        (None, Some(id)) => format!("{trigger}, request id {id}"),
        (None, None) => trigger.into(),
    }
}

fn print_log(execution: &Execution) {
    if execution.logs.is_empty() && execution.logs_dropped == 0 {
        return;
    }
    output::line("");
    let rows: Vec<_> =
        execution.logs.iter().map(|line| [output::micros(line.at_us), word(line.level).into(), line.message.clone()]).collect();
    output::table(["AT", "LEVEL", "LINE"], &rows);
    if execution.logs_dropped > 0 {
        output::line(format!("{} did not fit the limit", output::count(execution.logs_dropped as usize, "more line")));
    }
}

fn print_effects(execution: &Execution) {
    if execution.effects.is_empty() && execution.effects_dropped == 0 {
        return;
    }
    output::line("");
    let rows: Vec<_> = execution.effects.iter().map(row).collect();
    output::table(["AT", "EFFECT", "OUTCOME", "TOOK", "SENT", "RECEIVED", "TARGET"], &rows);
    if execution.effects_dropped > 0 {
        output::line(format!("{} not recorded", were(execution.effects_dropped)));
    }
}

fn print_events(execution: &Execution) {
    if execution.events.is_empty() {
        return;
    }
    output::line("");
    let row = |event: &EmittedEvent| {
        let became = if event.sent { "sent" } else { "not sent" };
        [output::micros(event.at_us), became.into(), event.topic.clone(), event.key.clone().unwrap_or_default()]
    };
    let rows: Vec<_> = execution.events.iter().map(row).collect();
    output::table(["AT", "EVENT", "TOPIC", "KEY"], &rows);
}

fn were(count: u32) -> String {
    format!("{} {}", output::count(count as usize, "more effect"), if count == 1 { "was" } else { "were" })
}

fn row(effect: &Effect) -> [String; 7] {
    let outcome = match (effect.failed, effect.replayed) {
        (_, true) => format!("{} (given back)", effect.outcome),
        (true, false) => format!("{} (failed)", effect.outcome),
        (false, false) => effect.outcome.clone(),
    };
    [
        output::micros(effect.at_us),
        effect.kind.as_str().into(),
        outcome,
        output::micros(effect.duration_us),
        format!("{} B", effect.sent_bytes),
        format!("{} B", effect.received_bytes),
        effect.target.clone(),
    ]
}
