//! Writes of concurrent callers go to the database in one transaction, which is made durable once for all of them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    transaction::{KvTransaction, NamespaceLock, SLICE},
    write::{KvFailure, KvWrite, WriteOutcome},
};
use crate::{
    capability::kv::KvError,
    function::grants::kv::Namespace,
    store::{Store, StoreError, executions::signed, gather::Caller},
};

/// What is said of a failure.
const WHAT: &str = "write to the key-value store";

/// A write, and who waits for it.
pub type WriteCaller = Caller<KvWrite, Result<WriteOutcome, KvFailure>>;

impl Store {
    /// Writes, and returns when it is on the disk. If the future is dropped before its transaction begins, nothing is written.
    pub async fn kv_write(&self, write: KvWrite) -> Result<WriteOutcome, KvFailure> {
        let outcome = self.kv.writes.ask(write, || drop(tokio::spawn(write_groups(self.clone())))).await;
        outcome.unwrap_or_else(|| Err(StoreError::query(WHAT)(sqlx::Error::PoolClosed).into()))
    }

    /// Does one transaction. The order of writes to one key is that in which they came.
    async fn write_group(&self, group: &[KvWrite]) -> sqlx::Result<Vec<Result<WriteOutcome, KvError>>> {
        let mut namespaces: BTreeMap<&Namespace, Vec<usize>> = BTreeMap::new();
        for (at, write) in group.iter().enumerate() {
            namespaces.entry(&write.namespace).or_default().push(at);
        }
        let mut transaction = KvTransaction::begin(&self.database).await?;
        let mut outcomes: Vec<Result<WriteOutcome, KvError>> = vec![Ok(WriteOutcome::default()); group.len()];
        for (namespace, places) in namespaces {
            let writes: Vec<&KvWrite> = places.iter().map(|at| &group[*at]).collect();
            let mut taken = transaction.take(namespace, writes.len()).await?;
            make_room(&mut transaction, &mut taken, &writes).await?;
            let mut keys: Vec<&str> = writes.iter().map(|write| write.key.as_str()).collect();
            keys.sort_unstable();
            keys.dedup();
            let mut ledger = transaction.open(taken, &keys).await?;
            for (at, write) in places.iter().zip(writes) {
                outcomes[*at] = ledger.apply(write);
            }
            transaction.save(&ledger).await?;
        }
        for (write, outcome) in group.iter().zip(&outcomes) {
            if let (Some(record), Ok(WriteOutcome { is_done: true, .. })) = (&write.record, outcome) {
                transaction.record(record).await?;
            }
        }
        transaction.commit().await?;
        Ok(outcomes)
    }

    /// Does a group, and a write alone if the database refuses the group for what one of them holds.
    async fn write_and_answer(&self, group: Vec<WriteCaller>) {
        let (writes, answers): (Vec<KvWrite>, Vec<_>) = group.into_iter().map(|caller| (caller.question, caller.answer)).unzip();
        match self.write_group(&writes).await.map_err(StoreError::query(WHAT)) {
            Ok(outcomes) => {
                if writes.iter().any(KvWrite::has_end) {
                    self.kv.has_ends.notify_one();
                }
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    let _ = answer.send(outcome.map_err(KvFailure::from));
                }
            }
            Err(refusal) if writes.len() > 1 && !refusal.is_outage() => {
                for (write, answer) in writes.into_iter().zip(answers) {
                    Box::pin(self.write_and_answer(vec![Caller { question: write, answer }])).await;
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for answer in answers {
                    let _ = answer.send(Err(KvFailure::Store(error.clone())));
                }
            }
        }
    }
}

/// Writes what waits, group by group, until nothing does.
async fn write_groups(store: Store) {
    while let Some(group) = store.kv.writes.next_group() {
        store.write_and_answer(group).await;
    }
}

/// Removes rows whose time is over from a namespace that may become full, as many as may be needed.
async fn make_room(transaction: &mut KvTransaction<'_>, taken: &mut NamespaceLock, writes: &[&KvWrite]) -> sqlx::Result<()> {
    let bytes: i64 = writes.iter().map(|write| write.most_bytes()).sum();
    let Some(limits) = writes.first().map(|write| write.limits) else { return Ok(()) };
    let now_us = writes.iter().map(|write| write.now_us).min().unwrap_or_default();
    let is_tight = |taken: &NamespaceLock| {
        taken.size.keys + writes.len() as i64 > signed(limits.max_keys) || taken.size.bytes + bytes > signed(limits.max_bytes)
    };
    while is_tight(taken) && transaction.remove_ended(taken, now_us).await? == SLICE {}
    Ok(())
}
