//! Deployments, versions and the contents of files, read back whole. `record` writes them.
//!
//! A live deployment keeps only what it changed against the live one before it; a tree is the newest row of every path.

use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned, de::IntoDeserializer};
use sqlx::{AssertSqlSafe, FromRow};

use super::{Store, StoreError, batch::json, database::read};
use crate::{
    deployment::{Deployment, DeploymentId, DeploymentStatus, Following, FunctionChange},
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

impl Store {
    /// Returns the last deployment that went live, and its whole tree.
    pub async fn live(&self) -> Result<Option<(Deployment, Tree)>, StoreError> {
        let Some(deployment) = self.live_deployment().await? else { return Ok(None) };
        let tree = self.tree_at(deployment.id).await?;
        Ok(Some((deployment, tree)))
    }

    /// Returns the last deployment that went live.
    pub async fn live_deployment(&self) -> Result<Option<Deployment>, StoreError> {
        let rows: Vec<DeploymentRow> = read!(self, pool => sqlx::query_as(
            "SELECT id, revision, cause, author, status, diagnostics, functions, took_us, pushed_by, note
             FROM deployments
             WHERE status = 'live'
             ORDER BY id DESC
             LIMIT 1",
        )
        .fetch_all(pool))
        .map_err(StoreError::query("read the live deployment"))?;
        Ok(self.with_changes(rows).await?.pop())
    }

    /// Returns the highest id of any deployment or execution: what is new must come after it.
    pub async fn last_id(&self) -> Result<Option<i64>, StoreError> {
        read!(self, pool => sqlx::query_scalar(
            "SELECT MAX(id) FROM (SELECT MAX(id) AS id FROM deployments UNION ALL SELECT MAX(id) FROM executions) AS last",
        )
        .fetch_one(pool))
        .map_err(StoreError::query("find the last id"))
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
        self.decisions(limit, before, None).await
    }

    /// The same; only those that were decided so, if that is given.
    pub async fn decisions(
        &self,
        limit: u32,
        before: Option<DeploymentId>,
        status: Option<DeploymentStatus>,
    ) -> Result<Vec<Deployment>, StoreError> {
        let newest = before.map_or(i64::MAX, |before| before.0 - 1);
        self.deployments_in(0..=newest, limit, status).await
    }

    /// Returns one deployment.
    pub async fn deployment(&self, id: DeploymentId) -> Result<Option<Deployment>, StoreError> {
        Ok(self.deployments_in(id.0..=id.0, 1, None).await?.pop())
    }

    /// Returns the newest deployment, live or rejected.
    pub async fn last_deployment(&self) -> Result<Option<Deployment>, StoreError> {
        Ok(self.deployments(1, None).await?.pop())
    }

    /// Returns the last deployment that went live before this one.
    pub async fn live_before(&self, id: DeploymentId) -> Result<Option<Deployment>, StoreError> {
        let rows: Vec<DeploymentRow> = read!(self, pool => sqlx::query_as(
            "SELECT id, revision, cause, author, status, diagnostics, functions, took_us, pushed_by, note
             FROM deployments
             WHERE id < $1 AND status = 'live'
             ORDER BY id DESC
             LIMIT 1",
        )
        .bind(id.0)
        .fetch_all(pool))
        .map_err(StoreError::query("find the live deployment before another"))?;
        Ok(self.with_changes(rows).await?.pop())
    }

    /// Returns what operators told about following the source.
    pub async fn following(&self) -> Result<Following, StoreError> {
        let state: Option<String> =
            read!(self, pool => sqlx::query_scalar("SELECT state FROM following WHERE id = 1").fetch_optional(pool))
                .map_err(StoreError::query("read how the source is followed"))?;
        let Some(state) = state else { return Ok(Following::default()) };
        serde_json::from_str(&state).map_err(|error| StoreError::bad_row("following", 1, error))
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
        let sql = format!("SELECT digest, bytes FROM contents WHERE digest IN ({})", self.database.texts_of_json());
        let sql = AssertSqlSafe(sql);
        let contents: Vec<(String, Vec<u8>)> = read!(self, pool => sqlx::query_as(sql).bind(digests).fetch_all(pool))
            .map_err(StoreError::query("read the files of a version"))?;
        let contents = contents.into_iter().map(|(digest, bytes)| content(&digest, bytes)).collect::<Result<Vec<_>, _>>()?;
        let contents: HashMap<Digest, Content> = contents.into_iter().map(|content| (content.digest, content)).collect();
        let file = |(path, digest): (FilePath, Digest)| match contents.get(&digest) {
            Some(content) => Ok((path, content.clone())),
            None => Err(StoreError::bad_row("versions", version, format!("the content of `{path}` is missing"))),
        };
        files.into_iter().map(file).collect::<Result<Tree, _>>().map(Some)
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

    async fn deployments_in(
        &self,
        ids: RangeInclusive<i64>,
        limit: u32,
        status: Option<DeploymentStatus>,
    ) -> Result<Vec<Deployment>, StoreError> {
        let rows: Vec<DeploymentRow> = read!(self, pool => sqlx::query_as(
            "SELECT id, revision, cause, author, status, diagnostics, functions, took_us, pushed_by, note
             FROM deployments
             WHERE id BETWEEN $1 AND $2 AND (CAST($3 AS text) IS NULL OR status = $3)
             ORDER BY id DESC
             LIMIT $4",
        )
        .bind(*ids.start())
        .bind(*ids.end())
        .bind(status.map(DeploymentStatus::as_str))
        .bind(i64::from(limit))
        .fetch_all(pool))
        .map_err(StoreError::query("read deployments"))?;
        self.with_changes(rows).await
    }

    /// Turns rows, newest first, into deployments with what each of them changed.
    async fn with_changes(&self, rows: Vec<DeploymentRow>) -> Result<Vec<Deployment>, StoreError> {
        // What was rejected changed nothing, and what lies between two rejections may be much.
        let is_live = |row: &&DeploymentRow| row.status == DeploymentStatus::Live.as_str();
        let newest = rows.iter().find(is_live).map_or(0, |row| row.id);
        let oldest = rows.iter().rfind(is_live).map_or(1, |row| row.id);
        let changes: Vec<ChangeRow> = read!(self, pool => sqlx::query_as(
            "SELECT deployment, function, from_version, to_version
             FROM deployment_functions
             WHERE deployment BETWEEN $1 AND $2",
        )
        .bind(oldest)
        .bind(newest)
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

/// Reads a fieldless enum from its word.
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
    pushed_by: Option<String>,
    note: Option<String>,
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
            pushed_by: self.pushed_by,
            note: self.note,
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
