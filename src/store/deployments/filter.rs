//! Selects deployments: by status, by who, by text.

use sqlx::AssertSqlSafe;

use crate::{
    deployment::{Deployment, DeploymentId, DeploymentStatus},
    store::{Store, StoreError, database::read},
};

/// Deployments that are looked through for one page. There is no index by who or by text.
const LOOK: i64 = 2_000;

/// Selects deployments. A condition that is none selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentFilter {
    /// Only of this status.
    pub status: Option<DeploymentStatus>,
    /// Only those by, or pushed by, somebody of this name. Of `Ada Lovelace <ada@example.org>` the name or the e-mail address is enough.
    pub by: Option<String>,
    /// Only those with exactly this text in their subject, their note, their revision or the name of who made them.
    pub text: Option<String>,
}

/// Deployments, newest first, of the part that was looked through.
#[derive(Debug, Default)]
pub struct DecisionPage {
    /// Those that match.
    pub deployments: Vec<Deployment>,
    /// The `before` of the next page. None: there is nothing older.
    pub next: Option<DeploymentId>,
}

impl DeploymentFilter {
    /// Writes the conditions on the parameters 5 (who) and 6 (text). `position` is the SQL function that finds a text in another.
    pub(super) fn conditions(&self, position: &str) -> String {
        let is_any = |number: u8| format!("CAST(${number} AS text) IS NULL");
        let has = |column: &str| format!("{position}(COALESCE({column}, ''), $6) > 0");
        let by = |column: &str| {
            format!(
                "{column} = $5 OR {position}(COALESCE({column}, ''), $5 || ' <') = 1 OR {position}(COALESCE({column}, ''), '<' || $5 || '>') > 0"
            )
        };
        let texts = ["subject", "note", "revision", "author", "pushed_by"].map(has).join(" OR ");
        format!(" AND ({} OR {} OR {}) AND ({} OR {texts})", is_any(5), by("author"), by("pushed_by"), is_any(6))
    }
}

impl Store {
    /// Returns a page of deployments, newest first. Where few match it may be short or empty; it says where to go on.
    pub async fn decisions(&self, limit: u32, before: Option<DeploymentId>, filter: &DeploymentFilter) -> Result<DecisionPage, StoreError> {
        let newest = before.map_or(i64::MAX, |before| before.0 - 1);
        let rest = if filter.by.is_some() || filter.text.is_some() { self.decision_after(newest, LOOK).await? } else { None };
        let deployments = self.deployments_in(rest.map_or(0, |rest| rest + 1)..=newest, limit, filter).await?;
        let next = match deployments.last() {
            Some(last) if deployments.len() >= limit as usize => Some(last.id),
            _ => rest.map(|rest| DeploymentId(rest + 1)),
        };
        Ok(DecisionPage { deployments, next })
    }

    /// Returns the id of the deployment that comes after so many, newest first.
    async fn decision_after(&self, newest: i64, count: i64) -> Result<Option<i64>, StoreError> {
        let sql = AssertSqlSafe(format!("SELECT id FROM deployments WHERE id <= {newest} ORDER BY id DESC LIMIT 1 OFFSET {count}"));
        read!(self, pool => sqlx::query_scalar(sql).persistent(false).fetch_optional(pool))
            .map_err(StoreError::query("look through deployments"))
    }
}
