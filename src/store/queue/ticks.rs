//! What became of the last due times of schedules.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::AssertSqlSafe;

use crate::{
    execution::ExecutionId,
    function::schedule::ScheduleId,
    queue::TickRecord,
    store::{
        Store, StoreError,
        batch::{Parameter, bind, json},
        columns::columns,
        database::{Database, read},
        transaction::EitherTransaction,
    },
};

/// Due times that are kept of a schedule: those of twelve hours, every five minutes. There may be more for ten minutes.
pub const MAX_TICKS: u32 = 150;

/// A due time and what became of it, in the order of the columns.
#[derive(Serialize)]
pub(super) struct TickRow<'a>(&'a str, i64, Option<i64>, Option<&'a str>);

impl<'a> TickRow<'a> {
    /// One that had a run, or whose run never began.
    pub fn new(schedule: &'a str, due_us: i64, execution: Option<ExecutionId>, error: Option<&'a str>) -> Self {
        Self(schedule, due_us, execution.map(|id| id.0), error)
    }

    /// One that was left out.
    pub fn left_out(schedule: &'a str, due_us: i64) -> Self {
        Self(schedule, due_us, None, None)
    }
}

/// Writes down what became of due times. The last attempt of a run counts.
pub(super) async fn keep_ticks(database: &Database, transaction: &mut EitherTransaction, ticks: &[TickRow<'_>]) -> sqlx::Result<()> {
    if ticks.is_empty() {
        return Ok(());
    }
    let keep = format!(
        "INSERT INTO ticks ({}) SELECT value->>0, CAST(value->>1 AS bigint), CAST(value->>2 AS bigint), value->>3 FROM {}
         ON CONFLICT (schedule, due_us) DO UPDATE SET execution = excluded.execution, error = excluded.error",
        columns!(ticks),
        database.rows_of_json()
    );
    transaction.execute(keep, vec![json(&ticks).into()]).await.map(drop)
}

impl Store {
    /// Returns what became of the last due times of each schedule, or of one: so many at most of each, the newest first.
    pub async fn ticks(&self, schedule: Option<&ScheduleId>, most: u32) -> Result<HashMap<ScheduleId, Vec<TickRecord>>, StoreError> {
        type Row = (String, i64, Option<i64>, Option<String>);
        let condition = if schedule.is_some() { " WHERE schedule = $1" } else { "" };
        let sql = format!(
            "SELECT {columns} FROM (
                 SELECT {columns}, ROW_NUMBER() OVER (PARTITION BY schedule ORDER BY due_us DESC) AS place FROM ticks{condition}
             ) AS placed WHERE place <= {most} ORDER BY schedule, due_us DESC",
            columns = columns!(ticks)
        );
        let parameters: Vec<Parameter> = schedule.map(|id| id.as_str().to_owned().into()).into_iter().collect();
        let rows: Vec<Row> = read!(self, pool => bind!(sqlx::query_as(AssertSqlSafe(sql)), parameters).fetch_all(pool))
            .map_err(StoreError::query("list due times"))?;
        let mut ticks: HashMap<ScheduleId, Vec<TickRecord>> = HashMap::new();
        for (id, due_us, run, error) in rows {
            let tick = TickRecord { due_us, execution: run.map(ExecutionId), error };
            ticks.entry(ScheduleId::of(id)).or_default().push(tick);
        }
        Ok(ticks)
    }
}
