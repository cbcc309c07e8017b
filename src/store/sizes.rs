//! How many bytes of executions there are, without reading them: a row for each minute or so says what was added in that time. Retention walks
//! over these rows, from the newest, to find where the executions begin that there is room for.
//!
//! It is an estimate. An execution counts for its texts (path, method, request id, logs, failure), for its kept request, and for
//! [`ROW_BYTES`]. Databases compress, fill pages in part, and use the room of what was removed again.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::{
    Store, StoreError,
    database::{change, read},
    limited::LONG_LIMIT,
};

/// What a row takes beside its texts, with its entries in two indexes.
pub(super) const ROW_BYTES: i64 = 160;
/// An id begins with its time, so ids of 2^37 following ones are of the same 67 seconds. Statements and migrations have this number, too.
const BUCKET_BITS: u32 = 37;

/// Adds to a bucket, in SQLite.
pub(super) const ADD: &str = "INSERT INTO execution_sizes (bucket, bytes, rows) VALUES (?, ?, ?)
    ON CONFLICT (bucket) DO UPDATE SET bytes = bytes + excluded.bytes, rows = rows + excluded.rows";

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
    /// Counts rows (ids and bytes) of which so many were new. Which of them is not known, so each counts for its part.
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

/// The newest bucket that there is no room for, or not for all of it.
#[derive(FromRow)]
struct Beyond {
    bucket: i64,
    bytes: i64,
    rows: i64,
    /// Bytes of this bucket and of every newer one.
    total: i64,
}

impl Store {
    /// Returns the lowest id of the newest executions that take no more bytes than these together; none if all do.
    pub(super) async fn first_within(&self, max_bytes: i64) -> Result<Option<i64>, StoreError> {
        let beyond: Option<Beyond> = read!(self, pool => sqlx::query_as(
            "SELECT bucket, bytes, rows, total
             FROM (SELECT bucket, bytes, rows, CAST(SUM(bytes) OVER (ORDER BY bucket DESC) AS bigint) AS total FROM execution_sizes) AS sizes
             WHERE total > $1
             ORDER BY bucket DESC
             LIMIT 1",
        )
        .bind(max_bytes)
        .fetch_optional(pool))
        .map_err(StoreError::query("add up the sizes of executions"))?;
        let Some(Beyond { bucket, bytes, rows, total }) = beyond else { return Ok(None) };
        let end = (bucket + 1) << BUCKET_BITS;
        // Within a bucket each is taken to be as large as the others.
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

    /// Forgets the sizes of what is before this id. Of the bucket that it lies in, what is left counts for its part.
    pub(super) async fn forget_sizes(&self, before: i64) -> Result<(), StoreError> {
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
    pub(super) async fn remove(&self, sql: &'static str, values: &[i64]) -> Result<u64, StoreError> {
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
