//! Requests that were kept to be run again. `append` writes them, `retention` removes them.

use crate::{
    execution::{Capture, ExecutionId},
    store::{Store, StoreError, database::read},
};

impl Store {
    /// Returns the request of an execution, if it was kept.
    pub async fn capture(&self, id: ExecutionId) -> Result<Option<Capture>, StoreError> {
        let request: Option<String> =
            read!(self, pool => sqlx::query_scalar("SELECT request FROM captures WHERE id = $1").bind(id.0).fetch_optional(pool))
                .map_err(StoreError::query("read the request of an execution"))?;
        let parse = |request: String| serde_json::from_str(&request).map_err(|error| StoreError::bad_row("captures", id, error));
        request.map(parse).transpose()
    }
}
