//! What an argument stands for that is a string, a blob or a secret.

use std::borrow::Cow;

use super::{
    HostError,
    secret::{NO_SECRETS, SecretText},
};
use crate::capability::secret::Secrets;
use crate::engine::value::plain::Value;

/// Bytes of the longest key. An RSA key of 8,192 bits takes 6,400 as a PEM.
const MAX_KEY_BYTES: usize = 16 << 10;

/// Returns the values that an argument of the type [`BytesOrSecret`](super::Type::BytesOrSecret) stands for: one, and while a secret is
/// rotated the one before, too.
pub fn values<'a>(secrets: Option<&dyn Secrets>, argument: &'a Value) -> Result<Vec<Cow<'a, [u8]>>, HostError> {
    match argument.as_object::<SecretText>() {
        Some(secret) => Ok(secret.accepted(secrets.ok_or(NO_SECRETS)?)?.into_iter().map(|value| Cow::Owned(value.into_bytes())).collect()),
        None => Ok(argument.as_bytes().map(Cow::Borrowed).into_iter().collect()),
    }
}

/// Returns them as keys, at least one. The first is the one to sign with; a signature by any of them is good.
pub fn accepted<'a>(secrets: Option<&dyn Secrets>, name: &str, argument: &'a Value) -> Result<Vec<Cow<'a, [u8]>>, HostError> {
    let keys = values(secrets, argument)?;
    if keys.is_empty() || keys.iter().any(|key| key.is_empty()) {
        return Err(format!("`{name}` is empty: with it anybody could sign").into());
    }
    match keys.iter().find(|key| key.len() > MAX_KEY_BYTES) {
        None => Ok(keys),
        Some(key) => Err(format!("`{name}` has {} bytes, and a key has at most {MAX_KEY_BYTES}", key.len()).into()),
    }
}
