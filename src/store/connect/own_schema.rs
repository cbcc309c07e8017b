//! The schema of Postgres that holds a node's tables. Every session is bound to it, so that a schema that comes later changes nothing.

use sqlx::postgres::PgConnectOptions;

use super::{DatabaseUrl, close};
use crate::store::StoreError;

/// Finds the first schema of the search path, as `current_schema()` does, and none if there is none.
///
/// The exception is the schema `picloud`, which `"$user"` puts first for a user of that name. It may have come later, for `picloud.emit` alone.
/// It comes last where it has no tables of a node, and the function is in it or the tables are elsewhere in the path.
const FIND: &str = "
    WITH path AS (
        SELECT schemas.oid, schemas.nspname AS name, path.place,
            EXISTS (SELECT FROM pg_class WHERE relnamespace = schemas.oid AND relname = 'deployment_functions') AS has_tables,
            EXISTS (SELECT FROM pg_proc WHERE pronamespace = schemas.oid AND proname = 'emit') AS has_emit
        FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (name, place)
        JOIN pg_namespace AS schemas ON schemas.nspname = path.name
    )
    SELECT quote_ident(name) FROM path
    ORDER BY name = 'picloud' AND NOT has_tables AND (has_emit OR EXISTS (SELECT FROM path WHERE has_tables)), place
    LIMIT 1";

impl DatabaseUrl {
    /// Binds the sessions of a database on Postgres to the schema of the node.
    pub(in crate::store) async fn bound(self) -> Result<Self, StoreError> {
        let Self::Postgres(options) = &self else { return Ok(self) };
        let mut connection = self.connect_postgres(options).await?;
        let schema: sqlx::Result<Option<String>> = sqlx::query_scalar(FIND).fetch_optional(&mut connection).await;
        close(connection).await;
        let schema = schema.map_err(StoreError::query("find the schema of the node"))?;
        Ok(Self::Postgres(Box::new(bound(options, schema))))
    }
}

/// Where the path leads to no schema, the first statement that makes a table says so.
fn bound(options: &PgConnectOptions, schema: Option<String>) -> PgConnectOptions {
    options.clone().options(schema.map(|schema| ("search_path", schema)))
}
