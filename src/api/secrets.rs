//! Secrets: what there is, and the values that they are to have. No answer holds a value.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    audit::{Action, AuditEntry, AuditFilter, PAGE},
    clock::rfc3339,
    function::{FunctionName, grants::secret::SecretName},
    vault::{self, SetOutcome},
};

/// Values for secrets: all are set, or none.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretOrder {
    /// By name. A name has 1 to 64 capital letters, digits and `_`, and begins with a letter. A value has 1 to 65,536 bytes.
    #[schema(value_type = BTreeMap<String, String>)]
    pub values: BTreeMap<SecretName, SecretText>,
    /// How long the values before are accepted: `24h` if nothing is said, `0s`: not at all.
    #[serde(default)]
    pub keep_previous: Option<String>,
}

/// The text of a value. Nothing shows it, not even an error about an order.
#[derive(Serialize)]
#[serde(transparent)]
pub struct SecretText(pub String);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            _ => Err(D::Error::custom("the value of a secret is a text")),
        }
    }
}

/// What became of secrets.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SecretChanges {
    /// These are new.
    pub created: Vec<SecretName>,
    /// These have another value than before.
    pub changed: Vec<SecretName>,
    /// These had this value.
    pub unchanged: Vec<SecretName>,
}

impl FromIterator<(SecretName, SetOutcome)> for SecretChanges {
    fn from_iter<I: IntoIterator<Item = (SecretName, SetOutcome)>>(outcomes: I) -> Self {
        let mut changes = Self::default();
        for (name, outcome) in outcomes {
            match outcome {
                SetOutcome::Created => changes.created.push(name),
                SetOutcome::Changed => changes.changed.push(name),
                SetOutcome::Unchanged => changes.unchanged.push(name),
            }
        }
        changes
    }
}

/// Every secret of the database.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SecretList {
    /// By name.
    pub secrets: Vec<SecretSummary>,
    /// What files name and nobody has set.
    #[serde(default)]
    pub wanted: Vec<WantedSecret>,
    /// Why some of them cannot be opened, and what to do; none if all can.
    pub problem: Option<String>,
}

/// A secret that is not there.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WantedSecret {
    /// Its name.
    pub name: SecretName,
    /// The functions whose front-matter names it.
    pub wanted_by: Vec<FunctionName>,
}

impl From<(SecretName, Vec<FunctionName>)> for WantedSecret {
    fn from((name, wanted_by): (SecretName, Vec<FunctionName>)) -> Self {
        Self { name, wanted_by }
    }
}

/// Who set secrets last, as far as the audit log was read.
#[derive(Debug, Default)]
pub struct Setters(BTreeMap<String, String>);

impl Setters {
    /// Which entries of the audit log tell it: those of a whole page.
    pub fn filter() -> AuditFilter {
        AuditFilter { action: Some(Action::SecretSet), limit: PAGE.1, ..AuditFilter::default() }
    }

    /// Returns who set a secret last; none: that was longer ago.
    pub fn of(&self, name: &SecretName) -> Option<String> {
        self.0.get(name.as_str()).cloned()
    }
}

impl FromIterator<AuditEntry> for Setters {
    /// Reads entries, the newest first.
    fn from_iter<I: IntoIterator<Item = AuditEntry>>(entries: I) -> Self {
        let mut setters = BTreeMap::new();
        for entry in entries {
            let names = ["created", "changed"].into_iter().filter_map(|key| entry.detail[key].as_array()).flatten();
            for name in names.filter_map(Value::as_str) {
                setters.entry(name.to_owned()).or_insert_with(|| entry.who.clone());
            }
        }
        Self(setters)
    }
}

/// A secret without its value.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SecretSummary {
    /// Its name.
    pub name: SecretName,
    /// When its value was set.
    pub set: String,
    /// Who set it; none: that was too long ago, or it came with a backup.
    #[serde(default)]
    pub set_by: Option<String>,
    /// Until when the value before is accepted; none: it is not.
    pub previous_until: Option<String>,
    /// Whether this node has the key that opens it.
    pub is_readable: bool,
    /// The live functions whose front-matter names it.
    pub used_by: Vec<FunctionName>,
}

impl SecretSummary {
    /// Says what there is to know of a secret that these functions use.
    pub fn of(secret: vault::ListedSecret, used_by: Vec<FunctionName>, setters: &Setters) -> Self {
        Self {
            set_by: setters.of(&secret.name),
            name: secret.name,
            set: rfc3339(secret.set_us),
            previous_until: secret.previous_until_us.map(rfc3339),
            is_readable: secret.is_readable,
            used_by,
        }
    }
}
