//! What is kept of passwords: argon2id (RFC 9106), with the parameters that OWASP's password storage cheat sheet names first.
//!
//! A hash takes tens of milliseconds and megabytes on purpose. So it is computed where runs may take long, and few at once.

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

use super::random;
use crate::engine::host::{Call, HostError, HostResult};

/// Memory of a new hash, in KiB.
const MEMORY_KIB: u32 = 19 << 10;
/// Passes over that memory.
const PASSES: u32 = 2;
/// Bytes of a new hash.
const HASH_BYTES: usize = 32;

/// Bytes of the longest password.
const MAX_PASSWORD_BYTES: usize = 4 << 10;
/// Most memory of a hash that was made elsewhere, in KiB. PHP and Python take as much by default.
const MAX_MEMORY_KIB: u32 = 64 << 10;
/// Most work of such a hash: KiB times passes. It is four passes over the most memory, some 150 ms.
const MAX_WORK: u64 = 4 * MAX_MEMORY_KIB as u64;
/// Most lanes of such a hash.
const MAX_LANES: u32 = 16;

/// Hashes that the node computes at once.
static PLACES: Semaphore = Semaphore::const_new(4);

pub(super) fn hash(call: &mut Call<'_>) -> HostResult {
    if !(1..=MAX_PASSWORD_BYTES).contains(&call.text(0).len()) {
        return Err(format!("a password has 1 to {MAX_PASSWORD_BYTES} bytes").into());
    }
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(HASH_BYTES)).map_err(|error| error.to_string())?;
    let salt: [u8; 16] = random::array(call)?;
    let hash = compute(call, params, &salt)?;
    let [salt, hash] = [&salt[..], &hash].map(|bytes| BASE64_STANDARD_NO_PAD.encode(bytes));
    Ok(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1${salt}${hash}").into())
}

pub(super) fn verify(call: &mut Call<'_>) -> HostResult {
    let (params, salt, expected) = parse(call.text(1))?;
    if call.text(0).len() > MAX_PASSWORD_BYTES {
        return Ok(false.into());
    }
    let hash = compute(call, params, &salt)?;
    Ok(bool::from(hash.ct_eq(&expected)).into())
}

/// Reads a hash, and refuses one that would take too much memory or time.
fn parse(text: &str) -> Result<(Params, Vec<u8>, Vec<u8>), HostError> {
    const NO_HASH: &str = "`hash` is none that `crypto::password_hash` gives: `$argon2id$v=19$m=…,t=…,p=…$…$…`";
    let parsed = PasswordHash::new(text).map_err(|_| NO_HASH)?;
    let is_known = parsed.algorithm.as_str() == "argon2id" && parsed.version == Some(u32::from(Version::V0x13));
    let (Some(salt), Some(hash), true) = (&parsed.salt, &parsed.hash, is_known) else { return Err(NO_HASH.into()) };
    let params = Params::try_from(&parsed).map_err(|_| NO_HASH)?;
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    if memory > MAX_MEMORY_KIB || u64::from(memory) * u64::from(passes) > MAX_WORK || lanes > MAX_LANES {
        let most = format!("at most m={MAX_MEMORY_KIB}, m × t = {MAX_WORK} and p={MAX_LANES}");
        return Err(format!("`hash` has m={memory},t={passes},p={lanes}, which takes too much: {most}").into());
    }
    Ok((params, salt.as_ref().to_vec(), hash.as_bytes().to_vec()))
}

/// Computes the hash of the password that is the first argument, on this thread and with the run's memory.
fn compute(call: &mut Call<'_>, params: Params, salt: &[u8]) -> Result<Vec<u8>, HostError> {
    let _place = call.wait(async || PLACES.acquire().await)?;
    let blocks = params.block_count();
    call.reserve(blocks * Block::SIZE)?;
    let (mut memory, mut hash) = (vec![Block::default(); blocks], vec![0; params.output_len().unwrap_or(HASH_BYTES)]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2
        .hash_password_into_with_memory(call.text(0).as_bytes(), salt, &mut hash, &mut memory)
        .map_err(|error| format!("the hash cannot be computed: {error}"))?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_that_takes_too_much_is_refused_before_it_is_computed() {
        let hash = |parameters: &str| format!("$argon2id$v=19${parameters}$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        for good in ["m=19456,t=2,p=1", "m=65536,t=4,p=4", "m=65536,t=3,p=16", "m=8,t=1,p=1"] {
            assert!(parse(&hash(good)).is_ok(), "{good}");
        }
        for absurd in ["m=65537,t=1,p=1", "m=4294967295,t=1,p=1", "m=65536,t=5,p=1", "m=1024,t=4294967295,p=1", "m=1024,t=1,p=17"] {
            let Err(HostError::Wrong(message)) = parse(&hash(absurd)) else { panic!("{absurd} is taken") };
            assert!(message.contains("takes too much"), "{message}");
        }
    }

    #[test]
    fn what_is_no_hash_is_told() {
        for text in [
            "",
            "secret",
            "$2b$12$abcdefghijklmnopqrstuv",
            "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=16$m=8,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=8,t=1,p=1",
        ] {
            let Err(HostError::Wrong(message)) = parse(text) else { panic!("{text} is taken") };
            assert!(message.starts_with("`hash` is none"), "{message}");
        }
    }
}
