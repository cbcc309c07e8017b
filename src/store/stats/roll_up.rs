//! Makes rows of days out of rows of minutes, makes those coarser when they are older, and removes what is too old.

use super::rows::{ALL, Rows, Slot, Span, StatsRow, decoded};
use crate::{
    stats::{BY_MINUTE_FOR, BY_TEN_FOR, DAY, KEPT_FOR, Point, minute_of},
    store::{Store, StoreError, columns::columns, database::Database, transaction::EitherTransaction},
};

/// Rows that one transaction takes. SQLite has one writer at a time, so executions are recorded between the slices.
const SLICE: usize = 500;
/// Versions of functions that have a row for one day. Those beyond are in the node's row only.
const MAX_A_DAY: i64 = 10_000;
/// The advisory lock of Postgres of whoever rolls up: `pics` as a number. Two nodes would write the same rows.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1885954931)";

impl Store {
    /// Rolls up what is old enough at this time (microseconds since 1970). Returns how many rows that were.
    pub async fn roll_up_stats(&self, now_us: i64) -> Result<u64, StoreError> {
        let now = minute_of(now_us);
        let today = now.div_euclid(DAY) * DAY;
        let mut count = 0;
        for (from, to, before) in [
            (Span::Minute, Span::DayByTen, (now - BY_MINUTE_FOR).div_euclid(10) * 10),
            (Span::DayByTen, Span::DayByHour, today - BY_TEN_FOR),
        ] {
            loop {
                let rows = self.roll_up_slice(from, to, before).await.map_err(StoreError::query("roll up counts"))?;
                count += rows as u64;
                if rows < SLICE {
                    break;
                }
            }
        }
        let oldest = today - KEPT_FOR - DAY;
        count += self.remove("DELETE FROM stats WHERE start_min < $1", &[oldest]).await?;
        Ok(count)
    }

    /// Moves some of the rows that begin earlier than `before`, the oldest first.
    async fn roll_up_slice(&self, from: Span, to: Span, before: i64) -> sqlx::Result<usize> {
        let mut transaction = EitherTransaction::begin_repeatable(&self.database).await?;
        if matches!(self.database, Database::Postgres { .. }) {
            transaction.execute(LOCK, vec![]).await?;
        }
        let old: Vec<StatsRow> = transaction.fetch(take(from, before), vec![]).await?;
        let taken = old.len();
        let mut rows = Rows::default();
        for (_, start, function, version, _, series) in old {
            let day = start.div_euclid(DAY) * DAY;
            let slot = Slot { minute: day, function, version, node: 0 };
            let row = rows.row(to, slot);
            for (point, counts) in decoded(&series).points() {
                row.add(Point { minute: (start - day) as u16 + point.minute, ..point }, counts);
            }
        }
        rows.by(if to == Span::DayByTen { 10 } else { 60 });
        self.leave_out_too_many(&mut transaction, to, &mut rows).await?;
        rows.merge(&mut transaction, &self.database).await?;
        transaction.commit().await?;
        Ok(taken)
    }

    /// Leaves out functions whose days have as many rows as a day may have.
    async fn leave_out_too_many(&self, transaction: &mut EitherTransaction, span: Span, rows: &mut Rows) -> sqlx::Result<()> {
        for day in rows.starts() {
            let count = "SELECT COUNT(*) FROM stats WHERE span = $1 AND start_min = $2";
            let there: Vec<(i64,)> = transaction.fetch(count, vec![(span as i64).into(), day.into()]).await?;
            if there.first().is_some_and(|(count,)| *count >= MAX_A_DAY) {
                rows.retain(|slot| slot.minute != day || slot.function == ALL);
            }
        }
        Ok(())
    }
}

/// Removes the oldest rows of a span, and returns them.
fn take(span: Span, before: i64) -> String {
    let (key, span) = (columns!(stats_key), span as i64);
    format!(
        "DELETE FROM stats
         WHERE ({key}) IN (SELECT {key} FROM stats WHERE span = {span} AND start_min < {before} ORDER BY {key} LIMIT {SLICE})
         RETURNING {}",
        columns!(stats)
    )
}
