//! What a running node says of itself, for people.

use serde_json::Value;

use crate::{
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
pub fn text(client: &Client, status: &Value, config: &Config) -> String {
    let mut said: Vec<String> = Vec::new();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut row = |name: &str, value: &str| {
        let lines: Vec<String> = value.lines().map(|line| Shown::inline(line).to_string()).collect();
        // Padded before it is coloured, because colours have a width too.
        let name = format!("{name:<9}");
        let name = if TROUBLE.contains(&name.trim_end()) { output::styled(Style::Yellow, &name) } else { name.into() };
        said.push(format!("{name} {}", lines.join("\n          ")));
    };
    row("node", &format!("running at {}", client.url()));
    row("source", &text(&status["source"]).unwrap_or_default());
    let database = text(&status["database"]["place"]).unwrap_or_default();
    row("database", &text(&status["database"]["problem"]).map_or(database.clone(), |problem| format!("{database}: {problem}")));
    let live = &status["live"];
    match text(&live["id"]) {
        Some(id) => {
            let functions = output::count(live["functions"].as_u64().unwrap_or(0) as usize, "function");
            let (since, revision) = (text(&live["time"]).unwrap_or_default(), text(&live["revision"]).unwrap_or_default());
            row("live", &format!("{id} since {since}, {functions}, revision {revision}"));
            let pushed = text(&live["pushed_by"]).map(|by| format!("pushed by {by}"));
            let by: Vec<String> = [text(&live["by"]), pushed, text(&live["note"])].into_iter().flatten().collect();
            if !by.is_empty() {
                row("by", &by.join(", "));
            }
        }
        None => row("live", "nothing yet"),
    }
    if status["is_in_sync"] != Value::Bool(true)
        && let Some(wanted) = text(&status["wanted"])
    {
        let behind = status["behind_us"].as_u64().map(|us| format!(", for {}", output::micros(us))).unwrap_or_default();
        row("wanted", &format!("{wanted}{behind}"));
    }
    for (name, key) in [("held", "held"), ("waiting", "waiting"), ("problem", "problem")] {
        if let Some(why) = text(&status[key]) {
            row(name, &why);
        }
    }
    let next = text(&status["next_look"]).map_or("when something changes".into(), |next| format!("{next}, or when something changes"));
    if let Some(last) = text(&status["last_look"]) {
        row("looked", &format!("{last}; next {next}"));
    }
    for preview in status["previews"].as_array().into_iter().flatten() {
        let state = if preview["is_shown"] == Value::Bool(true) { "shown" } else { "has mistakes" };
        let (branch, revision) = (text(&preview["branch"]).unwrap_or_default(), text(&preview["revision"]).unwrap_or_default());
        let at = text(&preview["host"]).or_else(|| text(&preview["path"])).map(|at| format!(", at {at}")).unwrap_or_default();
        row("preview", &format!("{branch} {state}, revision {revision}{at}"));
    }
    let journal = &status["journal"];
    let waiting = journal["spooled_bytes"].as_u64().unwrap_or(0);
    if waiting > 0 {
        row("spool", &format!("{} of executions wait for the database", Size(waiting)));
    }
    let lost = journal["dropped"].as_u64().unwrap_or(0) + journal["refused"].as_u64().unwrap_or(0);
    if lost > 0 {
        row("lost", &format!("{} since the node started", output::count(lost as usize, "execution")));
    }
    let found: Vec<Diagnostic> = serde_json::from_value(status["diagnostics"].clone()).unwrap_or_default();
    if found.iter().any(Diagnostic::is_error) {
        said.push(kept(config).into());
    }
    for diagnostic in &found {
        said.push(format!("\n{}", finding(config, diagnostic)));
    }
    said.join("\n")
}

/// What begins rows about something that is not as it should be.
const TROUBLE: [&str; 5] = ["held", "waiting", "problem", "spool", "lost"];

/// Says what mistakes mean: of a commit all or nothing goes live.
fn kept(config: &Config) -> &'static str {
    match config.source {
        SourceConfig::Git(_) => "\nThe wanted commit has mistakes; what is live stays live.",
        SourceConfig::Directory { .. } => "\nFiles with mistakes are live as they last were right, or answer 503 if they never were.",
    }
}
