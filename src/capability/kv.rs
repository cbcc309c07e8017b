//! Key-value: small values that outlive a run, by namespace and key.
//!
//! A key has a version. Each write gives it a higher one, also after it was deleted. So a write that names the version that it has read
//! cannot undo the write of another.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::function::grants::kv::Namespace;

/// Bytes of a key.
pub const MAX_KEY_BYTES: usize = 512;
/// Bytes of a value, as JSON.
pub const MAX_VALUE_BYTES: usize = 64 << 10;
/// Entries of a page.
pub const MAX_PAGE: u32 = 1_000;
/// The largest version: databases count in 63 bits.
pub const MAX_VERSION: u64 = i64::MAX as u64;
/// The longest time to live: ten years of 365 days.
pub const MAX_TTL: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Keeps values. A write that was answered stays, whatever happens to the node. No read sees an entry whose time is over.
#[async_trait]
pub trait KeyValue: Send + Sync {
    /// Returns what is kept under a key.
    async fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Entry>, KvError>;

    /// Keeps a value under a key, if the key has the version that is wanted.
    async fn set(&self, namespace: &Namespace, key: &Key, set: Set) -> Result<SetResult, KvError>;

    /// Adds to the number under a key, and returns the sum. A key that is not there counts as 0.
    async fn add(&self, namespace: &Namespace, key: &Key, add: Add) -> Result<i64, KvError>;

    /// Removes a key. Returns whether it was there.
    async fn delete(&self, namespace: &Namespace, key: &Key) -> Result<bool, KvError>;

    /// Returns entries in the order of the bytes of their keys.
    async fn list(&self, namespace: &Namespace, range: &Range) -> Result<EntryPage, KvError>;
}

/// What [`KeyValue::set`] does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// What to keep.
    pub value: Json,
    /// How long; none: until it is deleted, also if the entry had an end before.
    pub ttl: Option<Ttl>,
    /// The version that the key must have; 0: it must not be there; none: whatever it has.
    pub if_version: Option<u64>,
}

/// What [`KeyValue::add`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Add {
    /// What to add; it may be negative.
    pub delta: i64,
    /// How long the entry stays, if this makes it. An entry that is there keeps its end.
    pub ttl: Option<Ttl>,
}

/// How [`KeyValue::set`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetResult {
    /// The value is kept, and this is the key's version now.
    Done(u64),
    /// The key has this version and not the one that was wanted; 0: it is not there. Nothing was changed.
    Conflict(u64),
}

/// What is kept under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The value.
    pub value: Json,
    /// Rises with each write to the key, also after it was deleted.
    pub version: u64,
    /// When its time is over, in microseconds since 1970; none: it has no end.
    pub expires_us: Option<i64>,
}

/// An entry, and its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyedEntry {
    /// Its key.
    pub key: Key,
    /// What is kept.
    pub entry: Entry,
}

/// Some entries of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPage {
    /// By their keys.
    pub entries: Vec<KeyedEntry>,
    /// There are more after this key; none: there are not.
    pub next: Option<Key>,
}

/// Which entries a list has: those whose keys begin with `prefix` and come after `after`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// None: whatever the keys begin with.
    pub prefix: Option<Key>,
    /// None: from the first key on.
    pub after: Option<Key>,
    /// Entries at most, from 1 to [`MAX_PAGE`].
    limit: u32,
    /// Bytes of values at most. One value of any size fits.
    max_bytes: usize,
}

impl Range {
    /// Returns a range with at most so many entries, and bytes of values. Fewer bytes than the largest value has count as that.
    pub fn new(prefix: Option<Key>, after: Option<Key>, limit: u32, max_bytes: usize) -> Result<Self, KvError> {
        match (1..=MAX_PAGE).contains(&limit) {
            true => Ok(Self { prefix, after, limit, max_bytes: max_bytes.max(MAX_VALUE_BYTES) }),
            false => Err(KvError::Limit(limit)),
        }
    }

    /// Returns how many entries there may be.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Returns how many bytes their values may have.
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }
}

/// A key: 1 to 512 bytes of UTF-8 without control characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Key(Arc<str>);

impl Key {
    /// Returns its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Key {
    type Err = KvError;

