//! Turns due times of schedules into deliveries of the queue.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use http::StatusCode;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    due::{DueTime, due_times},
    occasion,
    tick_runs::TickRuns,
};
use crate::{
    clock::{SharedClock, rfc3339},
    execution::Trigger,
    function::schedule::{MissedPolicy, Overlap, Schedule, ScheduleId},
    live::{Live, Table},
    queue::{Advance, QueueError, ScheduleProgress, ScheduleRule, SharedQueue, Tick, TickOutcome},
    runner::{Rejection, RejectionReason, Runner, Target},
};

/// Longest sleep: the clock may be set.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// The wait after the database did not answer.
const AWAY_WAIT: Duration = Duration::from_secs(1);
/// Steps of one transaction.
const MAX_STEPS: usize = 1_000;

/// Makes deliveries of due times.
pub struct Scheduler {
    /// Gets the deliveries.
    pub queue: SharedQueue,
    /// What is live.
    pub live: Arc<Live>,
    /// Tells the time.
    pub clock: SharedClock,
    /// Records what is left out.
    pub runner: Arc<Runner>,
    /// Stops runs whose place another takes.
    pub ticks: Arc<TickRuns>,
    /// Tells of schedules that were changed in the database: paused, resumed, or by another node.
    pub changed: watch::Receiver<u64>,
}

