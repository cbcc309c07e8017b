//! `picloud.emit`, the SQL function by which other programs emit events: made in the node's own Postgres, with the limits of every emit.
//!
//! What it takes waits in the table `inbox`, committed or rolled back with the transaction of its caller.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::columns::columns;
use crate::{
    execution::{MAX_DELAY, MAX_ID, MAX_NESTING, MAX_PAYLOAD},
    function::topic::{MAX_TOPIC, OWN, TOPIC_HINT},
};

/// The channel on which Postgres tells a node that something was emitted.
pub(super) const CHANNEL: &str = "picloud_emit";
/// Most events that wait for a node to take them. Transactions that are open at once do not see what the others emit.
const MAX_WAITING: u32 = 100_000;
/// The bytes that no row of the inbox goes below: a header of 24, a pointer of 4, three numbers of 8, and the shortest texts.
const MIN_ROW_BYTES: u32 = 60;
/// The largest number of a payload: serde_json refuses what is beyond the numbers of 64 bits with a decimal point.
const MAX_NUMBER: &str = "1.797693134862315e308";
/// What `char::is_control` says of a character, as a pattern of Postgres.
const CONTROL: &str = r"E'[\\u0001-\\u001f\\u007f-\\u009f]'";
/// One node after the other looks for the function and makes it. The number is `picl` in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1885954924)";
const FIND: &str = "
    SELECT functions.prosrc, obj_description(functions.oid, 'pg_proc')
    FROM pg_proc AS functions
    JOIN pg_namespace AS schemas ON schemas.oid = functions.pronamespace
    WHERE schemas.nspname = 'picloud' AND functions.proname = 'emit'";
/// Makes the schema. Where the user is called `picloud`, `\"$user\"` would put it before all others, and programs of that user would make their
/// tables in it: there the user's default stays what it was.
const MAKE_SCHEMA: &str = "
    DO $make$ BEGIN
        IF to_regnamespace('picloud') IS NULL THEN
            CREATE SCHEMA picloud;
            IF current_user = 'picloud' AND NOT EXISTS (
                SELECT FROM pg_db_role_setting AS settings, unnest(settings.setconfig) AS setting
                WHERE setting LIKE 'search\\_path=%' AND settings.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
                    AND settings.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
            ) THEN
                EXECUTE format('ALTER ROLE picloud IN DATABASE %I SET search_path = public', current_database());
            END IF;
        END IF;
    END $make$";

/// Makes the function, or brings it up to date. Says in the log why not, where it cannot: a node does without.
pub(super) async fn offer(connection: &mut PgConnection) {
    match make(connection).await {
        Ok(Outcome::Offered) => {}
        Ok(Outcome::OfAnother) => tracing::warn!(
            "`picloud.emit` of this database belongs to a node in another schema: SQL emits no events of this node\n  hint: give this node a \
             database of its own, or drop that function and restart this node"
        ),
        Err(error) => tracing::warn!(
            "there is no `picloud.emit` by which SQL emits events: {}\n  hint: have an administrator of the database run \
             `CREATE SCHEMA picloud AUTHORIZATION` with the user of this node, and restart it",
            super::error::Reason(error)
        ),
    }
}

enum Outcome {
    Offered,
    /// It writes to the inbox of another node.
    OfAnother,
}

async fn make(connection: &mut PgConnection) -> sqlx::Result<Outcome> {
    let mut transaction = connection.begin().await?;
    sqlx::query(LOCK).execute(&mut *transaction).await?;
    let schema: String = sqlx::query_scalar("SELECT quote_ident(current_schema())").fetch_one(&mut *transaction).await?;
    let (statements, owner) = (statements(&schema), format!("Emits an event on the PiCloud node in the schema {schema}."));
    let found: Option<(String, Option<String>)> = sqlx::query_as(FIND).fetch_optional(&mut *transaction).await?;
    match found {
        Some((_, comment)) if comment.as_deref() != Some(&owner) => return Ok(Outcome::OfAnother),
        Some((body, _)) if statements.split("$emit$").nth(1) == Some(&body) => return Ok(Outcome::Offered),
        _ => {}
    }
    let comment = format!("COMMENT ON FUNCTION picloud.emit IS '{}'", owner.replace('\'', "''"));
    for sql in [MAKE_SCHEMA.to_owned(), statements, comment] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(Outcome::Offered)
}

/// Returns the statements that make the function of the node in this schema.
fn statements(schema: &str) -> String {
    format!(
        include_str!("emit.sql"),
        inbox = format_args!("{schema}.inbox"),
        columns = columns!(inbox),
        channel = CHANNEL,
        max_topic = MAX_TOPIC,
        topic_hint = TOPIC_HINT,
        own = OWN,
        max_payload = MAX_PAYLOAD,
        max_depth = MAX_NESTING,
        max_number = MAX_NUMBER,
        max_id = MAX_ID,
        control = CONTROL,
        max_delay_seconds = MAX_DELAY.as_secs(),
        max_waiting = MAX_WAITING,
        min_row_bytes = MIN_ROW_BYTES,
    )
}
