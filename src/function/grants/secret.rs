//! The name of a secret.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Characters of a secret's name.
pub const MAX_SECRET_NAME: usize = 64;

/// The name of a secret, as in the environment of a process: `STRIPE_KEY`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct SecretName(Arc<str>);

impl SecretName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that cannot name a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` cannot name a secret\nhint: {}", shown.escape_debug(), hint)]
pub struct SecretNameError {
    /// The beginning of the text.
    shown: String,
    /// What to do.
    hint: String,
}

impl FromStr for SecretName {
    type Err = SecretNameError;

    fn from_str(text: &str) -> Result<Self, SecretNameError> {
        if is_name(text) {
            return Ok(Self(text.into()));
        }
        let shown: String = text.chars().take(MAX_SECRET_NAME).collect();
        let near = near(&shown);
        let hint = match near {
            _ if text.len() > MAX_SECRET_NAME => format!("a name has {MAX_SECRET_NAME} characters at most"),
            near if is_name(&near) => format!("write `{near}`: a name has capital letters, digits and `_`, and begins with a letter"),
            _ => "a name has capital letters, digits and `_`, and begins with a letter: `STRIPE_KEY`".into(),
        };
        Err(SecretNameError { shown, hint })
    }
}

fn is_name(text: &str) -> bool {
    (1..=MAX_SECRET_NAME).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Returns what was probably meant: `stripe-key` is `STRIPE_KEY`.
fn near(text: &str) -> String {
    let parts = text.split(|c: char| "-. /".contains(c)).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("_").to_ascii_uppercase()
}

impl TryFrom<String> for SecretName {
    type Error = SecretNameError;

    fn try_from(text: String) -> Result<Self, SecretNameError> {
        text.parse()
    }
}

impl From<SecretName> for String {
    fn from(name: SecretName) -> Self {
        name.0.as_ref().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_an_environment() {
        let longest = "A".repeat(MAX_SECRET_NAME);
        for name in ["A", "STRIPE_KEY", "S3_", &longest] {
            assert_eq!(name.parse::<SecretName>().map(String::from).as_deref(), Ok(name));
        }
    }

    #[test]
    fn another_text_is_told_with_what_to_write() {
        let told = |text: &str| text.parse::<SecretName>().unwrap_err().to_string();
        for (text, hint) in [
            ("stripe-key", "write `STRIPE_KEY`"),
            ("Stripe.Key", "write `STRIPE_KEY`"),
            (" KEY", "write `KEY`"),
            ("", "`STRIPE_KEY`"),
            ("_A", "begins with a letter"),
            ("1A", "begins with a letter"),
            ("A=B", "capital letters"),
            ("ÄRGER", "capital letters"),
            ("A\0", "capital letters"),
            ("A\n", "capital letters"),
            (&"A".repeat(MAX_SECRET_NAME + 1), "64 characters at most"),
        ] {
            let told = told(text);
            assert!(told.contains("cannot name a secret\nhint: ") && told.contains(hint), "{told}");
        }
        assert_eq!(told("A\n\u{1b}").lines().next(), Some("`A\\n\\u{1b}` cannot name a secret"));
        assert!(told(&"a".repeat(100_000)).len() < 200);
    }
}