impl Scheduler {
    /// Works until the node stops. Between due times it sleeps.
    pub async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = self.follow() => {}
            () = stop.cancelled() => {}
        }
    }

    async fn follow(&self) {
        let (mut swaps, mut changed) = (self.live.swaps(), self.changed.clone());
        let mut agenda = None;
        loop {
            let wait = self.step(&mut agenda).await.unwrap_or_else(|_| {
                // A step whose answer was lost may have been taken.
                agenda = None;
                AWAY_WAIT
            });
            tokio::select! {
                _ = swaps.changed() => agenda = None,
                _ = changed.changed() => agenda = None,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Makes deliveries of what is due. Returns how long nothing is.
    async fn step(&self, agenda: &mut Option<Agenda>) -> Result<Duration, QueueError> {
        let agenda = match agenda {
            Some(agenda) => agenda,
            None if !self.live.table().is_loaded() => return Ok(LONGEST_SLEEP),
            none => none.insert(self.agenda().await?),
        };
        let due = agenda.due(self.clock.now_us());
        if !due.is_empty() && self.advance(agenda, due).await? {
            *agenda = self.agenda().await?;
        }
        let wait =
            agenda.next().map_or(LONGEST_SLEEP, |next| Duration::from_micros(next.saturating_sub(self.clock.now_us()).max(0) as u64));
        Ok(wait.min(LONGEST_SLEEP))
    }

    /// Reads how far each schedule is that is live.
    async fn agenda(&self) -> Result<Agenda, QueueError> {
        let table = self.live.table();
        let rule = |(id, schedule): (&ScheduleId, &Schedule)| ScheduleRule { id: id.clone(), expression: schedule.when.to_string() };
        let rules = table.triggers().schedules().map(rule).collect();
        let progress = self.queue.schedules(rules, self.clock.now_us()).await?;
        let agenda = Agenda::new(table, progress);
        self.ticks.keep_only(|id| agenda.is_replaced(id));
        agenda.times.keys().for_each(|id| self.replace(&agenda, id));
        Ok(agenda)
    }

    /// Stops the run before the last due time, if its place is another's. Where another node was first, that made the delivery, and the run before
    /// may be here.
    fn replace(&self, agenda: &Agenda, id: &ScheduleId) {
        if let Some((last_us, _)) = agenda.times.get(id).filter(|_| agenda.is_replaced(id)) {
            self.ticks.stop_before(id, *last_us);
        }
    }

    /// Takes steps, the first of every schedule together, then the second ones. Returns whether another node was first somewhere.
    async fn advance(&self, agenda: &mut Agenda, mut steps: Vec<Advance>) -> Result<bool, QueueError> {
        let mut is_overtaken = false;
        while !steps.is_empty() {
            let mut taken: BTreeMap<ScheduleId, Advance> = BTreeMap::new();
            steps.retain(|step| {
                let is_taken = taken.len() < MAX_STEPS && !taken.contains_key(&step.schedule);
                if is_taken {
                    taken.insert(step.schedule.clone(), step.clone());
                }
                !is_taken
            });
            let taken: Vec<Advance> = taken.into_values().collect();
            let outcomes = self.queue.advance(taken.clone()).await?;
            for (step, outcome) in taken.iter().zip(outcomes) {
                match outcome {
                    TickOutcome::Made => {}
                    TickOutcome::Replaces(waited) => {
                        let why = "the next due time took its place before it ran (`overlap`)";
                        waited.into_iter().for_each(|due_us| {
                            self.leave_out(&agenda.table, (&step.schedule, due_us), RejectionReason::Overlap, why);
                        });
                    }
                    TickOutcome::Overtaken => is_overtaken = true,
                    TickOutcome::Overlaps => self.leave_out(
                        &agenda.table,
                        (&step.schedule, step.to_us),
                        RejectionReason::Overlap,
                        "its run before went on (`overlap`)",
                    ),
                    TickOutcome::LeftOut => self.leave_out(
                        &agenda.table,
                        (&step.schedule, step.to_us),
                        RejectionReason::Missed,
                        "nobody ran it in time (`missed`, `max_late`)",
                    ),
                }
                agenda.set_last(&step.schedule, step.to_us);
                self.replace(agenda, &step.schedule);
            }
        }
        Ok(is_overtaken)
    }

    /// Records a due time that is left out as an execution that was rejected.
    fn leave_out(&self, table: &Table, (id, due_us): (&ScheduleId, i64), reason: RejectionReason, why: &str) {
        let Some((live, schedule)) = table.triggers().schedule(id) else { return };
        let tick = Tick { due_us, ..Tick::default() };
        let told = occasion::of_tick(1, id, schedule, &tick, self.clock.now_us());
        let message = format!("the schedule `{id}` was due at {}, and that was left out: {why}", rfc3339(due_us));
        tracing::warn!("{message}");
        let request = occasion::request(&live.function.name, Vec::new());
        let mut attempt = self.runner.start(Target { table, function: live }, Trigger::Schedule, told);
        attempt.rejected(&request.method, &request.uri, Rejection { reason, status: StatusCode::CONFLICT, message });
    }
}

/// When each schedule is due next, as far as this node knows. Another node may be further: then a step of this one moves nothing.
struct Agenda {
    table: Arc<Table>,
    /// The last due time of each schedule that was dealt with, and the next one; in microseconds since 1970.
    times: HashMap<ScheduleId, (i64, Option<i64>)>,
    /// The next ones in their order.
    next: BTreeSet<(i64, ScheduleId)>,
}

impl Agenda {
    fn new(table: Arc<Table>, progress: Vec<ScheduleProgress>) -> Self {
        let mut agenda = Self { table, times: HashMap::new(), next: BTreeSet::new() };
        for ScheduleProgress { id, last_us, .. } in progress.into_iter().filter(|one| one.paused.is_none()) {
            agenda.set_last(&id, last_us);
        }
        agenda
    }

    fn schedule(&self, id: &ScheduleId) -> Option<&Schedule> {
        self.table.triggers().schedule(id).map(|(_, schedule)| schedule)
    }

    fn is_replaced(&self, id: &ScheduleId) -> bool {
        self.schedule(id).is_some_and(|schedule| schedule.overlap == Overlap::Replace)
    }

    fn set_last(&mut self, id: &ScheduleId, last_us: i64) {
        let next_us = self.schedule(id).and_then(|schedule| schedule.next(id, last_us));
        if let Some((_, Some(before))) = self.times.insert(id.clone(), (last_us, next_us)) {
            self.next.remove(&(before, id.clone()));
        }
        self.next.extend(next_us.map(|at_us| (at_us, id.clone())));
    }

    /// Returns the first due time that is to come, in microseconds since 1970.
    fn next(&self) -> Option<i64> {
        self.next.first().map(|(at_us, _)| *at_us)
    }

    /// Takes out the schedules that are due, and returns their steps up to now.
    fn due(&mut self, now_us: i64) -> Vec<Advance> {
        let mut steps = Vec::new();
        while self.next().is_some_and(|at_us| at_us <= now_us) {
            let Some((_, id)) = self.next.pop_first() else { break };
            if let Some((schedule, (last_us, _))) = self.schedule(&id).zip(self.times.get(&id)) {
                steps.extend(steps_of(&id, schedule, *last_us, now_us));
            }
        }
        steps
    }
}

/// Returns the steps of a schedule up to now.
fn steps_of(id: &ScheduleId, schedule: &Schedule, last_us: i64, now_us: i64) -> Vec<Advance> {
    let times = due_times(schedule, id, last_us, now_us);
    // What is caught up comes one after the other, whatever holds at other times.
    let (overlap, most_waiting) = match schedule.overlap {
        _ if times.iter().filter(|due| due.tick.is_some()).count() > 1 => (Overlap::Queue, MissedPolicy::MOST),
        overlap => (overlap, 1),
    };
    let mut from_us = last_us;
    let step = |due: DueTime| {
        let step = Advance { schedule: id.clone(), from_us, to_us: due.at_us, tick: due.tick, overlap, most_waiting };
        from_us = due.at_us;
        step
    };
    times.into_iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::{FunctionName, schedule::WrittenSchedule};

    #[test]
    fn what_is_caught_up_comes_one_after_the_other_whatever_holds_at_other_times() {
        let id = ScheduleId::new(&FunctionName::new("a"), None);
        for (overlap, alone) in [("skip", Overlap::Skip), ("queue", Overlap::Queue), ("allow", Overlap::Allow)] {
            let keys = format!("every = \"1h\"\nmissed = \"all\"\noverlap = {overlap:?}");
            let schedule = toml::from_str::<WrittenSchedule>(&keys).unwrap().resolve().unwrap();
            let overlaps = |hours: i64| -> Vec<Overlap> {
                steps_of(&id, &schedule, 0, hours * 3_600_000_000).into_iter().map(|step| step.overlap).collect()
            };
            assert_eq!(overlaps(3), [Overlap::Queue; 3], "{overlap}");
            assert_eq!(overlaps(1), [alone], "{overlap}");
        }
    }
}
