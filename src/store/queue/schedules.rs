//! How far schedules are. A due time becomes a delivery in the transaction that moves its schedule past it, so it exists once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sqlx::FromRow;

use super::{
    BLOCKED, CLAIMED, READY,
    publish::lock_keys,
    ticks::{TickRow, keep_ticks},
};
use crate::{
    function::schedule::{Overlap, ScheduleId},
    id::Ids,
    queue::{Advance, Delivery, DeliveryId, Load, Pause, Receiver, ScheduleProgress, ScheduleRule, Tick, TickOutcome},
    store::{
        Store, StoreError,
        batch::json,
        columns::columns,
        database::{Database, read},
        transaction::EitherTransaction,
    },
};

/// A schedule, as the table has it.
#[derive(FromRow)]
struct ScheduleRow {
    id: String,
    expression: String,
    last_us: i64,
    paused_by: Option<String>,
    paused_us: Option<i64>,
    paused_reason: Option<String>,
}

impl Store {
    /// Returns how far every schedule is, by its id.
    pub async fn schedules(&self) -> Result<Vec<ScheduleProgress>, StoreError> {
        let rows = self.schedule_rows().await.map_err(StoreError::query("list schedules"))?;
        Ok(rows.into_iter().map(ScheduleProgress::from).collect())
    }

    async fn schedule_rows(&self) -> sqlx::Result<Vec<ScheduleRow>> {
        read!(self, pool => sqlx::query_as(concat!("SELECT ", columns!(schedules), " FROM schedules ORDER BY id")).fetch_all(pool))
    }

    /// Makes these the schedules that there are, and returns how far each is.
    pub(super) async fn set_schedules(&self, live: &[ScheduleRule], now_us: i64) -> sqlx::Result<Vec<ScheduleProgress>> {
        let rows: BTreeMap<&str, &str> = live.iter().map(|rule| (rule.id.as_str(), rule.expression.as_str())).collect();
        let mut known = self.schedule_rows().await?;
        let is_same = known.len() == rows.len() && known.iter().all(|row| rows.get(row.id.as_str()) == Some(&row.expression.as_str()));
        if !is_same {
            self.change_schedules(&rows, now_us).await?;
            known = self.schedule_rows().await?;
        }
        Ok(known.into_iter().map(ScheduleProgress::from).collect())
    }

    async fn change_schedules(&self, rows: &BTreeMap<&str, &str>, now_us: i64) -> sqlx::Result<()> {
        let (rows, from) = (json(&rows.iter().collect::<Vec<_>>()), self.database.rows_of_json());
        let mut transaction = EitherTransaction::begin(&self.database).await?;
        let keep = format!(
            "INSERT INTO schedules ({}) SELECT value->>0, value->>1, CAST($2 AS bigint), NULL, NULL, NULL FROM {from}
             ON CONFLICT (id) DO UPDATE SET expression = excluded.expression, last_us = excluded.last_us
             WHERE schedules.expression <> excluded.expression",
            columns!(schedules)
        );
        transaction.execute(keep, vec![rows.clone().into(), now_us.into()]).await?;
        for (table, column) in [("schedules", "id"), ("ticks", "schedule")] {
            let remove = format!("DELETE FROM {table} WHERE {column} NOT IN (SELECT value->>0 FROM {from})");
            transaction.execute(remove, vec![rows.clone().into()]).await?;
        }
        transaction.commit().await
    }