    fn from_str(text: &str) -> Result<Self, KvError> {
        if !(1..=MAX_KEY_BYTES).contains(&text.len()) {
            return Err(KvError::KeyLength(text.len()));
        }
        match text.char_indices().find(|(_, c)| c.is_control()) {
            Some((at, c)) => Err(KvError::KeyControl { at, code: c.into() }),
            None => Ok(Self(text.into())),
        }
    }
}

impl TryFrom<String> for Key {
    type Error = KvError;

    fn try_from(text: String) -> Result<Self, KvError> {
        text.parse()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A value: JSON of at most 64 KiB, which is not nested deeper than readers follow (127 arrays and maps).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Json(Arc<str>);

impl Json {
    /// Returns its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns it as a value.
    pub fn value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).expect("it was read before")
    }
}

impl FromStr for Json {
    type Err = KvError;

    fn from_str(text: &str) -> Result<Self, KvError> {
        let text = text.trim_ascii();
        if text.len() > MAX_VALUE_BYTES {
            return Err(KvError::ValueTooLarge(text.len()));
        }
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(_) => Ok(Self(text.into())),
            Err(why) => Err(KvError::NotJson(why.to_string())),
        }
    }
}

impl TryFrom<String> for Json {
    type Error = KvError;

    fn try_from(text: String) -> Result<Self, KvError> {
        text.parse()
    }
}

/// Values are data of users: a log does not show them.
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

/// Characters of a time to live that an error repeats.
const LONGEST_TTL: usize = 64;

/// How long an entry stays: from 1 ms to ten years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Duration", into = "Duration")]
pub struct Ttl(Duration);

impl Ttl {
    /// Returns when it is over for an entry that is written now, in microseconds since 1970.
    pub fn end_us(self, now_us: i64) -> i64 {
        now_us.saturating_add(i64::try_from(self.0.as_micros()).unwrap_or(i64::MAX))
    }
}

impl FromStr for Ttl {
    type Err = KvError;

    fn from_str(text: &str) -> Result<Self, KvError> {
        let time = humantime::parse_duration(text).map_err(|_| KvError::NotTtl(text.chars().take(LONGEST_TTL).collect()))?;
        time.try_into()
    }
}

impl TryFrom<Duration> for Ttl {
    type Error = KvError;

    fn try_from(time: Duration) -> Result<Self, KvError> {
        if (Duration::from_millis(1)..=MAX_TTL).contains(&time) { Ok(Self(time)) } else { Err(KvError::Ttl(time)) }
    }
}

impl From<Ttl> for Duration {
    fn from(Ttl(time): Ttl) -> Self {
        time
    }
}

