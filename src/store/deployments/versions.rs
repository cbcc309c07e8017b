//! Which version of a function is or was live.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, FromRow};

use crate::{
    deployment::DeploymentId,
    function::{FunctionName, Version},
    store::{Store, StoreError, batch::json, database::read},
};

/// A version of a function and the deployment that made it live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionVersion {
    /// The name of the function.
    pub function: FunctionName,
    /// The version of its content.
    pub version: Version,
    /// The deployment that made it live; its id has the time.
    pub deployment: DeploymentId,
}

impl Store {
    /// Returns the live functions, by name.
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
        // Sorted here and not in SQL: databases may sort texts by the rules of a language.
        functions.sort_unstable_by(|a, b| a.function.cmp(&b.function));
        Ok(functions)
    }

    /// Returns the deployments that last made each version of these functions live.
    pub async fn live_since(
        &self,
        functions: &BTreeSet<&FunctionName>,
    ) -> Result<HashMap<(FunctionName, Version), DeploymentId>, StoreError> {
        let sql = AssertSqlSafe(format!(
            "SELECT function, to_version AS version, MAX(deployment) AS deployment
             FROM deployment_functions
             WHERE function IN ({}) AND to_version IS NOT NULL
             GROUP BY function, to_version",
            self.database.texts_of_json()
        ));
        let rows: Vec<FunctionVersionRow> = read!(self, pool => sqlx::query_as(sql).bind(json(functions)).fetch_all(pool))
            .map_err(StoreError::query("read the versions of functions"))?;
        let known =
            |row: FunctionVersionRow| FunctionVersion::try_from(row).map(|known| ((known.function, known.version), known.deployment));
        rows.into_iter().map(known).collect()
    }

    /// Returns the versions of a function that went live, newest first.
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
