//! Deployments, versions and the contents of files: written in one transaction, read back whole.
//!
//! A live deployment keeps only what it changed against the live one before it; a tree is the newest row of every path.

use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned, de::IntoDeserializer};
use sqlx::FromRow;

use super::{Database, Store, StoreError, read};
use crate::{
    deployment::{Changes, Deployment, DeploymentId, DeploymentStatus, FunctionChange},
    function::{Content, Digest, FilePath, FunctionName, Revision, Tree, Version},
};

/// A version of a function and the deployment that made it live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionVersion {
    /// Which function.
    pub function: FunctionName,
    /// Its content.
    pub version: Version,
    /// What made it live, and when.
    pub deployment: DeploymentId,
}

/// One open transaction that may write.
enum Transaction {
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>),
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
                sqlx::query(concat!($insert, " FROM json_each($1) WHERE true ON CONFLICT DO NOTHING"))
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
                "INSERT INTO deployments (id, revision, cause, author, status, diagnostics, functions, took_us)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
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
        match transaction {
            Transaction::Postgres(transaction) => transaction.commit().await,
            Transaction::Sqlite(transaction) => transaction.commit().await,
        }
        .map_err(StoreError::query("record a deployment"))
    }

    /// Returns the last deployment that went live, and its whole tree.
    pub async fn live(&self) -> Result<Option<(Deployment, Tree)>, StoreError> {
        let rows: Vec<DeploymentRow> = read!(self, pool => sqlx::query_as(
            "SELECT id, revision, cause, author, status, diagnostics, functions, took_us
             FROM deployments
             WHERE status = 'live'
             ORDER BY id DESC
             LIMIT 1",
        )
        .fetch_all(pool))
        .map_err(StoreError::query("read the live deployment"))?;
        let Some(deployment) = self.with_changes(rows).await?.pop() else { return Ok(None) };
        let tree = self.tree_at(deployment.id).await?;
        Ok(Some((deployment, tree)))
    }

    /// Returns the tree that was live after this deployment, or none if there is no such deployment.
    pub async fn tree_of(&self, id: DeploymentId) -> Result<Option<Tree>, StoreError> {
        let known: Option<i64> =
            read!(self, pool => sqlx::query_scalar("SELECT id FROM deployments WHERE id = $1").bind(id.0).fetch_optional(pool))
                .map_err(StoreError::query("read a deployment"))?;
        match known {
            Some(_) => self.tree_at(id).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns deployments, newest first, older than `before` if that is given.
    pub async fn deployments(&self, limit: u32, before: Option<DeploymentId>) -> Result<Vec<Deployment>, StoreError> {
        let newest = before.map_or(i64::MAX, |before| before.0 - 1);
        self.deployments_in(0..=newest, limit).await
    }

    /// Returns one deployment.
    pub async fn deployment(&self, id: DeploymentId) -> Result<Option<Deployment>, StoreError> {
        Ok(self.deployments_in(id.0..=id.0, 1).await?.pop())
    }

    /// Returns the newest deployment, live or rejected.
    pub async fn last_deployment(&self) -> Result<Option<Deployment>, StoreError> {
        Ok(self.deployments(1, None).await?.pop())
    }

    /// Returns what is live, by name.
    pub async fn live_functions(&self) -> Result<Vec<FunctionVersion>, StoreError> {
        let rows: Vec<FunctionVersionRow> = read!(self, pool => sqlx::query_as(
            "SELECT function, to_version AS version, deployment
             FROM (SELECT function, MAX(deployment) AS deployment FROM deployment_functions GROUP BY function) AS latest
             JOIN deployment_functions USING (function, deployment)
             WHERE to_version IS NOT NULL",
        )
        .fetch_all(pool))
        .map_err(StoreError::query("read the live functions"))?;
        let mut functions = rows.into_iter().map(FunctionVersion::try_from).collect::<Result<Vec<_>, _>>()?;
        // Here and not in SQL: databases may sort texts by a language's rules.
        functions.sort_unstable_by(|a, b| a.function.cmp(&b.function));
        Ok(functions)
    }

    /// Returns when which version of a function went live, newest first.
    pub async fn versions_of(&self, function: &FunctionName) -> Result<Vec<FunctionVersion>, StoreError> {
        let rows: Vec<FunctionVersionRow> = read!(self, pool => sqlx::query_as(
            "SELECT function, to_version AS version, deployment
             FROM deployment_functions
             WHERE function = $1 AND to_version IS NOT NULL
             ORDER BY deployment DESC",
        )
        .bind(function.as_str())
        .fetch_all(pool))
        .map_err(StoreError::query("read the versions of a function"))?;
        rows.into_iter().map(FunctionVersion::try_from).collect()
    }

    /// Returns the files of a version: the function's own, its guards and its imports.
    pub async fn version_files(&self, version: Version) -> Result<Option<Tree>, StoreError> {
        let files: Option<String> = read!(self, pool => sqlx::query_scalar("SELECT files FROM versions WHERE version = $1 LIMIT 1")
            .bind(version.to_string())
            .fetch_optional(pool))
        .map_err(StoreError::query("read a version"))?;
        let Some(files) = files else { return Ok(None) };
        let files: BTreeMap<FilePath, Digest> =
            serde_json::from_str(&files).map_err(|error| StoreError::bad_row("versions", version, error))?;
        let digests = json(&files.values().collect::<Vec<_>>());
        let contents: Vec<(String, Vec<u8>)> = match &self.database {
            Database::Postgres(pool) => {
                sqlx::query_as(
                    "SELECT digest, bytes FROM contents
                 WHERE digest IN (SELECT value FROM json_array_elements_text(CAST($1 AS json)) AS value)",
                )
                .bind(digests)
                .fetch_all(pool)
                .await
            }
            Database::Sqlite { readers, .. } => {
                sqlx::query_as("SELECT digest, bytes FROM contents WHERE digest IN (SELECT value FROM json_each($1))")
                    .bind(digests)
                    .fetch_all(readers)
                    .await
            }
        }
        .map_err(StoreError::query("read the files of a version"))?;
        let contents = contents.into_iter().map(|(digest, bytes)| content(&digest, bytes)).collect::<Result<Vec<_>, _>>()?;
        let contents: HashMap<Digest, Content> = contents.into_iter().map(|content| (content.digest, content)).collect();
        let file = |(path, digest): (FilePath, Digest)| match contents.get(&digest) {
            Some(content) => Ok((path, content.clone())),
            None => Err(StoreError::bad_row("versions", version, format!("the content of `{path}` is missing"))),
        };
        files.into_iter().map(file).collect::<Result<Tree, _>>().map(Some)
    }

    async fn begin(&self) -> Result<Transaction, StoreError> {
        match &self.database {
            Database::Postgres(pool) => pool.begin().await.map(Transaction::Postgres),
            // A deferred transaction that reads first fails at once when another process has written meanwhile.
            Database::Sqlite { writer, .. } => writer.begin_with("BEGIN IMMEDIATE").await.map(Transaction::Sqlite),
        }
        .map_err(StoreError::query("record a deployment"))
    }

    async fn tree_at(&self, id: DeploymentId) -> Result<Tree, StoreError> {
        let rows: Vec<(String, String, Vec<u8>)> = read!(self, pool => sqlx::query_as(
            "SELECT path, digest, bytes
             FROM (SELECT path, MAX(deployment) AS deployment FROM deployment_files WHERE deployment <= $1 GROUP BY path) AS latest
             JOIN deployment_files USING (path, deployment)
             JOIN contents USING (digest)",
        )
        .bind(id.0)
        .fetch_all(pool))
        .map_err(StoreError::query("read the files of a deployment"))?;
        rows.into_iter().map(|(path, digest, bytes)| Ok((path.into(), content(&digest, bytes)?))).collect()
    }

    async fn deployments_in(&self, ids: RangeInclusive<i64>, limit: u32) -> Result<Vec<Deployment>, StoreError> {
        let rows: Vec<DeploymentRow> = read!(self, pool => sqlx::query_as(
            "SELECT id, revision, cause, author, status, diagnostics, functions, took_us
             FROM deployments
             WHERE id BETWEEN $1 AND $2
             ORDER BY id DESC
             LIMIT $3",
        )
        .bind(*ids.start())
        .bind(*ids.end())
        .bind(i64::from(limit))
        .fetch_all(pool))
        .map_err(StoreError::query("read deployments"))?;
        self.with_changes(rows).await
    }

    /// Turns rows, newest first, into deployments with what each of them changed.
    async fn with_changes(&self, rows: Vec<DeploymentRow>) -> Result<Vec<Deployment>, StoreError> {
        let (Some(newest), Some(oldest)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
        let changes: Vec<ChangeRow> = read!(self, pool => sqlx::query_as(
            "SELECT deployment, function, from_version, to_version
             FROM deployment_functions
             WHERE deployment BETWEEN $1 AND $2",
        )
        .bind(oldest.id)
        .bind(newest.id)
        .fetch_all(pool))
        .map_err(StoreError::query("read what deployments changed"))?;
        let mut by_deployment: HashMap<i64, Vec<FunctionChange>> = HashMap::new();
        for row in changes {
            by_deployment.entry(row.deployment).or_default().push(row.try_into()?);
        }
        let whole = |row: DeploymentRow| {
            let mut changes = by_deployment.remove(&row.id).unwrap_or_default();
            changes.sort_unstable_by(|a, b| a.function.cmp(&b.function));
            row.into_deployment(changes)
        };
        rows.into_iter().map(whole).collect()
    }
}

async fn record_contents(transaction: &mut Transaction, changes: &Changes) -> Result<(), StoreError> {
    let of_files = changes.files.values().flatten();
    let of_functions = changes.functions.iter().flat_map(|function| function.files.iter().map(|(_, content)| content));
    let contents: BTreeMap<Digest, &Content> = of_files.chain(of_functions).map(|content| (content.digest, content)).collect();
    let mut contents = contents.into_values().peekable();
    while contents.peek().is_some() {
        // JSON has no bytes, so all go in one blob beside it, each named by its first byte (from 1) and its length.
        let (mut rows, mut bytes) = (Vec::new(), Vec::new());
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

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data with text keys always is JSON")
}

/// Returns the word by which a fieldless enum goes in JSON.
fn word(value: &impl Serialize) -> String {
    json(value).trim_matches('"').into()
}

fn parse_word<T: DeserializeOwned>(word: &str) -> Result<T, serde::de::value::Error> {
    T::deserialize(word.into_deserializer())
}

fn content(digest: &str, bytes: Vec<u8>) -> Result<Content, StoreError> {
    let digest = digest.parse().map_err(|error| StoreError::bad_row("contents", digest, error))?;
    Ok(Content { digest, bytes: bytes.into() })
}

#[derive(FromRow)]
struct DeploymentRow {
    id: i64,
    revision: String,
    cause: String,
    author: Option<String>,
    status: String,
    diagnostics: String,
    functions: i64,
    took_us: i64,
}

impl DeploymentRow {
    fn into_deployment(self, changes: Vec<FunctionChange>) -> Result<Deployment, StoreError> {
        let id = DeploymentId(self.id);
        let bad = |reason: &dyn ToString| StoreError::bad_row("deployments", id, reason.to_string());
        Ok(Deployment {
            id,
            revision: Revision(self.revision),
            cause: parse_word(&self.cause).map_err(|error| bad(&error))?,
            by: self.author,
            status: parse_word::<DeploymentStatus>(&self.status).map_err(|error| bad(&error))?,
            diagnostics: serde_json::from_str(&self.diagnostics).map_err(|error| bad(&error))?,
            changes,
            functions: u32::try_from(self.functions).map_err(|error| bad(&error))?,
            took_us: self.took_us,
        })
    }
}

#[derive(FromRow)]
struct ChangeRow {
    deployment: i64,
    function: String,
    from_version: Option<String>,
    to_version: Option<String>,
}

impl TryFrom<ChangeRow> for FunctionChange {
    type Error = StoreError;

    fn try_from(row: ChangeRow) -> Result<Self, StoreError> {
        let version = |text: Option<String>| {
            text.map(|text| text.parse()).transpose().map_err(|error| StoreError::bad_row("deployment_functions", &row.function, error))
        };
        Ok(Self { from: version(row.from_version)?, to: version(row.to_version)?, function: FunctionName::new(row.function.as_str()) })
    }
}

#[derive(FromRow)]
struct FunctionVersionRow {
    function: String,
    version: String,
    deployment: i64,
}

impl TryFrom<FunctionVersionRow> for FunctionVersion {
    type Error = StoreError;

    fn try_from(row: FunctionVersionRow) -> Result<Self, StoreError> {
        let version = row.version.parse().map_err(|error| StoreError::bad_row("deployment_functions", &row.function, error))?;
        Ok(Self { function: FunctionName::new(row.function), version, deployment: DeploymentId(row.deployment) })
    }
}
