//! Numbers for the names that executions repeat: functions and versions. Kept in memory, so that a known name costs no query.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Mutex,
};

use sqlx::AssertSqlSafe;

use crate::{
    function::{FunctionName, Version},
    store::{
        Store, StoreError,
        batch::json,
        database::{change, read},
    },
};

/// Names kept in memory; past it all are forgotten and asked for again. Ten thousand functions with six versions each.
const REMEMBERED: usize = 70_000;

/// The numbers that this process knows.
#[derive(Debug, Default)]
pub(in crate::store) struct Words(Mutex<Keys>);

#[derive(Debug, Default, Clone)]
pub(super) struct Keys {
    functions: HashMap<FunctionName, i64>,
    versions: HashMap<Version, i64>,
}

impl Keys {
    /// Returns the numbers of a function and a version.
    pub(super) fn of(&self, function: &FunctionName, version: Version) -> Option<(i64, i64)> {
        Some((*self.functions.get(function)?, *self.versions.get(&version)?))
    }
}

impl Store {
    /// Returns the numbers of all these functions and versions, giving new names a number first.
    pub(super) async fn keys_of<'a>(&self, names: impl Iterator<Item = (&'a FunctionName, Version)>) -> Result<Keys, StoreError> {
        let mut keys = Keys::default();
        let (mut functions, mut versions) = (BTreeSet::new(), BTreeSet::new());
        {
            let mut known = self.words.0.lock().expect("nothing panics while it holds the lock");
            if known.functions.len() + known.versions.len() > REMEMBERED {
                *known = Keys::default();
            }
            for (function, version) in names {
                match known.functions.get(function) {
                    Some(key) if !keys.functions.contains_key(function) => {
                        keys.functions.insert(function.clone(), *key);
                    }
                    Some(_) => {}
                    None => {
                        functions.insert(function);
                    }
                }
                match known.versions.get(&version) {
                    Some(key) => {
                        keys.versions.insert(version, *key);
                    }
                    None => {
                        versions.insert(version);
                    }
                }
            }
        }
        if functions.is_empty() && versions.is_empty() {
            return Ok(keys);
        }
        let words = functions.iter().map(|function| function.to_string()).chain(versions.iter().map(Version::to_string)).collect();
        let numbers: HashMap<String, i64> = self.intern(words).await?.into_iter().collect();
        let number = |word: String| {
            numbers.get(&word).copied().ok_or_else(|| StoreError::bad_row("words", &word, "it was written and is not there"))
        };
        for function in functions {
            keys.functions.insert(function.clone(), number(function.to_string())?);
        }
        for version in versions {
            keys.versions.insert(version, number(version.to_string())?);
        }
        let mut known = self.words.0.lock().expect("nothing panics while it holds the lock");
        known.functions.extend(keys.functions.iter().map(|(function, key)| (function.clone(), *key)));
        known.versions.extend(keys.versions.iter().map(|(version, key)| (*version, *key)));
        Ok(keys)
    }

    /// Forgets every number: after an error the database may be another one.
    pub(super) fn forget_keys(&self) {
        *self.words.0.lock().expect("nothing panics while it holds the lock") = Keys::default();
    }

    /// Returns the number of a function's name or of a version, or none if it never ran.
    pub(in crate::store) async fn word_key(&self, word: &str) -> Result<Option<i64>, StoreError> {
        read!(self, pool => sqlx::query_scalar("SELECT key FROM words WHERE word = $1").bind(word).fetch_optional(pool))
            .map_err(StoreError::query("look up a function"))
    }

    /// Returns the numbers of these functions. Those that never ran have none.
    pub(in crate::store) async fn word_keys(&self, functions: &[FunctionName]) -> Result<Vec<i64>, StoreError> {
        let sql = AssertSqlSafe(format!("SELECT key FROM words WHERE word IN ({})", self.database.texts_of_json()));
        read!(self, pool => sqlx::query_scalar(sql).bind(json(&functions)).fetch_all(pool)).map_err(StoreError::query("look up functions"))
    }

    /// Returns the numbers of all words that begin so.
    pub(in crate::store) async fn word_keys_below(&self, begin: &str) -> Result<Vec<i64>, StoreError> {
        let sql = format!("SELECT key FROM words WHERE substr(word, 1, {}) = $1", begin.chars().count());
        read!(self, pool => sqlx::query_scalar(AssertSqlSafe(sql)).bind(begin).persistent(false).fetch_all(pool))
            .map_err(StoreError::query("look up functions"))
    }

    /// Returns the words of these numbers.
    pub(in crate::store) async fn words_of(&self, keys: &BTreeSet<i64>) -> Result<HashMap<i64, String>, StoreError> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: Vec<String> = keys.iter().map(i64::to_string).collect();
        let sql = format!("SELECT key, word FROM words WHERE key IN ({})", keys.join(","));
        let words: Vec<(i64, String)> = read!(self, pool => sqlx::query_as(AssertSqlSafe(sql)).persistent(false).fetch_all(pool))
            .map_err(StoreError::query("look up functions"))?;
        Ok(words.into_iter().collect())
    }

    /// Gives these words numbers and returns them. Sorted, so that two nodes with the same new words cannot lock each other out.
    async fn intern(&self, words: BTreeSet<String>) -> Result<Vec<(String, i64)>, StoreError> {
        let words = serde_json::Value::from_iter(words).to_string();
        let given = self.database.texts_of_json();
        let insert = AssertSqlSafe(format!("INSERT INTO words (word) {given} ON CONFLICT (word) DO NOTHING"));
        let select = AssertSqlSafe(format!("SELECT word, key FROM words WHERE word IN ({given})"));
        change!(self, pool => async {
            sqlx::query(insert).bind(&words).execute(pool).await?;
            sqlx::query_as(select).bind(&words).fetch_all(pool).await
        })
        .map_err(StoreError::query("record executions"))
    }
}
