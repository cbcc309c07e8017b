//! A filter of executions, as conditions in SQL.

use crate::{
    execution::{Outcome, Trigger},
    id::{ExecutionId, LAST_NODE},
    store::{ExecutionFilter, Store, StoreError, database::Database},
};

/// A filter in SQL.
pub(super) struct Conditions {
    /// The condition on the rows that are looked through: none, or that of the partial index of trouble.
    pub among: &'static str,
    /// The condition on the rows that match. Empty: all do.
    pub sql: String,
    /// The parameters.
    pub texts: Vec<String>,
}

impl Store {
    /// Writes a filter in SQL. Returns none if no execution can match.
    pub(super) async fn conditions(&self, filter: &ExecutionFilter) -> Result<Option<Conditions>, StoreError> {
        let (mut sql, mut texts) = (String::new(), Vec::new());
        let is_trouble = filter.status.is_some_and(|status| *status.range().start() >= 400);
        let is_trouble = is_trouble || filter.outcome.is_some_and(|outcome| outcome != Outcome::Ok);
        // An expression keeps the database away from the other index with these columns: the partial index is the better one here.
        let (status_column, outcome_column) = if is_trouble { ("(status + 0)", "(outcome + 0)") } else { ("status", "outcome") };
        if let Some(function) = &filter.function {
            let Some(key) = self.word_key(function.as_str()).await? else { return Ok(None) };
            sql += &format!(" AND function_key = {key}");
        }
        if let Some(prefix) = &filter.prefix {
            texts.push(prefix.clone());
            let (length, number) = (prefix.chars().count(), texts.len());
            let is_one = format!("function_key IN (SELECT key FROM words WHERE substr(word, 1, {length}) = ${number})");
            sql += &match &self.database {
                // With `IS TRUE` Postgres makes one set of the words and looks up each row in it. Without, it may make a join that begins at the
                // words.
                Database::Postgres { .. } => format!(" AND ({is_one}) IS TRUE"),
                Database::Sqlite { .. } => format!(" AND {is_one}"),
            };
        }
        if let Some(version) = &filter.version {
            let keys = match version.is_whole() {
                true => self.word_key(version.as_str()).await?.into_iter().collect(),
                false => self.word_keys_below(version.as_str()).await?,
            };
            if keys.is_empty() {
                return Ok(None);
            }
            let keys: Vec<String> = keys.iter().map(i64::to_string).collect();
            sql += &format!(" AND version_key IN ({})", keys.join(","));
        }
        if let Some(deployment) = filter.deployment {
            sql += &format!(" AND deployment = {}", deployment.0);
        }
        if let Some(node) = filter.node {
            sql += &format!(" AND (id & {LAST_NODE}) = {node}");
        }
        if let Some(status) = filter.status {
            let range = status.range();
            sql += &format!(" AND {status_column} BETWEEN {} AND {}", range.start(), range.end());
        }
        if let Some(outcome) = filter.outcome {
            sql += &format!(" AND {outcome_column} = {}", outcome as i64);
        }
        match filter.trigger {
            None => {}
            Some(Trigger::Http) => sql += " AND invoked_by IS NULL",
            Some(trigger) => sql += &format!(" AND invoked_by = '{}'", trigger.as_str()),
        }
        if let Some(id) = &filter.request_id {
            texts.push(id.clone());
            let own = id.parse().map_or(-1, |ExecutionId(id)| id);
            sql += &format!(" AND (request_id = ${} OR (request_id IS NULL AND id = {own}))", texts.len());
        }
        if let Some(text) = &filter.text {
            // The text as it is inside the JSON. It may also be found in other parts of the JSON; `contains_text` sorts those out.
            let json = serde_json::Value::from(text.as_str()).to_string();
            texts.push(json[1..json.len() - 1].to_owned());
            let (position, number) = (self.database.position(), texts.len());
            sql += &format!(" AND ({position}(logs, ${number}) > 0 OR {position}(failure, ${number}) > 0)");
        }
        if filter.has_output {
            sql += " AND (logs IS NOT NULL OR logs_dropped > 0 OR failure IS NOT NULL)";
        }
        // The exact condition of the partial index: otherwise the databases do not see that the index applies.
        let among = if is_trouble { " AND (status >= 400 OR outcome <> 0)" } else { "" };
        Ok(Some(Conditions { among, sql, texts }))
    }
}
