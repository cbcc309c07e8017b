//! How far schedules are. A due time becomes a delivery in the transaction that moves its schedule past it, so it exists once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sqlx::FromRow;

use super::{BLOCKED, READY};
use crate::{
    function::schedule::{Overlap, ScheduleId},
    id::Ids,
    queue::{Advance, ScheduleProgress, ScheduleRule, TickOutcome},
    store::{Store, StoreError, batch::json, columns::columns, database::read, transaction::EitherTransaction},
};

/// A schedule, as the table has it.
#[derive(FromRow)]
struct ScheduleRow {
    id: String,
    expression: String,
    last_us: i64,
    paused_by: Option<String>,
    paused_us: Option<i64>,
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
            "INSERT INTO schedules ({}) SELECT value->>0, value->>1, CAST($2 AS bigint), NULL, NULL FROM {from}
             ON CONFLICT (id) DO UPDATE SET expression = excluded.expression, last_us = excluded.last_us
             WHERE schedules.expression <> excluded.expression",
            columns!(schedules)
        );
        transaction.execute(keep, vec![rows.clone().into(), now_us.into()]).await?;
        let remove = format!("DELETE FROM schedules WHERE id NOT IN (SELECT value->>0 FROM {from})");
        transaction.execute(remove, vec![rows.into()]).await?;
        transaction.commit().await
    }

    /// Pauses a schedule, or lets it run again from now on. Returns whether it is there.
    pub async fn pause_schedule(&self, id: &str, by: Option<&str>, now_us: i64) -> Result<bool, StoreError> {
        let sql = match by {
            Some(_) => "UPDATE schedules SET paused_by = $2, paused_us = $3 WHERE id = $1",
            None => "UPDATE schedules SET paused_by = $2, paused_us = NULL, last_us = $3 WHERE id = $1",
        };
        let parameters = vec![id.to_owned().into(), by.map(str::to_owned).into(), now_us.into()];
        let work = async {
            let mut transaction = EitherTransaction::begin(&self.database).await?;
            let changed = transaction.execute(sql, parameters).await?;
            transaction.commit().await?;
            Ok(changed > 0)
        };
        work.await.map_err(StoreError::query("pause a schedule"))
    }

    /// Moves schedules past due times, each of another schedule, and makes those deliveries.
    pub(super) async fn advance_schedules(&self, ids: &Ids, steps: &[Advance]) -> sqlx::Result<Vec<TickOutcome>> {
        let mut transaction = EitherTransaction::begin(&self.database).await?;
        let moved = self.move_on(&mut transaction, steps).await?;
        // The rows of these schedules are this transaction's, so nobody adds deliveries of them meanwhile.
        let under_way = self.under_way(&mut transaction, &moved).await?;
        let (mut outcomes, mut rows) = (Vec::new(), Vec::new());
        for Advance { schedule, to_us, tick, overlap, .. } in steps {
            let count = under_way.get(schedule.as_str()).copied().unwrap_or(0);
            outcomes.push(match tick {
                _ if !moved.contains(schedule.as_str()) => TickOutcome::Overtaken,
                None => TickOutcome::LeftOut,
                Some(_) if count > most_under_way(*overlap) => TickOutcome::Overlaps,
                Some(tick) => {
                    let key = (*overlap == Overlap::Queue).then(|| schedule.as_str());
                    let state = if key.is_some() && count > 0 { BLOCKED } else { READY };
                    rows.push((ids.next(), schedule.as_str(), key, state, to_us, json(tick)));
                    TickOutcome::Made
                }
            });
        }
        if !rows.is_empty() {
            let insert = format!(
                "INSERT INTO deliveries ({})
                 SELECT CAST(value->>0 AS bigint), NULL, value->>1, value->>2, 0, value->>5,
                     CAST(value->>3 AS bigint), CAST(value->>4 AS bigint), 0 FROM {}",
                columns!(deliveries),
                self.database.rows_of_json()
            );
            transaction.execute(insert, vec![json(&rows).into()]).await?;
        }
        transaction.commit().await?;
        Ok(outcomes)
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

    /// Counts the deliveries of schedules.
    async fn under_way(&self, transaction: &mut EitherTransaction, ids: &HashSet<String>) -> sqlx::Result<HashMap<String, i64>> {
        let count = format!(
            "SELECT receiver, COUNT(*) FROM deliveries WHERE event IS NULL AND receiver IN ({}) GROUP BY receiver",
            self.database.texts_of_json()
        );
        Ok(transaction.fetch::<(String, i64)>(count, vec![json(ids).into()]).await?.into_iter().collect())
    }
}

impl From<ScheduleRow> for ScheduleProgress {
    fn from(row: ScheduleRow) -> Self {
        Self { id: ScheduleId::of(row.id), last_us: row.last_us, paused: row.paused_by.zip(row.paused_us) }
    }
}

/// Returns how many deliveries of a schedule another one may come to.
fn most_under_way(overlap: Overlap) -> i64 {
    match overlap {
        Overlap::Skip => 0,
        Overlap::Queue => 1,
        Overlap::Allow | Overlap::Replace => i64::MAX,
    }
}
