//! What operators said about following the source.

use crate::{
    audit::Record,
    deployment::Following,
    store::{
        Store, StoreError, audit,
        batch::{WriteBatch, json},
        database::read,
    },
};

impl Store {
    /// Returns what operators said about following the source.
    pub async fn following(&self) -> Result<Following, StoreError> {
        let state: Option<String> =
            read!(self, pool => sqlx::query_scalar("SELECT state FROM following WHERE id = 1").fetch_optional(pool))
                .map_err(StoreError::query("read how the source is followed"))?;
        let Some(state) = state else { return Ok(Following::default()) };
        serde_json::from_str(&state).map_err(|error| StoreError::bad_row("following", 1, error))
    }

    /// Remembers what an operator said about following the source, and writes it down in the audit log.
    pub async fn set_following(&self, following: &Following, record: &Record) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        audit::add(&mut batch, record);
        batch.push(
            "INSERT INTO following (id, state) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET state = excluded.state",
            vec![json(following).into()],
        );
        self.write(batch).await.map_err(StoreError::query("remember how the source is followed"))
    }
}
