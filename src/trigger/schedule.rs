//! Turns due times of schedules into deliveries of the queue.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::due::due_times;
use crate::{
    clock::SharedClock,
    function::schedule::ScheduleId,
    live::{Live, Table},
    queue::{Advance, QueueError, ScheduleProgress, ScheduleRule, SharedQueue, TickOutcome},
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
        let mut steps = Vec::new();
        let mut next: Option<i64> = None;
        for (id, schedule) in table.triggers().schedules() {
            let Some(ScheduleProgress { last_us, .. }) = progress.get(id).filter(|one| one.paused.is_none()) else { continue };
            let mut from_us = *last_us;
            for due in due_times(schedule, id, *last_us, now_us) {
                steps.push(Advance { schedule: id.clone(), from_us, to_us: due.at_us, tick: due.tick, overlap: schedule.overlap });
                from_us = due.at_us;
            }
            next = next.into_iter().chain(schedule.next(id, from_us)).min();
        }
        self.advance(steps).await;
        let wait = next.map_or(LONGEST_SLEEP, |next| Duration::from_micros(next.saturating_sub(self.clock.now_us()).max(0) as u64));
        Ok(wait.min(LONGEST_SLEEP))
    }

    /// Takes steps, the first of every schedule together, then the second ones.
    async fn advance(&self, mut steps: Vec<Advance>) {
        while !steps.is_empty() {
            let mut taken: BTreeMap<ScheduleId, Advance> = BTreeMap::new();
            steps.retain(|step| {
                let is_taken = taken.len() < MAX_STEPS && !taken.contains_key(&step.schedule);
                if is_taken {
                    taken.insert(step.schedule.clone(), step.clone());
                }
                !is_taken
            });
            let ids: Vec<ScheduleId> = taken.keys().cloned().collect();
            // The queue has logged why not; the next step tries again.
            let Ok(outcomes) = self.queue.advance(taken.into_values().collect()).await else { return };
            for (id, outcome) in ids.iter().zip(outcomes) {
                if outcome == TickOutcome::Overlaps {
                    tracing::warn!("the schedule `{id}` was due and is left out: its run before goes on");
                }
            }
        }
    }
}
