//! Turns due times of schedules into deliveries of the queue.

use std::{
    collections::{BTreeMap, HashMap},
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
    /// Tells of schedules that were paused or resumed.
    pub changed: watch::Receiver<u64>,
}

impl Scheduler {
    /// Works until the node stops. Between due times it sleeps.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut swaps = self.live.swaps();
        let work = async {
            loop {
                let table = self.live.table();
                let wait = match table.is_loaded() {
                    true => self.step(&table).await.unwrap_or(AWAY_WAIT),
                    false => LONGEST_SLEEP,
                };
                tokio::select! {
                    _ = swaps.changed() => {}
                    _ = self.changed.changed() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = stop.cancelled() => {}
        }
    }

    /// Makes deliveries of what is due. Returns how long nothing is.
    async fn step(&self, table: &Table) -> Result<Duration, QueueError> {
        let rules =
            table.triggers().schedules().map(|(id, schedule)| ScheduleRule { id: id.clone(), expression: schedule.when.to_string() });
        let progress = self.queue.schedules(rules.collect(), self.clock.now_us()).await?;
        let progress: HashMap<&ScheduleId, &ScheduleProgress> = progress.iter().map(|one| (&one.id, one)).collect();
        let now_us = self.clock.now_us();
        let (mut steps, mut replaced, mut next) = (Vec::new(), Vec::new(), None::<i64>);
        for (id, schedule) in table.triggers().schedules() {
            let Some(ScheduleProgress { last_us, .. }) = progress.get(id).filter(|one| one.paused.is_none()) else { continue };
            let due = steps_of(id, schedule, *last_us, now_us);
            let last_us = due.last().map_or(*last_us, |step| step.to_us);
            steps.extend(due);
            if schedule.overlap == Overlap::Replace {
                replaced.push((id, last_us));
            }
            next = next.into_iter().chain(schedule.next(id, last_us)).min();
        }
        self.advance(table, steps).await?;
        // Also where another node was first: it makes the delivery, and the run before may be here.
        replaced.into_iter().for_each(|(id, last_us)| self.ticks.stop_before(id, last_us));
        let wait = next.map_or(LONGEST_SLEEP, |next| Duration::from_micros(next.saturating_sub(self.clock.now_us()).max(0) as u64));
        Ok(wait.min(LONGEST_SLEEP))
    }

    /// Takes steps, the first of every schedule together, then the second ones.
    async fn advance(&self, table: &Table, mut steps: Vec<Advance>) -> Result<(), QueueError> {
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
                    TickOutcome::Made | TickOutcome::Overtaken => {}
                    TickOutcome::Overlaps => self.leave_out(table, step, RejectionReason::Overlap, "its run before went on (`overlap`)"),
                    TickOutcome::LeftOut => {
                        self.leave_out(table, step, RejectionReason::Missed, "nobody ran it in time (`missed`, `max_late`)")
                    }
                }
            }
        }
        Ok(())
    }

    /// Records a due time that is left out as an execution that was rejected.
    fn leave_out(&self, table: &Table, step: &Advance, reason: RejectionReason, why: &str) {
        let Some((live, schedule)) = table.triggers().schedule(&step.schedule) else { return };
        let tick = Tick { due_us: step.to_us, ..Tick::default() };
        let told = occasion::of_tick(1, &step.schedule, schedule, &tick, self.clock.now_us());
        let message = format!("the schedule `{}` was due at {}, and that was left out: {why}", step.schedule, rfc3339(step.to_us));
        tracing::warn!("{message}");
        let request = occasion::request(&live.function.name, Vec::new());
        let mut attempt = self.runner.start(Target { table, function: live }, Trigger::Schedule, told);
        attempt.rejected(&request.method, &request.uri, Rejection { reason, status: StatusCode::CONFLICT, message });
    }
}

/// Returns the steps of a schedule up to now.
fn steps_of(id: &ScheduleId, schedule: &Schedule, last_us: i64, now_us: i64) -> Vec<Advance> {
    let times = due_times(schedule, id, last_us, now_us);
    // What is caught up comes one after the other, whatever holds at other times.
    let (overlap, most_waiting) = match schedule.overlap {
        Overlap::Allow => (Overlap::Allow, 0),
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
