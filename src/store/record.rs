//! How a deployment gets into the tables: all of it, in one transaction, in few statements.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Database, Store, StoreError, connect::begin_sqlite, deployments::json};
use crate::{
    deployment::{Changes, Deployment, Following},
    function::{Content, Digest},
};

/// One open transaction that may write.
enum Transaction {
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
}

impl Transaction {
    async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(transaction) => transaction.commit().await,
            Self::Sqlite(transaction) => transaction.commit().await,
        }
        .map_err(StoreError::query("record a deployment"))
    }
}

/// Runs one statement in a transaction, and returns how many rows it wrote.
macro_rules! write {
    ($transaction:expr, $query:expr) => {
        match &mut $transaction {
            Transaction::Postgres(transaction) => $query.execute(&mut **transaction).await.map(|done| done.rows_affected()),
            Transaction::Sqlite(transaction) => $query.execute(&mut **transaction).await.map(|done| done.rows_affected()),
        }
        .map_err(StoreError::query("record a deployment"))
    };
}

/// Inserts many rows with one statement: `$1` is a JSON array with an array of texts for each row.
macro_rules! write_many {
    ($transaction:expr, $insert:literal, $rows:expr $(, $value:expr)*) => {{
        let rows = serde_json::to_string($rows).expect("texts and numbers always are JSON");
        match &mut $transaction {
            Transaction::Postgres(transaction) => {
                sqlx::query(concat!($insert, " FROM json_array_elements(CAST($1 AS json)) AS rows (value) ON CONFLICT DO NOTHING"))
                    .bind(rows)$(.bind($value))*.execute(&mut **transaction).await.map(|_| ())
            }
            Transaction::Sqlite(transaction) => {
                sqlx::query(concat!($insert, " FROM jsonb_each($1) WHERE true ON CONFLICT DO NOTHING"))
                    .bind(rows)$(.bind($value))*.execute(&mut **transaction).await.map(|_| ())
            }
        }
        .map_err(StoreError::query("record a deployment"))
    }};
}

/// Most bytes of contents in one statement.
const CONTENTS_SLICE: usize = 16 << 20;

impl Store {
    /// Records a deployment and everything that it brings, or nothing of it. A second time with the same id changes nothing.
    pub async fn record_deployment(&self, deployment: &Deployment, changes: &Changes) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let id = deployment.id.0;
        let written = write!(
            transaction,
            sqlx::query(
                "INSERT INTO deployments (id, revision, cause, author, status, diagnostics, functions, took_us, pushed_by, note)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                 ON CONFLICT (id) DO NOTHING",
            )
            .bind(id)
            .bind(&deployment.revision.0)
            .bind(word(&deployment.cause))
            .bind(&deployment.by)
            .bind(word(&deployment.status))
            .bind(json(&deployment.diagnostics))
            .bind(i64::from(deployment.functions))
            .bind(deployment.took_us)
            .bind(&deployment.pushed_by)
            .bind(&deployment.note)
        )?;
        if written == 0 {
            return Ok(());
        }
        record_contents(&mut transaction, changes).await?;
        record_versions(&mut transaction, id, changes).await?;
        let files: Vec<_> = changes.files.iter().map(|(path, content)| (path, content.as_ref().map(|content| content.digest))).collect();
        write_many!(transaction, "INSERT INTO deployment_files (deployment, path, digest) SELECT $2, value->>0, value->>1", &files, id)?;
        let functions: Vec<_> = deployment.changes.iter().map(|change| (&change.function, change.from, change.to)).collect();
        write_many!(
            transaction,
            "INSERT INTO deployment_functions (deployment, function, from_version, to_version)
             SELECT $2, value->>0, value->>1, value->>2",
            &functions,
            id
        )?;
        if let Some(following) = &changes.following {
            record_following(&mut transaction, following).await?;
        }
        transaction.commit().await
    }

    /// Remembers what an operator told about following the source.
    pub async fn set_following(&self, following: &Following) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        record_following(&mut transaction, following).await?;
        transaction.commit().await
    }

    async fn begin(&self) -> Result<Transaction, StoreError> {
        match &self.database {
            Database::Postgres(pool) => pool.begin().await.map(Transaction::Postgres),
            // A deferred transaction that reads first fails at once when another process has written meanwhile.
            Database::Sqlite { writer, .. } => begin_sqlite(writer).await.map(Transaction::Sqlite),
        }
        .map_err(StoreError::query("record a deployment"))
    }
}

async fn record_contents(transaction: &mut Transaction, changes: &Changes) -> Result<(), StoreError> {
    let of_files = changes.files.values().flatten();
    let of_functions = changes.functions.iter().flat_map(|function| function.files.iter().map(|(_, content)| content));
    let contents: BTreeMap<Digest, &Content> = of_files.chain(of_functions).map(|content| (content.digest, content)).collect();
    let mut contents = contents.into_values().peekable();
    while contents.peek().is_some() {
        // JSON has no bytes, so all go in one blob beside it, each named by its first byte (from 1) and its length. The blob begins with a byte
        // of nobody's: to SQLite a part of an empty one is NULL.
        let (mut rows, mut bytes) = (Vec::new(), vec![0]);
        while let Some(content) = contents.next_if(|_| bytes.len() < CONTENTS_SLICE) {
            rows.push((content.digest, bytes.len() + 1, content.bytes.len()));
            bytes.extend_from_slice(&content.bytes);
        }
        write_many!(
            *transaction,
            "INSERT INTO contents (digest, bytes)
             SELECT value->>0, substr($2, CAST(value->>1 AS INTEGER), CAST(value->>2 AS INTEGER))",
            &rows,
            bytes
        )?;
    }
    Ok(())
}

async fn record_following(transaction: &mut Transaction, following: &Following) -> Result<(), StoreError> {
    write!(
        *transaction,
        sqlx::query("INSERT INTO following (id, state) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET state = excluded.state")
            .bind(json(following))
    )
    .map(drop)
}

async fn record_versions(transaction: &mut Transaction, id: i64, changes: &Changes) -> Result<(), StoreError> {
    let rows: Vec<_> = (changes.functions.iter())
        .map(|function| {
            let files: BTreeMap<_, _> = function.files.iter().map(|(path, content)| (path, content.digest)).collect();
            (function.version, &function.name, function.script_id, json(&function.manifest), json(&files))
        })
        .collect();
    write_many!(
        *transaction,
        "INSERT INTO versions (first_deployment, version, function, script_id, manifest, files)
         SELECT $2, value->>0, value->>1, value->>2, value->>3, value->>4",
        &rows,
        id
    )
}

/// Returns the word by which a fieldless enum goes in JSON.
fn word(value: &impl Serialize) -> String {
    json(value).trim_matches('"').into()
}
