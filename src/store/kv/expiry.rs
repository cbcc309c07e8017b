//! Removes rows whose time is over. Nobody sees them any more, so there is no hurry.

use super::transaction::{KvTransaction, SLICE};
use crate::{
    function::grants::kv::Namespace,
    store::{Store, StoreError, database::read},
};

impl Store {
    /// Removes what was over at this time (microseconds since 1970), and returns how many rows that were.
    pub async fn kv_remove_ended(&self, now_us: i64) -> Result<u64, StoreError> {
        let mut removed = 0;
        for (namespace, end_us) in self.first_ends().await? {
            let mut may_have_more = end_us.is_some_and(|end_us| end_us <= now_us);
            // SQLite has one writer at a time, so others write between the slices.
            while may_have_more {
                let count = self.remove_slice(&namespace, now_us).await.map_err(StoreError::query("remove keys whose time is over"))?;
                removed += count.unsigned_abs();
                may_have_more = count == SLICE;
            }
        }
        Ok(removed)
    }

    /// Returns when the next key's time is over, or was, in microseconds since 1970.
    pub(in crate::store) async fn kv_next_end(&self) -> Result<Option<i64>, StoreError> {
        Ok(self.first_ends().await?.into_iter().filter_map(|(_, end_us)| end_us).min())
    }

    /// Returns the first end in each namespace.
    async fn first_ends(&self) -> Result<Vec<(Namespace, Option<i64>)>, StoreError> {
        let rows: Vec<(String, Option<i64>)> = read!(self, pool => sqlx::query_as(
            "SELECT namespace, (
                 SELECT expires_us FROM kv
                 WHERE kv.namespace = kv_namespaces.namespace AND expires_us IS NOT NULL
                 ORDER BY expires_us LIMIT 1
             )
             FROM kv_namespaces",
        )
        .fetch_all(pool))
        .map_err(StoreError::query("look for keys whose time is over"))?;
        let parsed = |(name, end_us): (String, Option<i64>)| match name.parse() {
            Ok(namespace) => Ok((namespace, end_us)),
            Err(error) => Err(StoreError::bad_row("kv_namespaces", name, error)),
        };
        rows.into_iter().map(parsed).collect()
    }

    async fn remove_slice(&self, namespace: &Namespace, now_us: i64) -> sqlx::Result<i64> {
        let mut transaction = KvTransaction::begin(&self.database).await?;
        let mut taken = transaction.take(namespace, 0).await?;
        let removed = transaction.remove_ended(&mut taken, now_us).await?;
        transaction.commit().await?;
        Ok(removed)
    }
}
