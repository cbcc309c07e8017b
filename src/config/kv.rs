//! The section `[kv]`: what each namespace of the key-value store may hold.

use serde::Deserialize;

use crate::{
    function::{quantity::Size, within::Within},
    store::KvLimits,
};

/// The section as it is written: every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KvFile {
    max_keys: Option<Within<u64, 1, 1_000_000_000_000>>,
    // At least the largest key with the largest value.
    max_bytes: Option<Within<Size, { 128 << 10 }, { 1 << 50 }>>,
}

impl KvFile {
    pub(super) fn resolve(&self) -> KvLimits {
        let default = KvLimits::default();
        KvLimits {
            max_keys: self.max_keys.map_or(default.max_keys, Within::get),
            max_bytes: self.max_bytes.map_or(default.max_bytes, |size| size.get().0),
        }
    }
}
