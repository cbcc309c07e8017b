//! Finds a deployment by its id, by its revision, or by the beginning of the revision.

use sqlx::FromRow;

use crate::{
    deployment::{Deployment, DeploymentId, DeploymentStatus},
    function::Revision,
    store::{Store, StoreError, database::read},
};

/// The word for the deployment that is live.
pub const LIVE: &str = "live";
/// Fewest characters of a revision that name it.
pub const SHORTEST_REVISION: usize = 7;
/// Revisions that an error lists if more than one begins in the given way.
const LISTED_REVISIONS: i32 = 4;

/// Why there is no such deployment.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// No deployment has this key.
    #[error("no deployment has the id or the revision `{0}`")]
    Unknown(String),
    /// The beginning of a revision is too short.
    #[error("`{0}` is too short: a revision is named by its first {SHORTEST_REVISION} characters or more")]
    Short(String),
    /// More than one revision begins in this way.
    #[error("`{key}` is the beginning of more than one revision: {}", list(revisions))]
    Ambiguous {
        /// The key.
        key: String,
        /// The newest of them.
        revisions: Vec<Revision>,
    },
    /// The live deployment was wanted, and none ever went live.
    #[error("nothing was ever live")]
    NothingLive,
    /// The deployment was rejected.
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
    /// Returns the deployment with this key, if it went live.
    ///
    /// The key is the id, the revision (the newest deployment of it), the first characters of the revision, or [`LIVE`].
    pub async fn find_deployment(&self, key: &str) -> Result<Deployment, FindError> {
        let deployment = self.find_decision(key).await?;
        match deployment.status {
            DeploymentStatus::Live => Ok(deployment),
            DeploymentStatus::Rejected => Err(FindError::NeverLive(deployment.id)),
        }
    }

    /// Returns the deployment with this key as [`find_deployment`](Self::find_deployment) does; by its id also a rejected one.
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
        let found: Vec<RevisionRow> = read!(self, pool => sqlx::query_as(
            "SELECT revision, MAX(id) AS newest
             FROM deployments
             WHERE substr(revision, 1, $1) = $2 AND status = 'live'
             GROUP BY revision
             ORDER BY newest DESC
             LIMIT $3",
        )
        .bind(characters as i32)
        .bind(key)
        .bind(LISTED_REVISIONS)
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
struct RevisionRow {
    revision: String,
    newest: i64,
}
