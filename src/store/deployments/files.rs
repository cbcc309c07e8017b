//! The files of deployments and versions.

use std::collections::{BTreeMap, HashMap};

use sqlx::AssertSqlSafe;

use crate::{
    deployment::DeploymentId,
    function::{Content, Digest, FilePath, Tree, Version},
    store::{Store, StoreError, batch::json, database::read},
};

impl Store {
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

    /// Returns the tree that was live after a deployment of this id.
    pub(super) async fn tree_at(&self, id: DeploymentId) -> Result<Tree, StoreError> {
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
}

fn content(digest: &str, bytes: Vec<u8>) -> Result<Content, StoreError> {
    let digest = digest.parse().map_err(|error| StoreError::bad_row("contents", digest, error))?;
    Ok(Content { digest, bytes: bytes.into() })
}
