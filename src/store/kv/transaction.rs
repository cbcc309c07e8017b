//! A transaction over namespaces, on either database.
//!
//! It changes the row of a namespace before it reads or writes any other. So whoever writes to the same namespace waits, in whatever process,
//! and the counts of keys and bytes are true. Namespaces are taken in the order of their names, so that no two wait for each other.

use std::collections::BTreeMap;

use super::{
    ledger::{KeyRow, Ledger, Size},
    write::LONGEST_NUMBER,
};
use crate::{
    audit::Record,
    capability::kv::Key,
    function::grants::kv::Namespace,
    store::{
        audit,
        batch::{Parameter, json},
        columns::columns,
        database::Database,
        transaction::EitherTransaction,
    },
};

/// Rows that one statement removes because their time is over.
pub const SLICE: i64 = 500;

/// A transaction that is on the disk when it has ended.
pub struct KvTransaction<'a> {
    database: &'a Database,
    transaction: EitherTransaction,
}

/// A namespace that is this transaction's until its end.
pub struct NamespaceLock {
    pub namespace: Namespace,
    pub size: Size,
    /// The last version before those that were reserved.
    last_version: i64,
}

impl<'a> KvTransaction<'a> {
    /// Begins it.
    pub async fn begin(database: &'a Database) -> sqlx::Result<Self> {
        Ok(Self { database, transaction: EitherTransaction::begin(database).await? })
    }

    /// Takes a namespace, and reserves versions for so many writes.
    pub async fn take(&mut self, namespace: &Namespace, writes: usize) -> sqlx::Result<NamespaceLock> {
        const TAKE: &str = concat!(
            "INSERT INTO kv_namespaces (",
            columns!(kv_namespaces),
            ") VALUES ($1, 0, 0, $2)
             ON CONFLICT (namespace) DO UPDATE SET version = kv_namespaces.version + $2
             RETURNING keys, bytes, version"
        );
        let rows: Vec<(i64, i64, i64)> = self.transaction.fetch(TAKE, vec![text(namespace.as_str()), (writes as i64).into()]).await?;
        let (keys, bytes, last) = rows.into_iter().next().ok_or(sqlx::Error::RowNotFound)?;
        Ok(NamespaceLock { namespace: namespace.clone(), size: Size { keys, bytes }, last_version: last - writes as i64 })
    }

    /// Removes some of the rows of a namespace whose time is over. Returns how many.
    pub async fn remove_ended(&mut self, taken: &mut NamespaceLock, now_us: i64) -> sqlx::Result<i64> {
        const REMOVE: &str = "
            DELETE FROM kv
            WHERE namespace = $1
                AND key IN (SELECT key FROM kv WHERE namespace = $1 AND expires_us <= $2 ORDER BY expires_us LIMIT $3)
            RETURNING CAST(octet_length(key) + octet_length(value) AS bigint)";
        let parameters = vec![text(taken.namespace.as_str()), now_us.into(), SLICE.into()];
        let removed: Vec<(i64,)> = self.transaction.fetch(REMOVE, parameters).await?;
        let count = removed.len() as i64;
        if count > 0 {
            taken.size.keys -= count;
            taken.size.bytes -= removed.into_iter().map(|(bytes,)| bytes).sum::<i64>();
            self.set_size(&taken.namespace, taken.size).await?;
        }
        Ok(count)
    }

    /// Reads the rows of these keys.
    pub async fn open(&mut self, taken: NamespaceLock, keys: &[&str]) -> sqlx::Result<Ledger> {
        // Of a value only a number is needed, and the others may be large.
        let sql = format!(
            "SELECT key, CAST(octet_length(value) AS bigint), version, expires_us,
                 CASE WHEN octet_length(value) <= {LONGEST_NUMBER} THEN value END
             FROM kv WHERE namespace = $2 AND key IN ({})",
            self.database.texts_of_json()
        );
        let rows: Vec<LoadedRow> = self.transaction.fetch(sql, vec![json(&keys).into(), text(taken.namespace.as_str())]).await?;
        let kept = |(key, bytes, version, expires_us, short): LoadedRow| {
            let number = short.and_then(|short| short.parse().ok());
            let key: Key = key.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok((key, KeyRow { bytes, number, version, expires_us, value: None }))
        };
        let rows = rows.into_iter().map(kept).collect::<sqlx::Result<BTreeMap<Key, KeyRow>>>()?;
        Ok(Ledger::new(taken.namespace, taken.size, taken.last_version, rows))
    }

    /// Writes what has changed.
    pub async fn save(&mut self, ledger: &Ledger) -> sqlx::Result<()> {
        let namespace = ledger.namespace().as_str();
        let (written, removed) = (ledger.written(), ledger.removed());
        if !written.is_empty() {
            let sql = format!(
                "INSERT INTO kv ({})
                 SELECT $2, value->>0, value->>1, CAST(value->>2 AS bigint), CAST(value->>3 AS bigint) FROM {}
                 ON CONFLICT (namespace, key) DO UPDATE
                 SET value = excluded.value, version = excluded.version, expires_us = excluded.expires_us",
                columns!(kv),
                self.database.rows_of_json()
            );
            self.transaction.fetch::<()>(sql, vec![json(&written).into(), text(namespace)]).await?;
        }
        if !removed.is_empty() {
            let sql = format!("DELETE FROM kv WHERE namespace = $2 AND key IN ({})", self.database.texts_of_json());
            self.transaction.fetch::<()>(sql, vec![json(&removed).into(), text(namespace)]).await?;
        }
        match ledger.new_size() {
            Some(size) => self.set_size(ledger.namespace(), size).await,
            None => Ok(()),
        }
    }

    /// Writes an entry of the audit log.
    pub async fn record(&mut self, record: &Record) -> sqlx::Result<()> {
        self.transaction.fetch::<()>(audit::INSERT, audit::values(record)).await.map(drop)
    }

    /// Keeps the changes.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.transaction.commit().await
    }

    async fn set_size(&mut self, namespace: &Namespace, size: Size) -> sqlx::Result<()> {
        const SET: &str = "UPDATE kv_namespaces SET keys = $2, bytes = $3 WHERE namespace = $1";
        self.transaction.fetch::<()>(SET, vec![text(namespace.as_str()), size.keys.into(), size.bytes.into()]).await.map(drop)
    }
}

/// Key, bytes of the value, version, end, and the value if it is short.
type LoadedRow = (String, i64, i64, Option<i64>, Option<String>);

fn text(text: &str) -> Parameter {
    text.to_owned().into()
}