    /// Moves schedules past due times, each of another schedule, and makes those deliveries.
    ///
    /// Nobody waits for the disk: what goes with the power goes as a whole, and the due time is dealt with again.
    pub(super) async fn advance_schedules(&self, ids: &Ids, steps: &[Advance]) -> sqlx::Result<Vec<TickOutcome>> {
        let mut transaction = EitherTransaction::begin_repeatable(&self.database).await?;
        let moved = self.move_on(&mut transaction, steps).await?;
        let in_place = steps.iter().filter(|step| step.overlap == Overlap::Replace && step.tick.is_some());
        let in_place: BTreeSet<&str> = in_place.map(|step| step.schedule.as_str()).filter(|id| moved.contains(*id)).collect();
        let mut replaced = self.remove_deliveries(&mut transaction, &in_place).await?;
        let busy = lock_keys(&self.database, &mut transaction, moved.iter().map(|id| (id.clone(), id.clone())).collect()).await?;
        busy.values().for_each(|last| ids.rise_above(*last));
        // The keys of these schedules are this transaction's, so nobody adds or settles deliveries of them meanwhile.
        let under_way = self.under_way(&mut transaction, &moved).await?;
        let (mut outcomes, mut rows, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        for Advance { schedule, to_us, tick, overlap, most_waiting, .. } in steps {
            let (running, waiting) = under_way.get(schedule.as_str()).copied().unwrap_or_default();
            let count = running + waiting;
            let outcome = match (tick, overlap) {
                _ if !moved.contains(schedule.as_str()) => TickOutcome::Overtaken,
                (None, _) => TickOutcome::LeftOut,
                (Some(_), Overlap::Skip) if count > 0 => TickOutcome::Overlaps,
                // Of those that wait, one may be the next to run.
                (Some(_), Overlap::Queue) if running.min(1) + waiting > *most_waiting => TickOutcome::Overlaps,
                (Some(tick), _) => {
                    let state = if *overlap == Overlap::Queue && count > 0 { BLOCKED } else { READY };
                    rows.push((ids.next(), schedule.as_str(), state, *to_us, json(tick)));
                    replaced.remove(schedule.as_str()).map_or(TickOutcome::Made, TickOutcome::Replaces)
                }
            };
            match &outcome {
                TickOutcome::Overlaps | TickOutcome::LeftOut => left_out.push(TickRow::left_out(schedule.as_str(), *to_us)),
                TickOutcome::Replaces(due) => left_out.extend(due.iter().map(|due_us| TickRow::left_out(schedule.as_str(), *due_us))),
                TickOutcome::Made | TickOutcome::Overtaken => {}
            }
            outcomes.push(outcome);
        }
        self.add_deliveries(&mut transaction, &rows).await?;
        keep_ticks(&self.database, &mut transaction, &left_out).await?;
        transaction.commit().await?;
        Ok(outcomes)
    }

    /// Makes a delivery that is claimed already.
    pub(super) async fn start_delivery(&self, ids: &Ids, schedule: ScheduleId, tick: Tick, until_us: i64) -> sqlx::Result<Delivery> {
        let id = DeliveryId(ids.next());
        let row = (id.0, schedule.as_str(), CLAIMED, until_us, json(&tick));
        let mut transaction = EitherTransaction::begin(&self.database).await?;
        self.add_deliveries(&mut transaction, &[row]).await?;
        transaction.commit().await?;
        let receiver = Receiver::Schedule(schedule);
        Ok(Delivery { id, receiver, attempt: 1, lost: 0, earlier: 0, until_us, load: Load::Tick(tick) })
    }

    /// Adds deliveries of schedules. The key is the schedule, so that those that wait are let go one by one.
    async fn add_deliveries(&self, transaction: &mut EitherTransaction, rows: &[(i64, &str, i64, i64, String)]) -> sqlx::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        // What is claimed from the beginning is at its first attempt.
        let insert = format!(
            "INSERT INTO deliveries ({})
             SELECT CAST(value->>0 AS bigint), NULL, value->>1, value->>1, CASE CAST(value->>2 AS bigint) WHEN {CLAIMED} THEN 1 ELSE 0 END,
                 value->>4, CAST(value->>2 AS bigint), CAST(value->>3 AS bigint), 0, 0 FROM {}",
            columns!(deliveries),
            self.database.rows_of_json()
        );
        transaction.execute(insert, vec![json(&rows).into()]).await.map(drop)
    }

