//! The audit log. An entry is written in the transaction of the change that it tells of, if there is one, and is never changed.

use serde_json::{Value, json};
use sqlx::FromRow;

use super::{
    Store, StoreError,
    batch::{Parameter, WriteBatch},
    columns::columns,
    database::read,
};
use crate::{
    audit::{Action, AuditEntry, AuditFilter, Origin, Record},
    clock::rfc3339,
    deployment::{Cause, Deployment},
};

impl Store {
    /// Writes an entry in a transaction of its own.
    pub async fn record_audit(&self, record: &Record) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        add(&mut batch, record);
        self.write(batch).await.map_err(StoreError::query("write the audit log"))
    }

    /// Returns entries, newest first.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        let mut condition = format!("id < {}", filter.before.unwrap_or(i64::MAX));
        if let Some(since_us) = filter.since_us {
            condition += &format!(" AND time_us >= {since_us}");
        }
        if let Some(action) = filter.action {
            condition += &format!(" AND action = '{action}'");
        }
        // Only what somebody wrote is bound.
        let who = if filter.who.is_some() { " AND who = $1" } else { "" };
        let sql = format!("SELECT id, {} FROM audit WHERE {condition}{who} ORDER BY id DESC LIMIT {}", columns!(audit), filter.limit);
        let sql = sqlx::AssertSqlSafe(sql);
        let rows: Vec<EntryRow> = match &filter.who {
            Some(who) => read!(self, pool => sqlx::query_as(sql).bind(who).persistent(false).fetch_all(pool)),
            None => read!(self, pool => sqlx::query_as(sql).persistent(false).fetch_all(pool)),
        }
        .map_err(StoreError::query("read the audit log"))?;
        rows.into_iter().map(AuditEntry::try_from).collect()
    }

    /// Writes down that the node has started, with a fingerprint of its configuration. A new fingerprint is a change of the configuration.
    pub async fn record_start(&self, time_us: i64, configuration: &str, mut detail: Value) -> Result<(), StoreError> {
        let last: Option<String> = read!(self, pool => sqlx::query_scalar(
            "SELECT detail FROM audit WHERE action IN ('start', 'configure') ORDER BY id DESC LIMIT 1",
        )
        .fetch_optional(pool))
        .map_err(StoreError::query("read the audit log"))?;
        let last = last.and_then(|last| Some(serde_json::from_str::<Value>(&last).ok()?["configuration"].as_str()?.to_owned()));
        let is_other = last.as_ref().is_some_and(|last| last != configuration);
        detail["configuration"] = configuration.into();
        if is_other {
            detail["before"] = json!(last);
        }
        let action = if is_other { Action::Configure } else { Action::Start };
        self.record_audit(&Record { time_us, who: "node".into(), origin: Origin::Node, action, detail }).await
    }
}

/// Adds an entry to a transaction.
pub(super) fn add(batch: &mut WriteBatch, record: &Record) {
    batch.push(INSERT, values(record));
}

/// Adds an entry; [`values`] are its parameters.
pub(super) const INSERT: &str = concat!("INSERT INTO audit (", columns!(audit), ") VALUES ($1, $2, $3, $4, $5)");

/// Adds an entry if the transaction finds a token with this hash: it has just been made.
pub(super) fn add_if_hash(batch: &mut WriteBatch, record: &Record, hash: &str) {
    let mut values = values(record);
    values.push(hash.to_owned().into());
    batch.push(
        concat!("INSERT INTO audit (", columns!(audit), ") SELECT $1, $2, $3, $4, $5 WHERE EXISTS (SELECT 1 FROM tokens WHERE hash = $6)"),
        values,
    );
}

/// Adds an entry if the transaction finds a token with this name: it is about to be removed.
pub(super) fn add_if_name(batch: &mut WriteBatch, record: &Record, name: &str) {
    let mut values = values(record);
    values.push(name.to_owned().into());
    batch.push(
        concat!("INSERT INTO audit (", columns!(audit), ") SELECT $1, $2, $3, $4, $5 WHERE EXISTS (SELECT 1 FROM tokens WHERE name = $6)"),
        values,
    );
}

/// Adds an entry about a live deployment, once for each.
pub(super) fn add_deployment(batch: &mut WriteBatch, deployment: &Deployment, origin: Option<Origin>) {
    let record = of_deployment(deployment, origin);
    let mut values = values(&record);
    values.push(deployment.id.0.into());
    batch.push(
        concat!(
            "INSERT INTO audit (",
            columns!(audit),
            ", deployment) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (deployment) DO NOTHING"
        ),
        values,
    );
}

/// Returns the parameters of an entry.
pub(super) fn values(record: &Record) -> Vec<Parameter> {
    vec![
        record.time_us.into(),
        record.who.clone().into(),
        record.origin.to_string().into(),
        record.action.to_string().into(),
        record.detail.to_string().into(),
    ]
}

fn of_deployment(deployment: &Deployment, origin: Option<Origin>) -> Record {
    let action = match deployment.cause {
        Cause::Start => Action::Found,
        Cause::Save => Action::Save,
        Cause::Push => Action::Push,
        Cause::Pull => Action::Pull,
        Cause::Upload => Action::Upload,
        Cause::Rollback => Action::Rollback,
    };
    // Anybody can write any author into a commit; who pushed it is known.
    let who = deployment.pushed_by.as_ref().or(deployment.by.as_ref()).map_or("files", String::as_str);
    let mut detail = json!({
        "deployment": deployment.id,
        "revision": deployment.revision,
        "functions": deployment.functions,
        "changed": deployment.changes.len(),
    });
    for (key, value) in [("author", &deployment.by), ("pushed_by", &deployment.pushed_by), ("note", &deployment.note)] {
        if let Some(value) = value {
            detail[key] = value.as_str().into();
        }
    }
    Record { time_us: deployment.id.time_us(), who: who.into(), origin: origin.unwrap_or(Origin::Source), action, detail }
}

#[derive(FromRow)]
struct EntryRow {
    id: i64,
    time_us: i64,
    who: String,
    origin: String,
    action: String,
    detail: String,
}

impl TryFrom<EntryRow> for AuditEntry {
    type Error = StoreError;

    fn try_from(row: EntryRow) -> Result<Self, StoreError> {
        let action =
            Action::find(&row.action).ok_or_else(|| StoreError::bad_row("audit", row.id, format!("`{}` is no action", row.action)))?;
        let detail = serde_json::from_str(&row.detail).map_err(|error| StoreError::bad_row("audit", row.id, error))?;
        Ok(Self { id: row.id, time: rfc3339(row.time_us), who: row.who, origin: row.origin, action, detail })
    }
}
