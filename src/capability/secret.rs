//! Secrets: values that functions use and nobody reads.

use std::{collections::BTreeSet, sync::Arc};

use crate::{function::grants::secret::SecretName, secret::Secret};

/// The values of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretValues {
    /// The value to use.
    pub current: Arc<Secret>,
    /// While a secret is rotated: the value before, which is still accepted where somebody else proves that they know the secret.
    pub previous: Option<Arc<Secret>>,
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSecret {
    /// Nobody has set it.
    #[error("there is no secret `{0}`")]
    NotSet(SecretName),
    /// It was sealed with another key than this node has, or is damaged.
    #[error("the secret `{0}` cannot be opened: this node does not have the key that it was sealed with")]
    Locked(SecretName),
    /// The database has not answered since the node started.
    #[error("the secret `{0}` is not known yet: the database has not answered since the node started")]
    NotKnown(SecretName),
}

impl NoSecret {
    /// Returns what to do.
    pub fn hint(&self) -> String {
        match self {
            Self::NotSet(name) => set_hint(name),
            Self::Locked(_) => "`picloud secret list` says which key is missing".into(),
            Self::NotKnown(_) => "`picloud status` says why; try again".into(),
        }
    }
}

/// Returns the command that sets a secret, as a hint.
pub fn set_hint(name: &SecretName) -> String {
    format!("`picloud secret set {name}` asks for its value")
}

/// Knows the values of secrets. All that it is asked is in memory.
pub trait Secrets: Send + Sync {
    /// Returns the values of a secret.
    fn get(&self, name: &SecretName) -> Result<SecretValues, NoSecret>;

    /// Returns the names of all secrets, also of those that cannot be opened.
    fn names(&self) -> BTreeSet<SecretName>;

    /// Returns those of these secrets that nobody has set. While that is not known, none: what needs one fails when it runs.
    fn missing<'a>(&self, names: &'a [SecretName]) -> Vec<&'a SecretName> {
        names.iter().filter(|name| matches!(self.get(name), Err(NoSecret::NotSet(_)))).collect()
    }
}
