//! The statements of one transaction, for either database.
//!
//! SQLite gets all statements of a batch as one text: to hand a statement to SQLite's thread and back takes longer than most statements do.

use std::{fmt::Write as _, time::Duration};

use serde::Serialize;
use sqlx::{AssertSqlSafe, Postgres, Row as _, Sqlite};

use super::{
    Store,
    database::Database,
    pool::{LONG_LIMIT, Pool, STATEMENT_LIMIT},
};
use crate::deployment::DeploymentId;

impl Store {
    /// Carries out the whole batch, or nothing of it.
    pub(super) async fn write(&self, batch: WriteBatch) -> sqlx::Result<()> {
        match &self.database {
            Database::Postgres { writer, .. } => batch.write_to_postgres(writer).await,
            Database::Sqlite { writer, .. } => batch.write_to_sqlite(writer).await,
        }
    }
}

/// A parameter of a statement.
pub(super) enum Parameter {
    Integer(i64),
    /// Null, where the statement wants a number.
    NoInteger,
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl From<i64> for Parameter {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<Option<i64>> for Parameter {
    fn from(value: Option<i64>) -> Self {
        value.map_or(Self::NoInteger, Self::Integer)
    }
}

impl From<Option<String>> for Parameter {
    fn from(value: Option<String>) -> Self {
        Self::Text(value.map(without_zeros))
    }
}

impl From<Option<Vec<u8>>> for Parameter {
    fn from(value: Option<Vec<u8>>) -> Self {
        Self::Bytes(value)
    }
}

impl From<Vec<u8>> for Parameter {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(Some(value))
    }
}

impl From<String> for Parameter {
    fn from(value: String) -> Self {
        Self::Text(Some(without_zeros(value)))
    }
}

/// Replaces zero characters: Postgres refuses a text with one, and people may send one. Texts in rows of JSON need it before they are JSON.
pub(super) fn without_zeros(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// Binds parameters to a query of either database.
macro_rules! bind {
    ($query:expr, $parameters:expr) => {
        $parameters.into_iter().fold($query, |query, parameter| match parameter {
            Parameter::Integer(value) => query.bind(value),
            Parameter::NoInteger => query.bind(None::<i64>),
            Parameter::Text(value) => query.bind(value),
            Parameter::Bytes(value) => query.bind(value),
        })
    };
}
pub(super) use bind;

/// A statement with its own parameters, counted from `$1`.
struct Statement {
    sql: &'static str,
    /// Whether the statement reads rows from a JSON array, which is its first parameter. The text ends before `FROM` then.
    has_rows: bool,
    parameters: Vec<Parameter>,
}

/// The statements of one transaction.
#[derive(Default)]
pub(super) struct WriteBatch {
    statements: Vec<Statement>,
    precondition: Option<Precondition>,
}

/// The transaction of a deployment goes on only if `after` is still the live deployment, or if `id` itself was recorded before.
#[derive(Clone, Copy)]
struct Precondition {
    id: DeploymentId,
    after: Option<DeploymentId>,
}

impl Precondition {
    fn check(self, live: Option<i64>) -> sqlx::Result<()> {
        let live = live.map(DeploymentId);
        match live {
            Some(by) if live != self.after && by != self.id => Err(sqlx::Error::AnyDriverError(Box::new(OvertakenError(by)))),
            _ => Ok(()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("deployment {0} has gone live since")]
struct OvertakenError(DeploymentId);

/// Returns the deployment that went live first, if the batch failed for that reason.
pub(super) fn overtaken(error: &sqlx::Error) -> Option<DeploymentId> {
    match error {
        sqlx::Error::AnyDriverError(error) => error.downcast_ref().map(|OvertakenError(by)| *by),
        _ => None,
    }
}

/// The live deployment: the last one that went live.
const LIVE: &str = "SELECT id FROM deployments WHERE status = 'live' ORDER BY id DESC LIMIT 1";

impl WriteBatch {
    /// Begins the batch of a deployment, which is refused if another deployment than `after` is live.
    pub(super) fn of_deployment(id: DeploymentId, after: Option<DeploymentId>) -> Self {
        Self { precondition: Some(Precondition { id, after }), ..Self::default() }
    }

    /// Adds a statement that changes something.
    pub(super) fn push(&mut self, sql: &'static str, parameters: Vec<Parameter>) {
        self.statements.push(Statement { sql, has_rows: false, parameters });
    }

    /// Adds a statement that inserts many rows. `$1` is a JSON array with one array for each row; `parameters` begin with `$2`.
    ///
    /// `sql` ends before `FROM`. Rows that are there already stay as they are.
    pub(super) fn push_rows(&mut self, sql: &'static str, rows: &[impl Serialize], mut parameters: Vec<Parameter>) {
        if !rows.is_empty() {
            parameters.insert(0, json(&rows).into());
            self.statements.push(Statement { sql, has_rows: true, parameters });
        }
    }

    /// Returns the time limit of the transaction. A deployment may have much to write.
    fn limit(&self) -> Duration {
        if self.precondition.is_some() { LONG_LIMIT } else { STATEMENT_LIMIT }
    }

    async fn write_to_postgres(self, writer: &Pool<Postgres>) -> sqlx::Result<()> {
        let mut transaction = writer.begin(self.limit()).await?;
        if let Some(precondition) = self.precondition {
            // Until the end of the transaction nobody else records a deployment. Readers go on.
            transaction.execute("LOCK TABLE deployments IN SHARE ROW EXCLUSIVE MODE").await?;
            let live = transaction.fetch_optional(LIVE).await?;
            precondition.check(live.map(|row| row.try_get(0)).transpose()?)?;
        }
        for Statement { sql, has_rows, parameters } in self.statements {
            let rows = if has_rows { " FROM json_array_elements(CAST($1 AS json)) AS rows (value) ON CONFLICT DO NOTHING" } else { "" };
            transaction.execute(bind!(sqlx::query(AssertSqlSafe(format!("{sql}{rows}"))), parameters)).await?;
        }
        transaction.commit().await
    }

    async fn write_to_sqlite(self, writer: &Pool<Sqlite>) -> sqlx::Result<()> {
        let mut transaction = writer.begin(self.limit()).await?;
        if let Some(precondition) = self.precondition {
            let live = transaction.fetch_optional(LIVE).await?;
            precondition.check(live.map(|row| row.try_get(0)).transpose()?)?;
        }
        let (mut text, mut all) = (String::new(), Vec::new());
        for Statement { sql, has_rows, parameters } in self.statements {
            push_numbered(&mut text, sql, all.len());
            if has_rows {
                write!(text, " FROM jsonb_each(${}) WHERE true ON CONFLICT DO NOTHING", all.len() + 1).expect("a string takes everything");
            }
            text.push(';');
            all.extend(parameters);
        }
        transaction.execute(bind!(sqlx::query(AssertSqlSafe(text)), all)).await?;
        transaction.commit().await
    }
}

/// Appends a statement and renumbers its parameters, so that they come after those of the statements before it.
fn push_numbered(text: &mut String, statement: &str, before: usize) {
    let mut parts = statement.split('$');
    text.extend(parts.next());
    for part in parts {
        let (number, rest) = part.split_at(part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len()));
        let number: usize = number.parse().expect("statements are ours");
        write!(text, "${}{rest}", before + number).expect("a string takes everything");
    }
}

/// Writes plain data with text keys as JSON.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data with text keys always is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_one_text_are_counted_through() {
        for (statement, numbered) in [
            ("SELECT 1", "SELECT 1"),
            ("VALUES ($1, $2)", "VALUES ($11, $12)"),
            ("SELECT $2, value->>0 FROM x($1)", "SELECT $12, value->>0 FROM x($11)"),
            ("$12", "$22"),
        ] {
            let mut text = String::new();
            push_numbered(&mut text, statement, 10);
            assert_eq!(text, numbered);
        }
    }
}
