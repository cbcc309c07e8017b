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
/// Fewest failures between two looks of a function that is said to fail.
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
    functions: HashMap<FunctionName, Counts>,
}

/// What was known of a function at the last look.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    runs: u64,
    failures: u64,
    /// Looks that still pass before it is told again.
    quiet: u32,
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
            (Some(_), None) if status.live.is_none() => {}
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
        let before = std::mem::take(&mut self.functions);
        let mut events = Vec::new();
        for live in table.functions().filter(|live| !handles_own(live)) {
            let Some(now) = counts(&table, live) else { continue };
            let name = &live.function.name;
            let mut known = before.get(name).copied().unwrap_or(now);
            if let Some((runs, failures)) = known.look(now) {
                let payload = json!({ "function": name, "version": live.function.version, "runs": runs, "failures": failures });
                events.push(event("picloud.function.failing", &format!("{name}-{}", self.clock.now_us()), &payload));
            }
            self.functions.insert(name.clone(), known);
        }
        events
    }
}

impl Counts {
    /// Takes the counts of another look. Returns the runs and failures since the last one, if they are to be told.
    fn look(&mut self, now: Self) -> Option<(u64, u64)> {
        let (runs, failures) = (now.runs.saturating_sub(self.runs), now.failures.saturating_sub(self.failures));
        let quiet = self.quiet.saturating_sub(1);
        let is_told = quiet == 0 && failures >= FAILURES && failures * 2 >= runs;
        *self = Self { quiet: if is_told { QUIET_LOOKS } else { quiet }, ..now };
        is_told.then_some((runs, failures))
    }
}

/// Returns how often a function ran and failed; none if it is counted together with others.
fn counts(table: &Table, live: &LiveFunction) -> Option<Counts> {
    let (runs, failures) = table.own_meter(live)?.runs_and_failures();
    Some(Counts { runs, failures, quiet: 0 })
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

    #[test]
    fn a_function_is_said_to_fail_when_half_of_its_runs_do_and_once_an_hour() {
        let mut known = Counts::default();
        let mut look = |runs: u64, failures: u64| {
            let now = Counts { runs: known.runs + runs, failures: known.failures + failures, quiet: 0 };
            known.look(now)
        };
        assert_eq!(look(4, 4), None, "too few");
        assert_eq!(look(11, 5), None, "most end well");
        assert_eq!(look(10, 5), Some((10, 5)));
        for _ in 1..QUIET_LOOKS {
            assert_eq!(look(10, 10), None);
        }
        assert_eq!(look(10, 10), Some((10, 10)));
        // Another table counts from the beginning.
        let mut known = Counts { runs: 100, failures: 100, quiet: 0 };
        assert_eq!(known.look(Counts { runs: 6, failures: 6, quiet: 0 }), None);
        assert_eq!(known.look(Counts { runs: 12, failures: 12, quiet: 0 }), Some((6, 6)));
    }
}
