//! Events of the node itself: a deployment went live or was refused, a function fails, the database was away.
//!
//! They are told once, after the fact, to those who handle them. What cannot be kept is left out: these events report what is on record elsewhere.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{SharedClock, rfc3339},
    deployment::{Deployment, DeploymentId, DeploymentStatus},
    execution::{Emitter, NewEvent},
    function::{Diagnostic, FunctionName, topic::Topic},
    live::{Live, LiveFunction, Table},
    runner::Publisher,
};

/// How often functions are asked how they do.
const LOOK: Duration = Duration::from_secs(60);
/// Fewest failures of a function that is said to fail, since the look before the last.
const FAILURES: u64 = 5;
/// Looks that pass before the same is said of the same function again.
const QUIET_LOOKS: u32 = 60;
/// Diagnostics that an event holds.
const MAX_DIAGNOSTICS: usize = 20;

/// Tells what happens to the node.
pub struct Announcer {
    live: Arc<Live>,
    publisher: Publisher,
    clock: SharedClock,
    /// The last deployments that were told, live and refused.
    told: [Option<DeploymentId>; 2],
    /// Since when the database has been away, in microseconds since 1970.
    away_since: Option<i64>,
    functions: HashMap<FunctionName, LastLooks>,
}

/// What is known of a function.
#[derive(Debug, Default)]
struct LastLooks {
    /// At the look before the last, and at the last; zero before its first.
    looks: [Counts; 2],
    /// Looks that still pass before it is told again.
    quiet: u32,
}

/// How often a function ran and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    runs: u64,
    failures: u64,
}

impl Announcer {
    /// Begins with what is there now: that was told before.
    pub fn new(live: Arc<Live>, publisher: Publisher, clock: SharedClock) -> Self {
        let status = live.status();
        let told = [status.live.as_ref().map(|live| live.id), status.decided.last_rejected];
        Self { live, publisher, clock, told, away_since: None, functions: HashMap::new() }
    }

    /// Works until the node stops.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.live.changes();
        let mut looks = tokio::time::interval(LOOK);
        loop {
            let events = tokio::select! {
                () = stop.cancelled() => return,
                _ = changes.changed() => self.of_status(),
                _ = looks.tick() => self.of_functions(),
            };
            for event in events {
                // The queue has logged why not.
                let _ = self.publisher.publish(vec![event], self.clock.now_us()).await;
            }
        }
    }

    /// Returns what is new in the status.
    fn of_status(&mut self) -> Vec<NewEvent> {
        let status = self.live.status();
        let mut events = Vec::new();
        let now_us = self.clock.now_us();
        match (&status.database, self.away_since) {
            // At the start of a node it may only not be there yet.
            (Some(_), None) if status.is_database_expected || status.live.is_none() => {}
            (Some(_), None) => self.away_since = Some(now_us),
            (None, Some(since_us)) => {
                self.away_since = None;
                let payload = json!({ "since": rfc3339(since_us), "away_ms": (now_us - since_us) / 1_000 });
                events.push(event("picloud.database.away", &since_us.to_string(), &payload));
            }
            _ => {}
        }
        for deployment in [&status.live, &status.rejected].into_iter().flatten() {
            let told = &mut self.told[usize::from(deployment.status == DeploymentStatus::Rejected)];
            if told.replace(deployment.id) != Some(deployment.id) {
                events.push(of_deployment(deployment));
            }
        }
        events
    }

    /// Returns which functions fail more than before.
    fn of_functions(&mut self) -> Vec<NewEvent> {
        let table = self.live.table();
        let mut before = std::mem::take(&mut self.functions);
        let mut events = Vec::new();
        for live in table.functions().filter(|live| !handles_own(live)) {
            let Some(now) = counts(&table, live) else { continue };
            let name = &live.function.name;
            let mut known = before.remove(name).unwrap_or_default();
            if let Some(Counts { runs, failures }) = known.look(now) {
                let payload = json!({ "function": name, "version": live.function.version, "runs": runs, "failures": failures });
                events.push(event("picloud.function.failing", &format!("{name}-{}", self.clock.now_us()), &payload));
            }
            self.functions.insert(name.clone(), known);
        }
        events
    }
}

