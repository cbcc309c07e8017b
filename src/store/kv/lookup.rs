//! Reads of single keys. Those of concurrent callers are one statement. None sees what is over.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, FromRow};

use super::{read::EntryRow, write::KvFailure};
use crate::{
    capability::kv::{Entry, Key},
    function::grants::kv::Namespace,
    store::{
        Store, StoreError,
        batch::json,
        columns::columns,
        database::{Database, read_kv},
        gather::Caller,
    },
};

/// What is said of a failure.
const WHAT: &str = "read the key-value store";

/// What somebody wants to read.
pub struct Lookup {
    namespace: Namespace,
    key: Key,
    /// The time for whoever reads, in microseconds since 1970.
    now_us: i64,
}

impl Store {
    /// Returns what is kept under a key.
    pub async fn kv_get(&self, namespace: &Namespace, key: &Key, now_us: i64) -> Result<Option<Entry>, KvFailure> {
        let wanted = Lookup { namespace: namespace.clone(), key: key.clone(), now_us };
        let found = self.kv.reads.ask(wanted, || drop(tokio::spawn(read_groups(self.clone())))).await;
        found.unwrap_or_else(|| Err(StoreError::query(WHAT)(sqlx::Error::PoolClosed).into()))
    }

    /// The same on this thread, which must be one that may be held up by a disk. None: ask the other way.
    pub(super) fn kv_get_here(&self, namespace: &Namespace, key: &Key, now_us: i64) -> Option<Result<Option<Entry>, KvFailure>> {
        const GET: &str = concat!("SELECT ", columns!(kv_entry), " FROM kv WHERE namespace = ?1 AND key = ?2");
        let Database::Sqlite { kv_file: Some(file), .. } = &self.database else { return None };
        let row = file.row(GET, (namespace.as_str(), key.as_str()), |row| {
            Ok(EntryRow { value: row.get(0)?, version: row.get(1)?, expires_us: row.get(2)? })
        });
        Some(entry(row?, key, now_us))
    }

    /// Returns the rows of a group, each with the place of who wants it.
    async fn read_group(&self, wanted: &[(usize, &Namespace, &Key)]) -> sqlx::Result<Vec<FoundRow>> {
        // A cross join, so that SQLite looks for each key in turn.
        let sql = format!(
            "SELECT place, {} FROM (
                 SELECT CAST(value->>0 AS bigint) AS place, value->>1 AS wanted_namespace, value->>2 AS wanted_key FROM {}
             ) AS wanted CROSS JOIN kv WHERE namespace = wanted_namespace AND key = wanted_key",
            columns!(kv_entry),
            self.database.rows_of_json()
        );
        read_kv!(self, pool => sqlx::query_as(AssertSqlSafe(sql)).bind(json(&wanted)).fetch_all(pool))
    }
}

/// Reads what waits, group by group, until nothing does.
async fn read_groups(store: Store) {
    while let Some(group) = store.kv.reads.next_group() {
        let wanted: Vec<_> = group.iter().enumerate().map(|(at, caller)| (at, &caller.question.namespace, &caller.question.key)).collect();
        match store.read_group(&wanted).await.map_err(StoreError::query(WHAT)) {
            Ok(rows) => answer(group, rows),
            Err(error) => {
                let error = Arc::new(error);
                for caller in group {
                    let _ = caller.answer.send(Err(KvFailure::Store(error.clone())));
                }
            }
        }
    }
}

fn answer(group: Vec<Caller<Lookup, Result<Option<Entry>, KvFailure>>>, rows: Vec<FoundRow>) {
    let mut found: Vec<Option<EntryRow>> = group.iter().map(|_| None).collect();
    for FoundRow { place, entry } in rows {
        if let Some(place) = usize::try_from(place).ok().and_then(|place| found.get_mut(place)) {
            *place = Some(entry);
        }
    }
    for (Caller { question: Lookup { key, now_us, .. }, answer }, row) in group.into_iter().zip(found) {
        let _ = answer.send(entry(row, &key, now_us));
    }
}

/// Returns what a row holds, unless it is over.
fn entry(row: Option<EntryRow>, key: &Key, now_us: i64) -> Result<Option<Entry>, KvFailure> {
    let entry = row.map(|row| row.entry(key)).transpose()?;
    Ok(entry.filter(|entry| entry.expires_us.is_none_or(|end_us| end_us > now_us)))
}

#[derive(FromRow)]
struct FoundRow {
    place: i64,
    #[sqlx(flatten)]
    entry: EntryRow,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        capability::kv::{Set, Ttl},
        store::kv::{KvChange, KvLimits, KvWrite},
    };

    #[tokio::test]
    async fn both_ways_to_read_find_the_same() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open("sqlite", folder.path()).await.unwrap();
        let namespace: Namespace = "a".parse().unwrap();
        let ttl = Ttl::try_from(std::time::Duration::from_millis(5)).unwrap();
        for (key, ttl) in [("ends", Some(ttl)), ("stays", None), ("ä/%_", None)] {
            let set = Set { value: format!("{{\"of\":\"{key}\"}}").parse().unwrap(), ttl, if_version: None };
            let key = key.parse().unwrap();
            let write = KvWrite {
                namespace: namespace.clone(),
                key,
                change: KvChange::Set(set),
                now_us: 0,
                limits: KvLimits::default(),
                record: None,
            };
            assert!(store.kv_write(write).await.unwrap().is_done);
        }
        let keys = ["ends", "stays", "ä/%_", "none", "STAYS"].map(|key| key.parse::<Key>().unwrap());
        let mut found = 0;
        for now_us in [0, 4_999, 5_000] {
            let together = futures_util::future::join_all(keys.iter().map(|key| store.kv_get(&namespace, key, now_us))).await;
            for (key, other) in keys.iter().zip(together) {
                let here = store.kv_get_here(&namespace, key, now_us).unwrap().unwrap();
                assert_eq!(here, other.unwrap(), "{key} at {now_us}");
                found += usize::from(here.is_some());
            }
        }
        assert_eq!(found, 3 + 3 + 2);
        store.close().await;
        assert!(store.kv_get_here(&namespace, &keys[0], 0).is_none());
        assert!(!folder.path().join("picloud.db-wal").exists());
    }
}