    /// Removes the deliveries of schedules: whoever runs them settles nothing. Returns when those were due that nobody has claimed.
    async fn remove_deliveries(
        &self,
        transaction: &mut EitherTransaction,
        ids: &BTreeSet<&str>,
    ) -> sqlx::Result<HashMap<String, Vec<i64>>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let lock = match self.database {
            // In the order in which settling takes them.
            Database::Postgres { .. } => "ORDER BY seq FOR UPDATE",
            Database::Sqlite { .. } => "",
        };
        let find = format!(
            "SELECT {}, state FROM deliveries WHERE event IS NULL AND receiver IN ({}) {lock}",
            columns!(delivery_load),
            self.database.texts_of_json()
        );
        let found: Vec<TickDelivery> = transaction.fetch(find, vec![json(ids).into()]).await?;
        let seqs: Vec<[i64; 1]> = found.iter().map(|row| [row.seq]).collect();
        for (table, column) in [("deliveries", "seq"), ("attempts", "delivery")] {
            let from = self.database.rows_of_json();
            let delete = format!("DELETE FROM {table} WHERE {column} IN (SELECT CAST(value->>0 AS bigint) FROM {from})");
            transaction.execute(delete, vec![json(&seqs).into()]).await?;
        }
        let mut waited: HashMap<String, Vec<i64>> = HashMap::new();
        for row in found.into_iter().filter(|row| row.state != CLAIMED) {
            let tick: Option<Tick> = row.tick.and_then(|tick| serde_json::from_str(&tick).ok());
            waited.entry(row.receiver).or_default().extend(tick.map(|tick| tick.due_us));
        }
        Ok(waited)
    }

    /// Moves the schedules that nobody else has moved, and returns which those are.
    async fn move_on(&self, transaction: &mut EitherTransaction, steps: &[Advance]) -> sqlx::Result<HashSet<String>> {
        // In one order for all, so that no two transactions wait for each other.
        let rows: BTreeSet<(&str, i64, i64)> = steps.iter().map(|step| (step.schedule.as_str(), step.from_us, step.to_us)).collect();
        let update = format!(
            "UPDATE schedules SET last_us = step.to_us
             FROM (SELECT value->>0 AS id, CAST(value->>1 AS bigint) AS from_us, CAST(value->>2 AS bigint) AS to_us FROM {}) AS step
             WHERE schedules.id = step.id AND last_us = step.from_us AND paused_by IS NULL
             RETURNING schedules.id",
            self.database.rows_of_json()
        );
        let moved: Vec<(String,)> = transaction.fetch(update, vec![json(&rows).into()]).await?;
        Ok(moved.into_iter().map(|(id,)| id).collect())
    }

    /// Counts the deliveries of schedules: how many run, and how many wait.
    async fn under_way(&self, transaction: &mut EitherTransaction, ids: &HashSet<String>) -> sqlx::Result<HashMap<String, (usize, usize)>> {
        let count = format!(
            "SELECT receiver, COUNT(CASE WHEN state = {CLAIMED} THEN 1 END), COUNT(CASE WHEN state <> {CLAIMED} THEN 1 END)
             FROM deliveries WHERE event IS NULL AND receiver IN ({}) GROUP BY receiver",
            self.database.texts_of_json()
        );
        let rows: Vec<(String, i64, i64)> = transaction.fetch(count, vec![json(ids).into()]).await?;
        Ok(rows.into_iter().map(|(receiver, running, waiting)| (receiver, (running as usize, waiting as usize))).collect())
    }
}

/// A delivery of a schedule.
#[derive(FromRow)]
struct TickDelivery {
    seq: i64,
    receiver: String,
    tick: Option<String>,
    state: i64,
}

impl From<ScheduleRow> for ScheduleProgress {
    fn from(row: ScheduleRow) -> Self {
        let pause = |(by, since_us)| Pause { by, since_us, reason: row.paused_reason };
        Self { id: ScheduleId::of(row.id), last_us: row.last_us, paused: row.paused_by.zip(row.paused_us).map(pause) }
    }
}
