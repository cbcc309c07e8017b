//! What a running node says of itself, for people.

use crate::{
    api::node::{DatabaseStatus, LiveDeployment, NodeStatus, PreviewStatus},
    cli::{
        client::Client,
        findings::finding,
        output::{self, Style},
    },
    config::{Config, SourceConfig},
    function::{Diagnostic, quantity::Size},
    shown::Shown,
};

/// Says what a running node says of itself.
pub fn text(client: &Client, status: &NodeStatus, config: &Config) -> String {
    let mut said: Vec<String> = rows(client, status).iter().map(|(name, value)| row(name, value)).collect();
    if status.diagnostics.iter().any(Diagnostic::is_error) {
        said.push(kept(config).into());
    }
    said.extend(status.diagnostics.iter().map(|found| format!("\n{}", finding(config, found))));
    said.join("\n")
}

fn row(name: &str, value: &str) -> String {
    let lines: Vec<String> = value.lines().map(|line| Shown::inline(line).to_string()).collect();
    let name = output::column(TROUBLE.contains(&name).then_some(Style::Yellow), name, 9);
    format!("{name} {}", lines.join("\n          "))
}

fn rows(client: &Client, status: &NodeStatus) -> Vec<(&'static str, String)> {
    let mut rows = vec![("node", format!("running at {}", client.url())), ("source", status.source.clone())];
    let DatabaseStatus { place, problem } = &status.database;
    rows.push(("database", problem.as_ref().map_or(place.clone(), |problem| format!("{place}: {problem}"))));
    rows.extend(live(status.live.as_ref()));
    if let (false, Some(wanted)) = (status.is_in_sync, &status.wanted) {
        let behind = status.behind_us.map(|us| format!(", for {}", output::micros(us.unsigned_abs()))).unwrap_or_default();
        rows.push(("wanted", format!("{wanted}{behind}")));
    }
    let reasons = [("held", &status.held), ("waiting", &status.waiting), ("problem", &status.problem), ("late", &status.late)];
    rows.extend(reasons.into_iter().filter_map(|(name, why)| Some((name, why.clone()?))));
    if let Some(last) = &status.last_look {
        let next = status.next_look.as_ref().map(|next| format!("{next}, or ")).unwrap_or_default();
        rows.push(("looked", format!("{last}; next {next}when something changes")));
    }
    rows.extend(status.previews.iter().map(|shown| ("preview", preview(shown))));
    let journal = &status.journal;
    if journal.spooled_bytes > 0 {
        rows.push(("spool", format!("{} of executions wait for the database", Size(journal.spooled_bytes))));
    }
    let lost = journal.dropped + journal.refused;
    if lost > 0 {
        rows.push(("lost", format!("{} since the node started", output::count(lost as usize, "execution"))));
    }
    rows
}

fn live(live: Option<&LiveDeployment>) -> Vec<(&'static str, String)> {
    let Some(LiveDeployment { id, time, functions, revision, by, pushed_by, note, .. }) = live else {
        return vec![("live", "nothing yet".into())];
    };
    let functions = output::count(*functions as usize, "function");
    let mut rows = vec![("live", format!("{id} since {time}, {functions}, revision {revision}"))];
    let pushed = pushed_by.as_ref().map(|by| format!("pushed by {by}"));
    let by: Vec<String> = [by.clone(), pushed, note.clone()].into_iter().flatten().collect();
    if !by.is_empty() {
        rows.push(("by", by.join(", ")));
    }
    rows
}

fn preview(preview: &PreviewStatus) -> String {
    let PreviewStatus { branch, revision, is_shown, path, host, .. } = preview;
    let state = if *is_shown { "shown" } else { "has mistakes" };
    format!("{branch} {state}, revision {revision}, at {}", host.as_ref().unwrap_or(path))
}

/// What begins rows about something that is not as it should be.
const TROUBLE: [&str; 6] = ["held", "waiting", "problem", "late", "spool", "lost"];

/// Says what mistakes mean: of a commit all or nothing goes live.
fn kept(config: &Config) -> &'static str {
    match config.source {
        SourceConfig::Git(_) => "\nThe wanted commit has mistakes; what is live stays live.",
        SourceConfig::Directory { .. } => "\nFiles with mistakes are live as they last were right, or answer 503 if they never were.",
    }
}
