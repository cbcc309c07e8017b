//! Finds the deployment that somebody means: by its id, by its revision, or by the beginning of that.

use sqlx::FromRow;

use super::{Store, StoreError, database::read};
use crate::{
    deployment::{Deployment, DeploymentId, DeploymentStatus},
    function::Revision,
};

/// The word for the deployment that is live.
pub const LIVE: &str = "live";
/// Fewest characters of a revision that name it.
pub const SHORTEST_REVISION: usize = 7;
/// Revisions that are told when the beginning is that of several.
const TOLD: i32 = 4;

/// Why there is no such deployment.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nothing is called so.
    #[error("no deployment has the id or the revision `{0}`")]
    Unknown(String),
    /// Too many revisions could be meant.
    #[error("`{0}` is too short; a revision is named by its first {SHORTEST_REVISION} characters or more")]
    Short(String),
    /// More than one revision begins so.
    #[error("`{key}` is the beginning of more than one revision: {}", list(revisions))]
    Ambiguous {
        /// What was asked for.
        key: String,
        /// The newest of them.
        revisions: Vec<Revision>,
    },
    /// What is live was asked for, and nothing ever was.
    #[error("nothing was ever live")]
    NothingLive,
    /// It was refused.
    #[error("deployment {0} was rejected and never live")]
    NeverLive(DeploymentId),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn list(revisions: &[Revision]) -> String {
    revisions.iter().map(|revision| format!("`{revision}`")).collect::<Vec<_>>().join(", ")
}

impl Store {
    /// Returns the deployment that was live and is named so: by its id, by its revision (the newest of it), by the first characters of that, or
    /// as [`LIVE`].
    pub async fn find_deployment(&self, key: &str) -> Result<Deployment, FindError> {
        let deployment = self.find_decision(key).await?;
        match deployment.status {
            DeploymentStatus::Live => Ok(deployment),
            DeploymentStatus::Rejected => Err(FindError::NeverLive(deployment.id)),
        }
    }

    /// The same; by its id also one that was rejected.
    pub async fn find_decision(&self, key: &str) -> Result<Deployment, FindError> {
        if key == LIVE {
            return self.live_deployment().await?.ok_or(FindError::NothingLive);
        }
        // Postgres takes no text with a zero in it.
        if key.contains('\0') {
            return Err(FindError::Unknown(key.into()));
        }
        let by_id = match key.parse() {
            Ok(id) => self.deployment(id).await?,
            // The beginning of a commit id may look like a deployment id, too.
            Err(_) => None,
        };
        match by_id {
            Some(deployment) => Ok(deployment),
            None => self.newest_of(key).await,
        }
    }

    async fn newest_of(&self, key: &str) -> Result<Deployment, FindError> {
        let characters = key.chars().count();
        if characters < SHORTEST_REVISION {
            return Err(FindError::Short(key.into()));
        }
        let found: Vec<Found> = read!(self, pool => sqlx::query_as(
            "SELECT revision, MAX(id) AS newest
             FROM deployments
             WHERE substr(revision, 1, $1) = $2 AND status = 'live'
             GROUP BY revision
             ORDER BY newest DESC
             LIMIT $3",
        )
        .bind(characters as i32)
        .bind(key)
        .bind(TOLD)
        .fetch_all(pool))
        .map_err(StoreError::query("find the deployment of a revision"))?;
        match &found[..] {
            [] => Err(FindError::Unknown(key.into())),
            [one] => self.deployment(DeploymentId(one.newest)).await?.ok_or_else(|| FindError::Unknown(key.into())),
            several => {
                let revisions = several.iter().map(|found| Revision(found.revision.clone())).collect();
                Err(FindError::Ambiguous { key: key.into(), revisions })
            }
        }
    }
}

#[derive(FromRow)]
struct Found {
    revision: String,
    newest: i64,
}
