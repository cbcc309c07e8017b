//! An execution as the table has it.

use std::borrow::Cow;

use serde::de::{Deserialize, IntoDeserializer, value::StrDeserializer};
use sqlx::FromRow;

use super::{sizes::ROW_BYTES, words::Keys};
use crate::{
    deployment::DeploymentId,
    execution::{Effect, EmittedEvent, Execution, Failure, LogLevel, LogLine, Outcome, Trigger},
    function::FunctionName,
    id::ExecutionId,
    store::{StoreError, batch::json},
};

/// A row of the table `executions`. What most executions share is null.
#[derive(FromRow)]
pub(super) struct ExecutionRow<Text> {
    pub id: i64,
    pub function_key: i64,
    pub version_key: i64,
    pub deployment: i64,
    /// Null: over HTTP.
    pub invoked_by: Option<Text>,
    pub request_id: Option<Text>,
    /// Null: GET.
    pub method: Option<Text>,
    pub path: Text,
    pub status: i64,
    pub outcome: i64,
    pub duration_us: i64,
    pub operations: i64,
    pub peak_memory_bytes: i64,
    pub logs: Option<Text>,
    pub logs_dropped: i64,
    pub failure: Option<Text>,
    pub replay_of: Option<i64>,
    pub effects: Option<Text>,
    pub response_type: Option<Text>,
    /// Null: the function gave no answer.
    pub response_bytes: Option<i64>,
    pub events: Option<Text>,
}

/// The values of a row in an `INSERT`: `?` for what is bound. Most executions have none of the rest, which is a literal
/// for them: a `NULL` that is bound takes as long as a value.
pub(super) const SHORT: &str = "(?,?,?,?,NULL,NULL,?,?,?,?,?,?,?,NULL,0,NULL,NULL,NULL,?,?,NULL)";
/// The same for a row that has more.
pub(super) const LONG: &str = "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

impl<'a> ExecutionRow<Cow<'a, str>> {
    /// Returns the row of an execution, if the numbers of its function and version are known.
    pub(super) fn of(execution: &'a Execution, keys: &Keys) -> Option<Self> {
        let (function_key, version_key) = keys.of(&execution.function, execution.version)?;
        Some(Self {
            id: execution.id.0,
            function_key,
            version_key,
            deployment: execution.deployment.0,
            invoked_by: (execution.trigger != Trigger::Http).then(|| execution.trigger.as_str().into()),
            request_id: execution.request_id.as_deref().map(Cow::from),
            method: (execution.method != "GET").then(|| Cow::from(&*execution.method)),
            path: Cow::from(&*execution.path),
            status: execution.status.into(),
            outcome: execution.outcome as i64,
            duration_us: signed(execution.duration_us),
            operations: signed(execution.operations),
            peak_memory_bytes: signed(execution.peak_memory_bytes),
            logs: (!execution.logs.is_empty()).then(|| logs_json(&execution.logs).into()),
            logs_dropped: execution.logs_dropped.into(),
            failure: execution.failure.as_ref().map(|failure| json(failure).into()),
            replay_of: execution.replay_of.map(|id| id.0),
            effects: (!execution.effects.is_empty()).then(|| json(&(execution.effects_dropped, &execution.effects)).into()),
            response_type: execution.response_type.as_deref().map(Cow::from),
            response_bytes: execution.response_bytes.map(signed),
            events: (!execution.events.is_empty()).then(|| json(&execution.events).into()),
        })
    }

    /// Returns whether this row has nothing but what is bound in a [`SHORT`] row.
    pub(super) fn is_short(&self) -> bool {
        let more = [&self.invoked_by, &self.request_id, &self.logs, &self.failure, &self.effects, &self.events];
        more.into_iter().all(Option::is_none) && self.logs_dropped == 0 && self.replay_of.is_none()
    }

    /// Returns the bytes that this row counts for: see [`sizes`](super::sizes).
    pub(super) fn bytes(&self) -> i64 {
        let texts = [
            self.request_id.as_deref(),
            self.method.as_deref(),
            Some(&*self.path),
            self.logs.as_deref(),
            self.failure.as_deref(),
            self.effects.as_deref(),
            self.response_type.as_deref(),
            self.events.as_deref(),
        ];
        ROW_BYTES + texts.into_iter().flatten().map(|text| text.len() as i64).sum::<i64>()
    }
}

/// Turns a number into one that databases have: they have no unsigned numbers.
pub(in crate::store) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn logs_json(logs: &[LogLine]) -> String {
    let lines: Vec<_> = logs.iter().map(|line| (line.at_us, line.level, &line.message)).collect();
    json(&lines)
}

/// A row with the words behind its numbers.
#[derive(FromRow)]
pub(super) struct NamedRow {
    #[sqlx(flatten)]
    pub row: ExecutionRow<String>,
    function: Option<String>,
    version: Option<String>,
    captured: bool,
}

impl TryFrom<NamedRow> for Execution {
    type Error = StoreError;

    fn try_from(NamedRow { row, function, version, captured }: NamedRow) -> Result<Self, StoreError> {
        let id = ExecutionId(row.id);
        let bad = |reason: &dyn ToString| StoreError::bad_row("executions", id, reason.to_string());
        let (Some(function), Some(version)) = (function, version) else {
            return Err(bad(&"its function or version is not in `words`"));
        };
        let invoked_by: Option<StrDeserializer<serde::de::value::Error>> = row.invoked_by.as_deref().map(|word| word.into_deserializer());
        let logs: Vec<(u64, LogLevel, String)> = match &row.logs {
            Some(logs) => serde_json::from_str(logs).map_err(|error| bad(&error))?,
            None => Vec::new(),
        };
        let effects: Option<(u32, Vec<Effect>)> =
            row.effects.as_deref().map(serde_json::from_str).transpose().map_err(|error| bad(&error))?;
        let (effects_dropped, effects) = effects.unwrap_or_default();
        let events: Option<Vec<EmittedEvent>> = row.events.as_deref().map(serde_json::from_str).transpose().map_err(|error| bad(&error))?;
        let failure: Option<Box<Failure>> = row.failure.as_deref().map(serde_json::from_str).transpose().map_err(|error| bad(&error))?;
        Ok(Self {
            id,
            function: FunctionName::new(function),
            version: version.parse().map_err(|error| bad(&error))?,
            deployment: DeploymentId(row.deployment),
            trigger: invoked_by.map_or(Ok(Trigger::Http), Trigger::deserialize).map_err(|error| bad(&error))?,
            replay_of: row.replay_of.map(ExecutionId),
            request_id: row.request_id,
            method: row.method.unwrap_or_else(|| "GET".into()).into(),
            path: row.path.into(),
            status: u16::try_from(row.status).map_err(|error| bad(&error))?,
            outcome: usize::try_from(row.outcome)
                .ok()
                .and_then(|number| Outcome::ALL.get(number).copied())
                .ok_or_else(|| bad(&"unknown outcome"))?,
            response_type: row.response_type.map(Into::into),
            response_bytes: row.response_bytes.map(i64::unsigned_abs),
            duration_us: row.duration_us.unsigned_abs(),
            operations: row.operations.unsigned_abs(),
            peak_memory_bytes: row.peak_memory_bytes.unsigned_abs(),
            logs: logs.into_iter().map(|(at_us, level, message)| LogLine { at_us, level, message }).collect(),
            logs_dropped: u32::try_from(row.logs_dropped).map_err(|error| bad(&error))?,
            effects,
            effects_dropped,
            events: events.unwrap_or_default(),
            failure,
            captured,
            capture: None,
        })
    }
}
