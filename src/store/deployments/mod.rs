//! Deployments, versions and the contents of files.
//!
//! A live deployment keeps only what it changed against the live one before it. A tree is the newest row of every path.

mod files;
mod filter;
mod following;
mod lookup;
mod record;
mod row;
mod versions;

use std::{collections::HashMap, ops::RangeInclusive};

pub use filter::{DecisionPage, DeploymentFilter};
pub use lookup::{FindError, LIVE, SHORTEST_REVISION};
pub use record::RecordOutcome;
use row::{ChangeRow, DeploymentRow};
use sqlx::AssertSqlSafe;
pub use versions::FunctionVersion;

use super::{Store, StoreError, columns::columns, database::read};
use crate::{
    deployment::{Deployment, DeploymentId, DeploymentStatus, FunctionChange},
    function::Tree,
};

/// When a deployment was live, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveSpan {
    /// When it went live.
    pub since_us: i64,
    /// When the next one did. None: it still is live.
    pub until_us: Option<i64>,
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
        let rows: Vec<DeploymentRow> = read!(self, pool => sqlx::query_as(concat!(
            "SELECT ", columns!(deployments), " FROM deployments WHERE status = 'live' ORDER BY id DESC LIMIT 1",
        ))
        .fetch_all(pool))
        .map_err(StoreError::query("read the live deployment"))?;
        Ok(self.with_changes(rows).await?.pop())
    }

    /// Returns the highest id of any deployment or execution. New ids must come after it.
    pub async fn last_id(&self) -> Result<Option<i64>, StoreError> {
        read!(self, pool => sqlx::query_scalar(
            "SELECT MAX(id) FROM (SELECT MAX(id) AS id FROM deployments UNION ALL SELECT MAX(id) FROM executions) AS last",
        )
        .fetch_one(pool))
        .map_err(StoreError::query("find the last id"))
    }

    /// Returns deployments, newest first; only those older than `before`, if it is given.
    pub async fn deployments(&self, limit: u32, before: Option<DeploymentId>) -> Result<Vec<Deployment>, StoreError> {
        let newest = before.map_or(i64::MAX, |before| before.0 - 1);
        self.deployments_in(0..=newest, limit, &DeploymentFilter::default()).await
    }

    /// Returns one deployment.
    pub async fn deployment(&self, id: DeploymentId) -> Result<Option<Deployment>, StoreError> {
        Ok(self.deployments_in(id.0..=id.0, 1, &DeploymentFilter::default()).await?.pop())
    }

    /// Returns the newest deployment, live or rejected.
    pub async fn last_deployment(&self) -> Result<Option<Deployment>, StoreError> {
        Ok(self.deployments(1, None).await?.pop())
    }

    /// Returns when the deployment with this key, as of [`find_deployment`](Self::find_deployment), was live.
    pub async fn live_span(&self, key: &str) -> Result<LiveSpan, FindError> {
        let id = self.find_deployment(key).await?.id;
        let next: Option<i64> = read!(self, pool => sqlx::query_scalar("SELECT MIN(id) FROM deployments WHERE id > $1 AND status = 'live'")
            .bind(id.0)
            .fetch_one(pool))
        .map_err(StoreError::query("find the live deployment after another"))?;
        Ok(LiveSpan { since_us: id.time_us(), until_us: next.map(|next| DeploymentId(next).time_us()) })
    }

    /// Returns the last deployment that went live before this one.
    pub async fn live_before(&self, id: DeploymentId) -> Result<Option<Deployment>, StoreError> {
        let rows: Vec<DeploymentRow> = read!(self, pool => sqlx::query_as(concat!(
            "SELECT ", columns!(deployments), " FROM deployments WHERE id < $1 AND status = 'live' ORDER BY id DESC LIMIT 1",
        ))
        .bind(id.0)
        .fetch_all(pool))
        .map_err(StoreError::query("find the live deployment before another"))?;
        Ok(self.with_changes(rows).await?.pop())
    }

    async fn deployments_in(&self, ids: RangeInclusive<i64>, limit: u32, filter: &DeploymentFilter) -> Result<Vec<Deployment>, StoreError> {
        let sql = AssertSqlSafe(format!(
            "SELECT {} FROM deployments
             WHERE id BETWEEN $1 AND $2 AND (CAST($3 AS text) IS NULL OR status = $3){}
             ORDER BY id DESC
             LIMIT $4",
            columns!(deployments),
            filter.conditions(self.database.position()),
        ));
        let rows: Vec<DeploymentRow> = read!(self, pool => sqlx::query_as(sql)
        .bind(*ids.start())
        .bind(*ids.end())
        .bind(filter.status.map(DeploymentStatus::as_str))
        .bind(i64::from(limit))
        .bind(filter.by.as_deref())
        .bind(filter.text.as_deref())
        .fetch_all(pool))
        .map_err(StoreError::query("read deployments"))?;
        self.with_changes(rows).await
    }

    /// Turns rows, newest first, into deployments with their changes.
    async fn with_changes(&self, rows: Vec<DeploymentRow>) -> Result<Vec<Deployment>, StoreError> {
        // A rejected deployment changed nothing, and many live ones may lie between two rejections.
        let is_live = |row: &&DeploymentRow| row.status == DeploymentStatus::Live.as_str();
        let newest = rows.iter().find(is_live).map_or(0, |row| row.id);
        let oldest = rows.iter().rfind(is_live).map_or(1, |row| row.id);
        let changes: Vec<ChangeRow> = read!(self, pool => sqlx::query_as(concat!(
            "SELECT ", columns!(deployment_functions), " FROM deployment_functions WHERE deployment BETWEEN $1 AND $2",
        ))
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
