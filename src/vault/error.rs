//! What can go wrong with secrets. No message holds a value.

use super::{KeyError, MAX_SECRETS, MAX_VALUE_BYTES};
use crate::{function::grants::secret::SecretName, store::StoreError};

/// Why secrets were not changed or not read.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no key to seal with.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is there was sealed with another key. Says which, and what to do.
    #[error("nothing was changed: {0}")]
    Locked(String),
    /// A value is empty.
    #[error("the value of `{0}` is empty")]
    Empty(SecretName),
    /// A value is too long.
    #[error("the value of `{0}` has more than {MAX_VALUE_BYTES} bytes")]
    TooLong(SecretName),
    /// There are too many.
    #[error("there would be more than {MAX_SECRETS} secrets")]
    TooMany,
    /// There is no such secret.
    #[error("there is no secret `{0}`\n  hint: `picloud secret list` lists them")]
    Unknown(SecretName),
}
