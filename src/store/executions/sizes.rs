//! The bytes that executions take, without reading them: one row for each bucket of about a minute.
//!
//! Retention walks over these rows from the newest, and finds the oldest execution that there is room for.
//!
//! The bytes are an estimate. An execution counts for its texts (path, method, request id, logs, failure), for its kept request, and for
//! [`ROW_BYTES`]. A database also compresses, fills pages in part, and uses freed room again.

use std::collections::BTreeMap;

use sqlx::FromRow;

use crate::store::{
    Store, StoreError,
    columns::columns,
    database::{change, read},
    pool::LONG_LIMIT,
};

/// The bytes of a row without its texts, with its entries in two indexes.
pub(super) const ROW_BYTES: i64 = 160;
/// The low bits of an id that a bucket leaves out. An id begins with its time, so a bucket has the ids of 67 seconds.
///
/// Statements and migrations have this number, too.
const BUCKET_BITS: u32 = 37;

/// Adds to a bucket, in SQLite.
pub(super) const ADD: &str = concat!(
    "INSERT INTO execution_sizes (",
    columns!(execution_sizes),
    ") VALUES (?, ?, ?)
     ON CONFLICT (bucket) DO UPDATE SET bytes = bytes + excluded.bytes, rows = rows + excluded.rows"
);

/// What was added to one bucket.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub bytes: i64,
    pub rows: i64,
}

/// What was added, by bucket.
#[derive(Debug, Default)]
pub(super) struct Sizes(BTreeMap<i64, Size>);

impl Sizes {
    /// Counts rows (ids and bytes), of which `added` were new. It is not known which ones, so the first bucket gets their share of the bytes.
    pub(super) fn add(&mut self, rows: &[(i64, i64)], added: u64) {
        let (all, added) = (rows.len() as i64, added as i64);
        if all == added {
            return rows.iter().for_each(|(id, bytes)| self.count(*id, *bytes, 1));
        }
        let Some((first, _)) = rows.first().filter(|_| added > 0) else { return };
        self.count(*first, rows.iter().map(|(_, bytes)| bytes).sum::<i64>() * added / all, added);
    }

    /// Counts the request of an execution, if it was new.
    pub(super) fn add_capture(&mut self, id: i64, bytes: i64, added: u64) {
        if added > 0 {
            self.count(id, bytes, 0);
        }
    }

    fn count(&mut self, id: i64, bytes: i64, rows: i64) {
        let size = self.0.entry(id >> BUCKET_BITS).or_default();
        size.bytes += bytes;
        size.rows += rows;
    }

    pub(super) fn buckets(self) -> impl Iterator<Item = (i64, Size)> {
        self.0.into_iter()
    }
}

/// The newest bucket that does not fit, or fits in part only.
#[derive(FromRow)]
struct Overflow {
    bucket: i64,
    bytes: i64,
    rows: i64,
    /// Bytes of this bucket and of every newer one.
    total: i64,
}

impl Store {
    /// Returns the lowest id of the newest executions that together take at most `max_bytes`. Returns none if all executions fit.
    pub(in crate::store) async fn first_within(&self, max_bytes: i64) -> Result<Option<i64>, StoreError> {
        let too_many: Option<Overflow> = read!(self, pool => sqlx::query_as(
            "SELECT *
             FROM (SELECT *, CAST(SUM(bytes) OVER (ORDER BY bucket DESC) AS bigint) AS total FROM execution_sizes) AS sizes
             WHERE total > $1
             ORDER BY bucket DESC
             LIMIT 1",
        )
        .bind(max_bytes)
        .fetch_optional(pool))
        .map_err(StoreError::query("add up the sizes of executions"))?;
        let Some(Overflow { bucket, bytes, rows, total }) = too_many else { return Ok(None) };
        let end = (bucket + 1) << BUCKET_BITS;
        // Within a bucket, all executions count as equally large.
        let room = (max_bytes - (total - bytes)).max(0);
        let kept = (i128::from(rows) * i128::from(room) / i128::from(bytes.max(1))) as i64;
        let last: Option<i64> = read!(self, pool => sqlx::query_scalar(
            "SELECT id FROM executions WHERE id < $1 ORDER BY id DESC LIMIT 1 OFFSET $2",
        )
        .bind(end)
        .bind(kept)
        .fetch_optional(pool))
        .map_err(StoreError::query("find the executions that there is room for"))?;
        Ok(last.map(|last| last + 1))
    }

    /// Forgets the sizes of executions before this id. The bucket of the id keeps a share of its bytes, by the number of its rows that are left.
    pub(in crate::store) async fn forget_sizes(&self, before: i64) -> Result<(), StoreError> {
        let bucket = before >> BUCKET_BITS;
        let (start, end) = (bucket << BUCKET_BITS, bucket.saturating_add(1) << BUCKET_BITS);
        let left: i64 = read!(self, pool => sqlx::query_scalar("SELECT COUNT(*) FROM executions WHERE id >= $1 AND id < $2")
                .bind(start)
                .bind(end)
                .fetch_one(pool))
        .map_err(StoreError::query("count the executions of a minute"))?;
        self.remove("DELETE FROM execution_sizes WHERE bucket < $1", &[bucket]).await?;
        let shrink = "UPDATE execution_sizes SET bytes = bytes * $2 / rows, rows = $2 WHERE bucket = $1 AND rows > $2";
        self.remove(shrink, &[bucket, left]).await.map(drop)
    }

    /// Runs a statement that removes or changes many rows, and returns how many.
    pub(in crate::store) async fn remove(&self, sql: &'static str, values: &[i64]) -> Result<u64, StoreError> {
        change!(self, pool => async {
            let mut transaction = pool.begin(LONG_LIMIT).await?;
            let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind(*value));
            let removed = transaction.execute(query).await?.rows_affected();
            transaction.commit().await.map(|()| removed)
        })
        .map_err(StoreError::query("remove old executions"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_already_does_not_count_twice() {
        let next = 1 << BUCKET_BITS;
        let mut sizes = Sizes::default();
        sizes.add(&[(1, 100), (2, 300), (next, 7)], 3);
        sizes.add(&[(3, 100), (4, 300)], 1);
        sizes.add(&[(5, 1_000)], 0);
        sizes.add_capture(6, 50, 1);
        sizes.add_capture(6, 50, 0);
        let found: Vec<_> = sizes.buckets().collect();
        assert_eq!(found, [(0, Size { bytes: 100 + 300 + 200 + 50, rows: 3 }), (1, Size { bytes: 7, rows: 1 })]);
    }
}
