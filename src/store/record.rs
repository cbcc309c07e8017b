//! How a deployment gets into the tables: all of it, in one transaction, in few statements; and only if nobody was faster.
//!
//! A save is live when it is recorded, so the way there is kept short: SQLite gets all statements as one text, because handing a statement to
//! its thread and back takes longer than what most statements do.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use serde::Serialize;
use sqlx::{AssertSqlSafe, Postgres, Row as _, Sqlite};

use super::{
    Database, Limited, Store, StoreError, audit,
    deployments::json,
    limited::{LONG_LIMIT, STATEMENT_LIMIT},
};
use crate::{
    audit::Record,
    deployment::{Changes, Deployment, DeploymentId, DeploymentStatus, Following},
    function::{Content, Digest},
};

/// Most bytes of contents in one statement.
const CONTENTS_SLICE: usize = 16 << 20;

/// What became of a deployment that was to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Recorded {
    /// It is in the database.
    Done,
    /// It is not: another one has gone live since. What it changes was found out against an older one.
    Overtaken(DeploymentId),
}

impl Store {
    /// Records a deployment and everything that it brings, or nothing of it, where `after` is the last that went live. A second time with the
    /// same id changes nothing.
    pub async fn record_deployment(
        &self,
        deployment: &Deployment,
        changes: &Changes,
        after: Option<DeploymentId>,
    ) -> Result<Recorded, StoreError> {
        let id = deployment.id.0;
        let mut batch = Batch { after: Some(After { last: after, id: deployment.id }), ..Batch::default() };
        if let Some(following) = &changes.following {
            // First, because nothing else tells that this is the second time.
            batch.insert(
                "INSERT INTO following (id, state) SELECT 1, $1 WHERE NOT EXISTS (SELECT 1 FROM deployments WHERE id = $2)
                 ON CONFLICT (id) DO UPDATE SET state = excluded.state",
                vec![json(following).into(), id.into()],
            );
        }
        batch.insert(
            "INSERT INTO deployments (id, revision, cause, author, status, diagnostics, functions, took_us, pushed_by, note)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (id) DO NOTHING",
            vec![
                id.into(),
                deployment.revision.0.clone().into(),
                word(&deployment.cause).into(),
                deployment.by.clone().into(),
                word(&deployment.status).into(),
                json(&deployment.diagnostics).into(),
                i64::from(deployment.functions).into(),
                deployment.took_us.into(),
                deployment.pushed_by.clone().into(),
                deployment.note.clone().into(),
            ],
        );
        add_contents(&mut batch, changes);
        add_versions(&mut batch, id, changes);
        let files: Vec<_> = changes.files.iter().map(|(path, content)| (path, content.as_ref().map(|content| content.digest))).collect();
        batch.insert_many(
            "INSERT INTO deployment_files (deployment, path, digest) SELECT $2, value->>0, value->>1",
            &files,
            vec![id.into()],
        );
        let functions: Vec<_> = deployment.changes.iter().map(|change| (&change.function, change.from, change.to)).collect();
        batch.insert_many(
            "INSERT INTO deployment_functions (deployment, function, from_version, to_version)
             SELECT $2, value->>0, value->>1, value->>2",
            &functions,
            vec![id.into()],
        );
        if deployment.status == DeploymentStatus::Live {
            audit::add_deployment(&mut batch, deployment, changes.origin);
        }
        match self.write(batch).await {
            Ok(()) => Ok(Recorded::Done),
            Err(error) => match overtaken(&error) {
                Some(by) => Ok(Recorded::Overtaken(by)),
                None => Err(StoreError::query("record a deployment")(error)),
            },
        }
    }

    /// Remembers what an operator told about following the source, and who that was.
    pub async fn set_following(&self, following: &Following, record: &Record) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        audit::add(&mut batch, record);
        batch.insert(
            "INSERT INTO following (id, state) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET state = excluded.state",
            vec![json(following).into()],
        );
        self.write(batch).await.map_err(StoreError::query("remember how the source is followed"))
    }

    /// Carries out all of a batch, or nothing of it.
    pub(super) async fn write(&self, batch: Batch) -> sqlx::Result<()> {
        match &self.database {
            Database::Postgres { writer, .. } => batch.write_to_postgres(writer).await,
            Database::Sqlite { writer, .. } => batch.write_to_sqlite(writer).await,
        }
    }
}

fn add_contents(batch: &mut Batch, changes: &Changes) {
    let of_files = changes.files.values().flatten();
    let of_functions = changes.functions.iter().flat_map(|function| function.files.iter().map(|(_, content)| content));
    let contents: BTreeMap<Digest, &Content> = of_files.chain(of_functions).map(|content| (content.digest, content)).collect();
    let mut contents = contents.into_values().peekable();
    while contents.peek().is_some() {
        // JSON has no bytes, so all go in one blob beside it, each named by its first byte (from 1) and its length. The blob begins with a byte
        // of nobody's: to SQLite a part of an empty one is NULL.
        let (mut rows, mut bytes) = (Vec::new(), vec![0]);
        while let Some(content) = contents.next_if(|_| bytes.len() < CONTENTS_SLICE) {
            rows.push((content.digest, bytes.len() + 1, content.bytes.len()));
            bytes.extend_from_slice(&content.bytes);
        }
        batch.insert_many(
            "INSERT INTO contents (digest, bytes)
             SELECT value->>0, substr($2, CAST(value->>1 AS INTEGER), CAST(value->>2 AS INTEGER))",
            &rows,
            vec![Value::Bytes(bytes)],
        );
    }
}

