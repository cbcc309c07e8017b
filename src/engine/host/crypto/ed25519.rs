//! Signatures with Ed25519 (RFC 8032).

use ring::signature::{ED25519, UnparsedPublicKey};

use crate::engine::host::{
    Call, HostResult, keys,
    pem::{self, PublicKey},
};

const NO_PRIVATE_KEY: &str =
    "`private_key` is no Ed25519 key: it is a blob of 32 bytes, or a text that begins with `-----BEGIN PRIVATE KEY-----`";
const NO_PUBLIC_KEY: &str =
    "`public_key` is no Ed25519 key: it is a blob of 32 bytes, or a text that begins with `-----BEGIN PUBLIC KEY-----`";

pub(super) fn sign(call: &mut Call<'_>) -> HostResult {
    let secrets = call.secrets();
    let keys = keys::accepted(secrets.as_deref(), "private_key", call.argument(0))?;
    let pair = pem::ed25519_pair(&keys[0]).ok_or(NO_PRIVATE_KEY)?;
    Ok(pair.sign(call.bytes(1)).as_ref().to_vec().into())
}

pub(super) fn verify(call: &mut Call<'_>) -> HostResult {
    let (mut is_good, secrets) = (false, call.secrets());
    for key in keys::accepted(secrets.as_deref(), "public_key", call.argument(0))? {
        let Some(PublicKey::Ed25519(key)) = pem::public_key(&key) else { return Err(NO_PUBLIC_KEY.into()) };
        is_good |= UnparsedPublicKey::new(&ED25519, key).verify(call.bytes(1), call.bytes(2)).is_ok();
    }
    Ok(is_good.into())
}
