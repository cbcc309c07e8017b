//! The module `crypto`: hashes, signatures, passwords and random values.

mod ed25519;
mod password;
mod random;

use sha2::{Digest as _, Sha256, Sha512};

use super::{Call, HostFunction, HostModule, HostResult, Kind, Parameter, Type, keys};
use crate::{
    secret::is_equal,
    signature::{Hash, hmac},
};

/// The module.
pub static MODULE: HostModule = HostModule {
    name: "crypto",
    about: "Hashes, signs, keeps passwords, and makes random values.",
    functions: &[
        HostFunction::pure("sha256", DATA, "blob", "Gives the SHA-256 of the data: 32 bytes.", |call| {
            Ok(Sha256::digest(call.bytes(0)).to_vec().into())
        }),
        HostFunction::pure("sha512", DATA, "blob", "Gives the SHA-512 of the data: 64 bytes.", |call| {
            Ok(Sha512::digest(call.bytes(0)).to_vec().into())
        }),
        HostFunction::pure("hmac_sha256", KEY_AND_DATA, "blob", "Gives the HMAC-SHA-256 of the data: 32 bytes.", hmac_sha256),
        HostFunction::pure("equal", BOTH, "boolean", "Compares in constant time, for what nobody may guess.", equal),
        held("random", COUNT, "blob", "Gives so many random bytes, at most 65,536.", random::random),
        held("uuid", &[], "string", "Gives a random UUID (version 4).", random::uuid),
        held("uuid7", &[], "string", "Gives a UUID that begins with the time (version 7).", random::uuid7),
        waits("password_hash", PASSWORD, "string", "Gives what to keep of a password: an argon2id hash with its salt.", password::hash),
        waits("password_verify", PASSWORD_AND_HASH, "boolean", "Says whether a password is the one of a hash.", password::verify),
        HostFunction::pure("ed25519_sign", SIGN, "blob", "Signs the data with a private key: 64 bytes.", ed25519::sign),
        HostFunction::pure(
            "ed25519_verify",
            VERIFY,
            "boolean",
            "Says whether a signature of the data is by a public key's owner.",
            ed25519::verify,
        ),
    ],
};

const DATA: &[Parameter] = &[Parameter::new("data", Type::Bytes)];
const KEY_AND_DATA: &[Parameter] = &[Parameter::new("key", Type::BytesOrSecret), Parameter::new("data", Type::Bytes)];
const BOTH: &[Parameter] = &[Parameter::new("one", Type::BytesOrSecret), Parameter::new("other", Type::BytesOrSecret)];
const COUNT: &[Parameter] = &[Parameter::new("count", Type::Int)];
const PASSWORD: &[Parameter] = &[Parameter::new("password", Type::Text)];
const PASSWORD_AND_HASH: &[Parameter] = &[Parameter::new("password", Type::Text), Parameter::new("hash", Type::Text)];
const SIGN: &[Parameter] = &[Parameter::new("private_key", Type::BytesOrSecret), Parameter::new("data", Type::Bytes)];
const VERIFY: &[Parameter] =
    &[Parameter::new("public_key", Type::BytesOrSecret), Parameter::new("data", Type::Bytes), Parameter::new("signature", Type::Bytes)];

type Work = fn(&mut Call<'_>) -> HostResult;

const fn held(name: &'static str, takes: &'static [Parameter], gives: &'static str, about: &'static str, work: Work) -> HostFunction {
    HostFunction::new(name, takes, gives, Kind::Held, about, work)
}

const fn waits(name: &'static str, takes: &'static [Parameter], gives: &'static str, about: &'static str, work: Work) -> HostFunction {
    HostFunction::new(name, takes, gives, Kind::Waits, about, work)
}

fn hmac_sha256(call: &mut Call<'_>) -> HostResult {
    let secrets = call.secrets();
    let keys = keys::accepted(secrets.as_deref(), "key", call.argument(0))?;
    Ok(hmac(Hash::Sha256, &keys[0], &[call.bytes(1)]).as_ref().to_vec().into())
}

fn equal(call: &mut Call<'_>) -> HostResult {
    let secrets = call.secrets();
    let others = keys::values(secrets.as_deref(), call.argument(1))?;
    let is_equal = keys::values(secrets.as_deref(), call.argument(0))?.iter().any(|one| others.iter().any(|other| is_equal(one, other)));
    Ok(is_equal.into())
}