fn add_versions(batch: &mut Batch, id: i64, changes: &Changes) {
    let rows: Vec<_> = (changes.functions.iter())
        .map(|function| {
            let files: BTreeMap<_, _> = function.files.iter().map(|(path, content)| (path, content.digest)).collect();
            (function.version, &function.name, function.script_id, json(&function.manifest), json(&files))
        })
        .collect();
    batch.insert_many(
        "INSERT INTO versions (first_deployment, version, function, script_id, manifest, files)
         SELECT $2, value->>0, value->>1, value->>2, value->>3, value->>4",
        &rows,
        vec![id.into()],
    );
}

/// Returns the word by which a fieldless enum goes in JSON.
fn word(value: &impl Serialize) -> String {
    json(value).trim_matches('"').into()
}

/// A value of a statement.
pub(super) enum Value {
    Integer(i64),
    /// No number.
    Nothing,
    Text(Option<String>),
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        value.map_or(Self::Nothing, Self::Integer)
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Self::Text(value.map(without_zeros))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Some(without_zeros(value)))
    }
}

/// Postgres takes no text with a zero in it, and a reason that somebody gives may have one.
fn without_zeros(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// Binds values to a query of either database.
macro_rules! bind {
    ($query:expr, $values:expr) => {
        $values.into_iter().fold($query, |query, value| match value {
            Value::Integer(value) => query.bind(value),
            Value::Nothing => query.bind(None::<i64>),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
    };
}

/// A statement; its parameters `$1`, `$2` and so on are its own values.
struct Statement {
    insert: &'static str,
    /// Whether `insert` goes on with the rows of a JSON array, which is its first value.
    has_rows: bool,
    values: Vec<Value>,
}

/// Statements of one transaction.
#[derive(Default)]
pub(super) struct Batch {
    statements: Vec<Statement>,
    after: Option<After>,
}

/// What a deployment must come after.
#[derive(Clone, Copy)]
struct After {
    last: Option<DeploymentId>,
    id: DeploymentId,
}

impl After {
    /// Refuses to go on where another deployment is the last one.
    fn check(self, last: Option<i64>) -> sqlx::Result<()> {
        let last = last.map(DeploymentId);
        match last {
            Some(by) if last != self.last && by != self.id => Err(sqlx::Error::AnyDriverError(Box::new(OvertakenBy(by)))),
            _ => Ok(()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("deployment {0} has gone live since")]
struct OvertakenBy(DeploymentId);

fn overtaken(error: &sqlx::Error) -> Option<DeploymentId> {
    match error {
        sqlx::Error::AnyDriverError(error) => error.downcast_ref().map(|OvertakenBy(by)| *by),
        _ => None,
    }
}

/// The last deployment that went live.
const LAST: &str = "SELECT id FROM deployments WHERE status = 'live' ORDER BY id DESC LIMIT 1";

impl Batch {
    /// Adds a statement that changes something.
    pub(super) fn insert(&mut self, insert: &'static str, values: Vec<Value>) {
        self.statements.push(Statement { insert, has_rows: false, values });
    }

    /// Inserts many rows with one statement: `$1` is a JSON array with an array of texts for each row, and the other values begin with `$2`.
    fn insert_many(&mut self, insert: &'static str, rows: &[impl Serialize], mut values: Vec<Value>) {
        if !rows.is_empty() {
            values.insert(0, serde_json::to_string(rows).expect("texts and numbers always are JSON").into());
            self.statements.push(Statement { insert, has_rows: true, values });
        }
    }

    /// A deployment may have much to write.
    fn limit(&self) -> Duration {
        if self.after.is_some() { LONG_LIMIT } else { STATEMENT_LIMIT }
    }

    async fn write_to_postgres(self, writer: &Limited<Postgres>) -> sqlx::Result<()> {
        let mut transaction = writer.begin(self.limit()).await?;
        if let Some(after) = self.after {
            // Until the end of the transaction nobody else records one; readers go on.
            transaction.execute("LOCK TABLE deployments IN SHARE ROW EXCLUSIVE MODE").await?;
            let last = transaction.fetch_optional(LAST).await?;
            after.check(last.map(|row| row.try_get(0)).transpose()?)?;
        }
        for Statement { insert, has_rows, values } in self.statements {
            let rows = if has_rows { " FROM json_array_elements(CAST($1 AS json)) AS rows (value) ON CONFLICT DO NOTHING" } else { "" };
            transaction.execute(bind!(sqlx::query(AssertSqlSafe(format!("{insert}{rows}"))), values)).await?;
        }
        transaction.commit().await
    }

    async fn write_to_sqlite(self, writer: &Limited<Sqlite>) -> sqlx::Result<()> {
        let mut transaction = writer.begin(self.limit()).await?;
        if let Some(after) = self.after {
            let last = transaction.fetch_optional(LAST).await?;
            after.check(last.map(|row| row.try_get(0)).transpose()?)?;
        }
        let (mut text, mut all) = (String::new(), Vec::new());
        for Statement { insert, has_rows, values } in self.statements {
            push_numbered(&mut text, insert, all.len());
            if has_rows {
                write!(text, " FROM jsonb_each(${}) WHERE true ON CONFLICT DO NOTHING", all.len() + 1).expect("a string takes everything");
            }
            text.push(';');
            all.extend(values);
        }
        transaction.execute(bind!(sqlx::query(AssertSqlSafe(text)), all)).await?;
        transaction.commit().await
    }
}

/// Appends a statement whose parameters are counted on from those of the statements before it.
fn push_numbered(text: &mut String, statement: &str, before: usize) {
    let mut parts = statement.split('$');
    text.extend(parts.next());
    for part in parts {
        let (number, rest) = part.split_at(part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len()));
        let number: usize = number.parse().expect("statements are ours");
        write!(text, "${}{rest}", before + number).expect("a string takes everything");
    }
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
