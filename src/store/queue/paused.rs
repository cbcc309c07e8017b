//! Schedules that an operator pauses and resumes, each change with its entry in the audit log.

use serde_json::json;

use super::{BLOCKED, READY};
use crate::{
    audit::{Action, Actor},
    function::schedule::ScheduleId,
    store::{
        Store, StoreError, audit,
        batch::{Parameter, without_zeros},
        transaction::EitherTransaction,
    },
};

impl Store {
    /// Pauses a schedule, for a reason if there is one, and drops what of it waits. Returns whether it is there; one that is paused already stays as
    /// it is.
    pub async fn pause_schedule(&self, id: &ScheduleId, reason: Option<&str>, by: &Actor, now_us: i64) -> Result<bool, StoreError> {
        let sql = "UPDATE schedules SET paused_by = $2, paused_us = $3, paused_reason = $4 WHERE id = $1 AND paused_by IS NULL";
        let reason = reason.map(|reason| without_zeros(reason.to_owned()));
        let values = vec![id.as_str().to_owned().into(), by.who.clone().into(), now_us.into(), reason.into()];
        self.change_schedule(id, sql, values, by, (Action::SchedulePause, now_us)).await.map_err(StoreError::query("pause a schedule"))
    }

    /// Lets a schedule run again from now on: what was due meanwhile is not its own. Returns whether it is there.
    pub async fn resume_schedule(&self, id: &ScheduleId, by: &Actor, now_us: i64) -> Result<bool, StoreError> {
        let sql = "UPDATE schedules SET paused_by = NULL, paused_us = NULL, paused_reason = NULL, last_us = $2 WHERE id = $1 AND paused_by IS NOT NULL";
        let values = vec![id.as_str().to_owned().into(), now_us.into()];
        self.change_schedule(id, sql, values, by, (Action::ScheduleResume, now_us)).await.map_err(StoreError::query("resume a schedule"))
    }

    async fn change_schedule(
        &self,
        id: &ScheduleId,
        sql: &str,
        values: Vec<Parameter>,
        by: &Actor,
        (action, now_us): (Action, i64),
    ) -> sqlx::Result<bool> {
        let mut transaction = EitherTransaction::begin(&self.database).await?;
        if transaction.execute(sql, values).await? > 0 {
            let record = by.does(action, now_us, json!({ "schedule": id.as_str() }));
            transaction.execute(audit::INSERT, audit::values(&record)).await?;
            let waiting = format!("DELETE FROM deliveries WHERE receiver = $1 AND event IS NULL AND state IN ({READY}, {BLOCKED})");
            transaction.execute(waiting, vec![id.as_str().to_owned().into()]).await?;
        }
        let found: Vec<(String,)> =
            transaction.fetch("SELECT id FROM schedules WHERE id = $1", vec![id.as_str().to_owned().into()]).await?;
        transaction.commit().await?;
        Ok(!found.is_empty())
    }
}