/// Why something was not done. Nothing of a value or of the database is in it, so that any caller may read it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvError {
    /// The key is empty or too long. In bytes.
    #[error("a key has 1 to {MAX_KEY_BYTES} bytes, and this one has {0}")]
    KeyLength(usize),
    /// The key holds what terminals and databases take for more than a character.
    #[error("a key holds no control characters, and this one has U+{code:04X} after {at} bytes")]
    KeyControl {
        /// Bytes before it.
        at: usize,
        /// Its number.
        code: u32,
    },
    /// The value has too many bytes, as JSON.
    #[error("a value has at most {MAX_VALUE_BYTES} bytes as JSON, and this one has {0}: keep large things elsewhere, and their place here")]
    ValueTooLarge(usize),
    /// The value is no JSON.
    #[error("the value is not JSON: {0}")]
    NotJson(String),
    /// The time to live makes no sense.
    #[error("a time to live is 1ms to 3650d, and not {}", humantime::format_duration(*.0))]
    Ttl(Duration),
    /// The text is no time.
    #[error("`{0}` is not a time to live: write it like \"90s\", \"1h\" or \"30d\"")]
    NotTtl(String),
    /// A page cannot have so many entries.
    #[error("a list has 1 to {MAX_PAGE} entries at once, and not {0}: ask again for what follows the last key")]
    Limit(u32),
    /// No key has such a version.
    #[error("a version is at most {MAX_VERSION}, and not {0}")]
    Version(u64),
    /// Something else than a whole number is kept there.
    #[error("the value of `{0}` is not a whole number, so nothing can be added to it")]
    NotInteger(Key),
    /// The sum has no room in 64 bits.
    #[error("the sum in `{0}` would have more than 64 bits")]
    SumTooLarge(Key),
    /// The namespace holds as many keys as it may.
    #[error("the namespace `{namespace}` is full: it may hold {limit} keys (`max_keys` in the section `[kv]` of picloud.toml)")]
    TooManyKeys {
        /// Which.
        namespace: Namespace,
        /// How many it may hold.
        limit: u64,
    },
    /// The namespace holds as many bytes as it may.
    #[error("the namespace `{namespace}` is full: it may hold {limit} bytes (`max_bytes` in the section `[kv]` of picloud.toml)")]
    TooManyBytes {
        /// Which.
        namespace: Namespace,
        /// How many it may hold.
        limit: u64,
    },
    /// The database does not answer now, or must not be written to. A write may have been done.
    #[error("the key-value store does not answer now: a write may have been done, or not")]
    Away,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_value_or_time_says_why() {
        let key = |text: &str| text.parse::<Key>().map_or_else(|error| error.to_string(), |key| key.to_string());
        assert_eq!(key("user:ä/1 %"), "user:ä/1 %");
        assert_eq!(key(&"k".repeat(MAX_KEY_BYTES)).len(), MAX_KEY_BYTES);
        assert_eq!(key(""), "a key has 1 to 512 bytes, and this one has 0");
        assert_eq!(key(&"ä".repeat(257)), "a key has 1 to 512 bytes, and this one has 514");
        assert_eq!(key("ä\n"), "a key holds no control characters, and this one has U+000A after 2 bytes");
        assert_eq!(key("\u{85}"), "a key holds no control characters, and this one has U+0085 after 0 bytes");

        let value = |text: &str| text.parse::<Json>().map_or_else(|error| error.to_string(), |value| value.as_str().to_owned());
        assert_eq!(value(" {\"a\": [1, null]}\n"), "{\"a\": [1, null]}");
        let string = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
        assert_eq!(value(&string(MAX_VALUE_BYTES)).len(), MAX_VALUE_BYTES);
        assert!(value(&string(MAX_VALUE_BYTES + 1)).starts_with("a value has at most 65536 bytes as JSON, and this one has 65537"));
        assert_eq!(value("{a: 1}"), "the value is not JSON: key must be a string at line 1 column 2");
        assert_eq!(value(""), "the value is not JSON: EOF while parsing a value at line 1 column 0");
        assert!(value(&"[".repeat(1_000)).contains("recursion limit"));

        let ttl = |time: Duration| Ttl::try_from(time).map_or_else(|error| error.to_string(), |ttl| ttl.end_us(5).to_string());
        assert_eq!(ttl(Duration::from_secs(1)), "1000005");
        assert_eq!(ttl(Duration::ZERO), "a time to live is 1ms to 3650d, and not 0s");
        assert!(ttl(MAX_TTL + Duration::from_secs(1)).contains("and not 9years"));

        let written = |text: &str| text.parse::<Ttl>().map_or_else(|error| error.to_string(), |ttl| ttl.end_us(0).to_string());
        assert_eq!(written("1m 30s"), "90000000");
        assert_eq!(written("soon"), "`soon` is not a time to live: write it like \"90s\", \"1h\" or \"30d\"");
        assert_eq!(written("0s"), "a time to live is 1ms to 3650d, and not 0s");

        let limit = |limit| Range::new(None, None, limit, 0).map_or_else(|error| error.to_string(), |range| range.limit().to_string());
        assert_eq!([limit(1), limit(MAX_PAGE)], ["1", "1000"]);
        assert!(limit(0).starts_with("a list has 1 to 1000 entries at once, and not 0"));
        assert!(limit(MAX_PAGE + 1).ends_with("and not 1001: ask again for what follows the last key"));
    }

    #[test]
    fn what_is_kept_for_a_replay_reads_back() {
        let entry = Entry { value: "{\"a\":1}".parse().unwrap(), version: 7, expires_us: Some(9) };
        let page = EntryPage { entries: vec![KeyedEntry { key: "a".parse().unwrap(), entry }], next: Some("a".parse().unwrap()) };
        assert_eq!(serde_json::from_value::<EntryPage>(serde_json::to_value(&page).unwrap()).unwrap(), page);
        let error = KvError::TooManyKeys { namespace: "a".parse().unwrap(), limit: 7 };
        assert_eq!(serde_json::from_value::<KvError>(serde_json::to_value(&error).unwrap()).unwrap(), error);
        assert_eq!(format!("{:?}", page.entries[0].entry.value), "Json(7 bytes)");
    }
}
