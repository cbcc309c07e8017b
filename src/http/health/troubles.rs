//! What is not as it should be: the one home of it, for `/_picloud/ready` and for the control plane.

use crate::{
    api::health::{HealthLevel, HealthPart, HealthReport, Part},
    clock::rfc3339,
    function::Diagnostic,
    http::{app::App, problem::split},
};

impl App {
    /// Returns what is not as it should be, a sentence each, some with a hint.
    pub(super) fn troubles(&self) -> Vec<(Part, String)> {
        let status = self.live.status();
        let mistakes = status.diagnostics.iter().filter(|found| Diagnostic::is_error(found)).count();
        let journal = self.journal.problems();
        let all = [
            (Part::Source, status.source.clone()),
            (Part::Database, status.database.clone()),
            (Part::Deployment, status.waiting.clone()),
            (Part::Triggers, status.late.clone()),
            (Part::Files, (mistakes > 0).then(|| format!("{mistakes} mistake(s) in the source; `picloud status` shows them"))),
            (Part::Journal, journal.backlog),
            (Part::Spool, journal.loss),
            (Part::Secrets, self.vault.degraded()),
        ];
        all.into_iter().filter_map(|(part, text)| Some((part, text?))).collect()
    }

    /// Tells what is not as it should be, and notes since when.
    pub(in crate::http) fn health(&self) -> HealthReport {
        let troubles = self.troubles();
        let onsets = self.onsets.note(troubles.iter().map(|(part, _)| *part), self.ids.now_us());
        let rejected = self.live.status().rejected.as_ref().map(|rejected| rejected.id);
        let told = |((part, text), since_us): ((Part, String), i64)| {
            let (says, hint) = split(&text);
            HealthPart {
                part,
                level: level(part),
                since: rfc3339(since_us),
                says: says.into(),
                advice: hint.unwrap_or_else(|| advice(part).into()),
                deployment: rejected.filter(|_| part == Part::Files),
            }
        };
        HealthReport { parts: troubles.into_iter().zip(onsets).map(told).collect() }
    }
}

/// Something fails where requests, records or secrets are lost until somebody acts.
fn level(part: Part) -> HealthLevel {
    match part {
        Part::Database | Part::Spool | Part::Secrets => HealthLevel::Fail,
        Part::Source | Part::Deployment | Part::Triggers | Part::Files | Part::Journal => HealthLevel::Warn,
    }
}

/// What to do where the sentence itself has no hint.
fn advice(part: Part) -> &'static str {
    match part {
        Part::Source => "what was live stays live; make the source readable, and the node goes on by itself",
        Part::Database => "functions run on; see whether the database runs and may be written to",
        Part::Deployment => "it goes live once the database answers",
        Part::Triggers => "see what runs for long with `picloud executions`, or raise the limits of running executions",
        Part::Files => "mend the files; what was live before stays live",
        Part::Journal => "executions on disk are written once the database answers",
        Part::Spool => "make room on the disk of the data folder",
        Part::Secrets => "put the key of the secrets back, and restart the node",
    }
}
