//! Random values. A replay gives the same again.

use uuid::Builder;

use crate::engine::host::{Call, HostError, HostResult, encoding::BASE64};
use base64::Engine as _;

/// Most random bytes of one call.
const MAX_RANDOM: usize = 64 << 10;

pub(super) fn random(call: &mut Call<'_>) -> HostResult {
    let count = call.int(0).unwrap_or_default();
    match usize::try_from(count) {
        Ok(count) if count <= MAX_RANDOM => Ok(bytes(call, count)?.into()),
        _ => Err(format!("`count` is a whole number from 0 to {MAX_RANDOM}, not {count}").into()),
    }
}

pub(super) fn uuid(call: &mut Call<'_>) -> HostResult {
    let random = array(call)?;
    Ok(Builder::from_random_bytes(random).into_uuid().to_string().into())
}

pub(super) fn uuid7(call: &mut Call<'_>) -> HostResult {
    let time_ms = call.now_us()?.max(0) as u64 / 1_000;
    let random = array(call)?;
    Ok(Builder::from_unix_timestamp_millis(time_ms, &random).into_uuid().to_string().into())
}

/// Returns as many random bytes as there is room for.
pub(super) fn array<const N: usize>(call: &mut Call<'_>) -> Result<[u8; N], HostError> {
    bytes(call, N)?.try_into().map_err(|_| "the recorded random bytes are others".into())
}

fn bytes(call: &mut Call<'_>, count: usize) -> Result<Vec<u8>, HostError> {
    call.reserve(4 * count)?;
    let mut random = vec![0; count];
    getrandom::fill(&mut random).map_err(|error| format!("the system gives no random bytes: {error}"))?;
    let kept: String = call.observe(&format!("{count} random bytes"), || BASE64.encode(&random))?;
    BASE64.decode(kept).map_err(|_| "the recorded random bytes cannot be read".into())
}
