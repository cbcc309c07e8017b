//! Schedules: lists of them, and orders to run one now.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    clock::rfc3339,
    execution::ExecutionId,
    function::{
        FunctionName,
        schedule::{MissedPolicy, Overlap, Schedule, ScheduleId},
    },
    queue::{Pause, ScheduleProgress, TickRecord},
};

/// The due times that are told in advance.
const NEXT: usize = 5;

/// Every schedule that is live, as far as whoever asks may see its function.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ScheduleList {
    /// By id.
    pub schedules: Vec<ScheduleSummary>,
}

/// A schedule that is live.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ScheduleSummary {
    /// Its function, and `#` and its own name where it has one.
    pub id: String,
    /// What it runs.
    pub function: FunctionName,
    /// Its own name.
    pub name: Option<String>,
    /// When it is due: `30 2 * * * Europe/Berlin`, or `every 15m`.
    pub when: String,
    /// The same in words, without the zone: `At 02:30`, `Every 15 minutes`.
    pub words: String,
    /// The zone in which that is read.
    pub zone: String,
    /// The next due times; empty while it is paused.
    pub next: Vec<String>,
    /// The last due time that was dealt with; none: there was none since it began.
    pub last_due: Option<String>,
    /// The run that ended last.
    pub last_run: Option<ScheduleRun>,
    /// Its last due times with what became of them, the newest first: 20 in a list, 150 of one schedule.
    pub runs: Vec<ScheduleRun>,
    /// Who paused it; none: it runs.
    pub paused: Option<SchedulePause>,
    /// What becomes of times that passed while nobody ran them.
    pub missed: MissedPolicy,
    /// A time counts as missed when it is later than this.
    pub grace: String,
    /// Nothing later than this is run any more.
    pub max_late: String,
    /// What becomes of a time that comes while the run before goes on.
    pub overlap: Overlap,
    /// By less than this its times are later than they are written.
    pub spread: String,
}

/// What became of a due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleOutcome {
    /// Its run ended well.
    Ok,
    /// Its run failed, or never began.
    Failed,
    /// It was left out (`missed`, `max_late`, `overlap`).
    LeftOut,
}

/// A due time of a schedule, and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScheduleRun {
    /// When it was due.
    pub due: String,
    /// What became of it.
    pub outcome: ScheduleOutcome,
    /// Which; none: it never began.
    pub execution: Option<ExecutionId>,
    /// Why it failed; none: it ended well.
    pub error: Option<String>,
}

impl From<&TickRecord> for ScheduleRun {
    fn from(tick: &TickRecord) -> Self {
        let outcome = match &tick.error {
            _ if tick.is_left_out() => ScheduleOutcome::LeftOut,
            Some(_) => ScheduleOutcome::Failed,
            None => ScheduleOutcome::Ok,
        };
        Self { due: rfc3339(tick.due_us), outcome, execution: tick.execution, error: tick.error.clone() }
    }
}

/// Somebody paused a schedule.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SchedulePause {
    /// Who.
    pub by: String,
    /// When.
    pub since: String,
    /// Why, if they said so.
    #[serde(default)]
    pub reason: Option<String>,
}

/// How a schedule is paused.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseOrder {
    /// Why: for those who find it paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a schedule is run now.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleOrder {
    /// What the run gets in place of the schedule's own input; none: that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<serde_json::Value>,
}

impl ScheduleSummary {
    /// Says what there is to know of a schedule of a function.
    pub fn of(
        (id, function, schedule): (&ScheduleId, &FunctionName, &Schedule),
        progress: Option<&ScheduleProgress>,
        ticks: &[TickRecord],
        now_us: i64,
    ) -> Self {
        let paused = progress.and_then(|progress| progress.paused.as_ref());
        let after = |at_us: &i64| schedule.next(id, *at_us);
        let from_us = progress.map_or(now_us, |progress| progress.last_us.max(now_us));
        let next = std::iter::successors(after(&from_us), after).take(if paused.is_some() { 0 } else { NEXT });
        // A schedule begins, and goes on after a pause, at a time that is none of its own, as are those of orders.
        let is_due = |at_us: &i64| after(&(at_us - 1)) == Some(*at_us);
        let last_due = progress.map(|progress| progress.last_us).into_iter().chain(ticks.iter().map(|tick| tick.due_us)).find(is_due);
        Self {
            id: id.to_string(),
            function: function.clone(),
            name: schedule.name.clone(),
            when: schedule.when.to_string(),
            words: schedule.when.words(),
            zone: schedule.when.zone().into(),
            next: next.map(rfc3339).collect(),
            last_due: last_due.map(rfc3339),
            last_run: ticks.iter().find(|tick| !tick.is_left_out()).map(ScheduleRun::from),
            runs: ticks.iter().map(ScheduleRun::from).collect(),
            paused: paused.map(|Pause { by, since_us, reason }| SchedulePause {
                by: by.clone(),
                since: rfc3339(*since_us),
                reason: reason.clone(),
            }),
            missed: schedule.missed,
            grace: schedule.grace.to_string(),
            max_late: schedule.max_late.to_string(),
            overlap: schedule.overlap,
            spread: schedule.spread.to_string(),
        }
    }
}
