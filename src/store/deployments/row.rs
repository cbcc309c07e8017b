//! Rows of deployments, and of what they changed.

use serde::de::{DeserializeOwned, IntoDeserializer};
use sqlx::FromRow;

use crate::{
    deployment::{Deployment, DeploymentId, DeploymentStatus, FunctionChange},
    function::{FunctionName, Revision},
    store::StoreError,
};

/// Reads a fieldless enum from its word.
fn parse_word<T: DeserializeOwned>(word: &str) -> Result<T, serde::de::value::Error> {
    T::deserialize(word.into_deserializer())
}

/// A row of the table `deployments`.
#[derive(FromRow)]
pub(super) struct DeploymentRow {
    pub id: i64,
    revision: String,
    cause: String,
    author: Option<String>,
    pub status: String,
    diagnostics: String,
    functions: i64,
    took_us: i64,
    pushed_by: Option<String>,
    note: Option<String>,
    subject: Option<String>,
}

impl DeploymentRow {
    /// Returns the deployment, with what it changed.
    pub(super) fn into_deployment(self, changes: Vec<FunctionChange>) -> Result<Deployment, StoreError> {
        let id = DeploymentId(self.id);
        let bad = |reason: &dyn ToString| StoreError::bad_row("deployments", id, reason.to_string());
        Ok(Deployment {
            id,
            revision: Revision(self.revision),
            cause: parse_word(&self.cause).map_err(|error| bad(&error))?,
            by: self.author,
            pushed_by: self.pushed_by,
            note: self.note,
            subject: self.subject,
            status: parse_word::<DeploymentStatus>(&self.status).map_err(|error| bad(&error))?,
            diagnostics: serde_json::from_str(&self.diagnostics).map_err(|error| bad(&error))?,
            changes,
            functions: u32::try_from(self.functions).map_err(|error| bad(&error))?,
            took_us: self.took_us,
        })
    }
}

/// A row of the table `deployment_functions`.
#[derive(FromRow)]
pub(super) struct ChangeRow {
    pub deployment: i64,
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