impl LastLooks {
    /// Takes the counts of another look. Returns those since the look before the last, if they are to be told.
    fn look(&mut self, now: Counts) -> Option<Counts> {
        if now.runs < self.looks[1].runs {
            // It was gone, and came back with new counts.
            self.looks = [Counts::default(); 2];
        }
        let since =
            Counts { runs: now.runs.saturating_sub(self.looks[0].runs), failures: now.failures.saturating_sub(self.looks[0].failures) };
        self.quiet = self.quiet.saturating_sub(1);
        self.looks = [self.looks[1], now];
        let is_told = self.quiet == 0 && since.failures >= FAILURES && since.failures * 2 >= since.runs;
        if is_told {
            self.quiet = QUIET_LOOKS;
        }
        is_told.then_some(since)
    }
}

/// Returns how often a function ran and failed; none if it is counted together with others.
fn counts(table: &Table, live: &LiveFunction) -> Option<Counts> {
    let (runs, failures) = table.own_meter(live)?.runs_and_failures();
    Some(Counts { runs, failures })
}

/// Returns whether a function handles events of the node. Nothing is told of its failures: that would start it again.
fn handles_own(live: &LiveFunction) -> bool {
    live.function.manifest.handlers.iter().any(|handler| handler.topic.is_own())
}

/// Tells of a deployment. Any function may handle this, also one of somebody who may not see the whole node: of files there are only places.
fn of_deployment(deployment: &Deployment) -> NewEvent {
    let place = |one: &Diagnostic| json!({ "file": one.file, "at": one.position, "severity": one.severity });
    let diagnostics: Vec<Value> = deployment.diagnostics.iter().take(MAX_DIAGNOSTICS).map(place).collect();
    let payload = json!({
        "deployment": deployment.id,
        "revision": deployment.revision,
        "cause": deployment.cause,
        "functions": deployment.functions,
        "changes": deployment.changes.len(),
        "diagnostics": diagnostics,
    });
    let topic = match deployment.status {
        DeploymentStatus::Live => "picloud.deployment.live",
        DeploymentStatus::Rejected => "picloud.deployment.rejected",
    };
    event(topic, &deployment.id.to_string(), &payload)
}

/// Makes an event of the node.
pub(super) fn event(topic: &str, id: &str, payload: &Value) -> NewEvent {
    let topic: Topic = topic.parse().expect("topics of the node are right");
    NewEvent {
        id: id.into(),
        is_named: true,
        topic,
        key: None,
        payload: payload.to_string().into(),
        delay: Duration::ZERO,
        depth: 1,
        by: Emitter::Node,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has a function known for so many runs and failures more, one look after the other. Returns what is told.
    fn told(known: &mut LastLooks, looks: &[(u64, u64)]) -> Vec<Option<(u64, u64)>> {
        let look = |(runs, failures): &(u64, u64)| {
            let last = known.looks[1];
            let told = known.look(Counts { runs: last.runs + runs, failures: last.failures + failures });
            told.map(|told| (told.runs, told.failures))
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn a_function_is_said_to_fail_when_half_of_its_runs_do_and_once_an_hour() {
        let mut known = LastLooks::default();
        let (few, most_end_well, half) = ((4, 4), (30, 5), (30, 25));
        assert_eq!(told(&mut known, &[few, most_end_well, half]), [None, None, Some((60, 30))]);
        assert_eq!(told(&mut known, &[(10, 10); QUIET_LOOKS as usize - 1]), [None; QUIET_LOOKS as usize - 1]);
        assert_eq!(told(&mut known, &[(10, 10)]), [Some((20, 20))]);
    }

    #[test]
    fn failures_count_from_the_first_on_and_across_a_look() {
        assert_eq!(told(&mut LastLooks::default(), &[(8, 8)]), [Some((8, 8))], "a new function");
        assert_eq!(told(&mut LastLooks::default(), &[(0, 0), (3, 3), (3, 3)]), [None, None, Some((6, 6))]);
        assert_eq!(told(&mut LastLooks::default(), &[(3, 3), (0, 0), (3, 3)]), [None; 3], "too long ago");
        let mut known = LastLooks { looks: [Counts { runs: 100, failures: 100 }; 2], quiet: 0 };
        let again = known.look(Counts { runs: 6, failures: 6 });
        assert_eq!(again, Some(Counts { runs: 6, failures: 6 }), "it was gone, and counts from the beginning");
    }
}
