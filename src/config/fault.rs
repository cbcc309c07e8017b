//! What reads and makes no sense: one setting alone, or two that do not go together. It is told with its place in `picloud.toml`, if that is
//! where it comes from.

use std::path::Path;

use super::{ConfigError, redact::may_hold_secret};
use crate::function::{Diagnostic, toml_text};

/// What makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{message}{}", hint.as_ref().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default())]
pub struct Fault {
    /// The settings that it is about, as `section.key`. Its place is that of the first that is in the file.
    keys: Vec<String>,
    message: String,
    hint: Option<String>,
}

impl Fault {
    /// Says what is wrong with these settings; what to do about it goes into `hint`.
    pub fn new(keys: &[&str], message: impl Into<String>) -> Self {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Self { keys, message: message.into(), hint: None }
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Tells it with its place in the file of this text, and with the line unless that may hold a secret. Settings that `are_elsewhere`, in flags or in the environment, have none there.
    pub fn at(self, path: &Path, text: &str, are_elsewhere: &[&str]) -> ConfigError {
        let in_file = self.keys.iter().filter(|key| !are_elsewhere.contains(&key.as_str()));
        let Some((key, position)) = in_file.filter_map(|key| Some((key, toml_text::position_of(text, key)?))).next() else {
            return ConfigError::Impossible(self);
        };
        let is_shown = !may_hold_secret(key);
        let diagnostic = Diagnostic::error(path.display().to_string(), self.message).maybe_hint(self.hint).at(text, position);
        let source_line = diagnostic.source_line.clone().filter(|_| is_shown);
        ConfigError::Wrong(Box::new(Diagnostic { source_line, ..diagnostic }))
    }
}
