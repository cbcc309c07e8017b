//! Lists of the key-value store. None has what is over.

use sqlx::FromRow;

use super::write::KvFailure;
use crate::{
    capability::kv::{Entry, EntryPage, Key, KeyedEntry, MAX_KEY_BYTES, Range},
    function::grants::kv::Namespace,
    store::{
        Store, StoreError,
        columns::columns,
        database::{read, read_kv},
    },
};

/// What a namespace holds. What is over counts until its row is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceSize {
    /// Which.
    pub namespace: Namespace,
    /// How many keys.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

impl Store {
    /// Returns entries by their keys. The database itself stops at the bytes that there may be.
    pub async fn kv_list(&self, namespace: &Namespace, range: &Range, now_us: i64) -> Result<EntryPage, KvFailure> {
        let (from, to) = bounds(range);
        let rows: Vec<ListedRow> = read_kv!(self, pool => sqlx::query_as(concat!(
            "SELECT key, ", columns!(kv_entry), ", found FROM (
                 SELECT key, ", columns!(kv_entry), ", SUM(octet_length(value)) OVER (ORDER BY key) AS bytes, COUNT(*) OVER () AS found FROM (
                     SELECT key, ", columns!(kv_entry), " FROM kv
                     WHERE namespace = $1 AND key >= $2 AND key < $3 AND (expires_us IS NULL OR expires_us > $4)
                     ORDER BY key LIMIT $5
                 ) AS page
             ) AS summed
             WHERE bytes <= $6 ORDER BY key LIMIT $7",
        ))
        .bind(namespace.as_str())
        .bind(&from)
        .bind(&to)
        .bind(now_us)
        // One more, which tells whether there is another page.
        .bind(i64::from(range.limit()) + 1)
        .bind(range.max_bytes() as i64)
        .bind(i64::from(range.limit()))
        .fetch_all(pool))
        .map_err(StoreError::query("list the key-value store"))?;
        let has_more = rows.first().is_some_and(|row| row.found > rows.len() as i64);
        let entries = rows.into_iter().map(KeyedEntry::try_from).collect::<Result<Vec<_>, _>>()?;
        let next = entries.last().filter(|_| has_more).map(|last| last.key.clone());
        Ok(EntryPage { entries, next })
    }

    /// Returns every namespace that holds something, by name.
    pub async fn kv_namespaces(&self) -> Result<Vec<NamespaceSize>, StoreError> {
        let rows: Vec<SizeRow> = read!(self, pool => sqlx::query_as(concat!(
            "SELECT ", columns!(kv_namespaces), " FROM kv_namespaces WHERE keys > 0 ORDER BY namespace",
        ))
        .fetch_all(pool))
        .map_err(StoreError::query("list the namespaces of the key-value store"))?;
        rows.into_iter().map(NamespaceSize::try_from).collect()
    }
}

/// The last of all characters, which is the last in the order of bytes, too.
const LAST: char = char::MAX;

/// Returns the first text of a range and the first one after it, in the order of bytes. So an index finds the range.
fn bounds(range: &Range) -> (String, String) {
    let prefix = range.prefix.as_ref().map_or("", Key::as_str);
    let from = match &range.after {
        // No key has a control character, so every longer key that begins with this one comes after this text.
        Some(after) if after.as_str() >= prefix => format!("{after}\u{1}"),
        _ => prefix.to_owned(),
    };
    (from, after_prefix(prefix))
}

/// Returns the first text after all those that begin with this one.
fn after_prefix(prefix: &str) -> String {
    let begin = prefix.trim_end_matches(LAST);
    match begin.chars().next_back() {
        Some(last) => {
            let next = if last == '\u{d7ff}' { '\u{e000}' } else { char::from_u32(last as u32 + 1).unwrap_or(LAST) };
            format!("{}{next}", &begin[..begin.len() - last.len_utf8()])
        }
        // Longer than any key, with the last character throughout: after every key.
        None => LAST.to_string().repeat(MAX_KEY_BYTES / LAST.len_utf8() + 1),
    }
}

#[derive(FromRow)]
struct SizeRow {
    namespace: String,
    keys: i64,
    bytes: i64,
}

impl TryFrom<SizeRow> for NamespaceSize {
    type Error = StoreError;

    fn try_from(row: SizeRow) -> Result<Self, StoreError> {
        let namespace = row.namespace.parse().map_err(|error| StoreError::bad_row("kv_namespaces", &row.namespace, error))?;
        Ok(Self { namespace, keys: row.keys.unsigned_abs(), bytes: row.bytes.unsigned_abs() })
    }
}

#[derive(FromRow)]
pub(super) struct EntryRow {
    pub value: String,
    pub version: i64,
    pub expires_us: Option<i64>,
}

impl EntryRow {
    pub fn entry(self, key: &Key) -> Result<Entry, StoreError> {
        let value = self.value.parse().map_err(|error| StoreError::bad_row("kv", key, error))?;
        Ok(Entry { value, version: self.version.unsigned_abs(), expires_us: self.expires_us })
    }
}

#[derive(FromRow)]
struct ListedRow {
    key: String,
    #[sqlx(flatten)]
    entry: EntryRow,
    /// Rows that there are, and one more than a page has at most.
    found: i64,
}

impl TryFrom<ListedRow> for KeyedEntry {
    type Error = StoreError;

    fn try_from(row: ListedRow) -> Result<Self, StoreError> {
        let key: Key = row.key.parse().map_err(|error| StoreError::bad_row("kv", &row.key, error))?;
        Ok(Self { entry: row.entry.entry(&key)?, key })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;
    use crate::store::database::{Database, LISTING_READERS};

    #[tokio::test]
    async fn a_function_reads_while_every_listing_takes_its_time() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open("sqlite", folder.path()).await.unwrap();
        let Database::Sqlite { readers, .. } = &store.database else { panic!("it is a file") };
        let listing = || sqlx::query("SELECT 1 UNION ALL SELECT 2").fetch(readers);
        let mut listings: Vec<_> = (0..LISTING_READERS).map(|_| listing()).collect();
        for listing in &mut listings {
            assert!(listing.try_next().await.unwrap().is_some());
        }
        let (namespace, key) = ("a".parse().unwrap(), "k".parse().unwrap());
        assert_eq!(store.kv_get(&namespace, &key, 0).await.unwrap(), None);
        assert!(listings[0].try_next().await.unwrap().is_some());
    }

    #[test]
    fn a_range_begins_and_ends_where_its_prefix_does() {
        let key = |text: &str| (!text.is_empty()).then(|| text.parse::<Key>().unwrap());
        let all = LAST.to_string().repeat(129);
        for (prefix, after, from, to) in [
            ("", "", "", all.as_str()),
            ("a", "", "a", "b"),
            ("a", "ab", "ab\u{1}", "b"),
            ("b", "a", "b", "c"),
            ("user:", "user:7", "user:7\u{1}", "user;"),
            ("z~", "", "z~", "z\u{7f}"),
            ("\u{d7ff}", "", "\u{d7ff}", "\u{e000}"),
            ("a\u{10ffff}\u{10ffff}", "", "a\u{10ffff}\u{10ffff}", "b"),
            ("\u{10ffff}", "", "\u{10ffff}", &all),
            ("ä", "", "ä", "å"),
        ] {
            let range = Range::new(key(prefix), key(after), 1, 0).unwrap();
            assert_eq!(bounds(&range), (from.to_owned(), to.to_owned()), "{prefix:?} {after:?}");
        }
    }
}
