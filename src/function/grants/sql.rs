//! `[sql] database = "app"`: the one database that a function may use.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// The section `[sql]` of a front-matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlGrant {
    /// The name of the database in the node's configuration.
    pub database: DatabaseName,
}

/// The name of a database of users. It is a part of paths: `data/sql/NAME.db` and `_sql/NAME/0001_first.sql`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct DatabaseName(Arc<str>);

/// Most characters of a name.
const LONGEST: usize = 63;

/// A text that is no name of a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no name of a database: a name begins with a letter and has lower-case letters, digits, `-` and `_`, at most {LONGEST} of them"
)]
pub struct NotADatabaseName(String);

impl DatabaseName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DatabaseName {
    type Err = NotADatabaseName;

    fn from_str(text: &str) -> Result<Self, NotADatabaseName> {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        let is_name = text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(is_inner) && text.len() <= LONGEST;
        if is_name { Ok(Self(text.into())) } else { Err(NotADatabaseName(text.chars().take(LONGEST + 1).collect())) }
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DatabaseName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_as_a_part_of_a_path() {
        for name in ["app", "a", "app-2_x", &"a".repeat(LONGEST)] {
            assert_eq!(name.parse::<DatabaseName>().unwrap().as_str(), name);
        }
        for name in ["", "App", "2app", "-a", "_a", "a.b", "a/b", "..", "a b", "ä", "a\0", &"a".repeat(LONGEST + 1)] {
            assert!(name.parse::<DatabaseName>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_grant_says_what_is_wrong() {
        let grant = |text: &str| toml::from_str::<SqlGrant>(text).map_err(|error| error.message().to_owned());
        assert_eq!(grant("database = \"app\"").unwrap().database.as_str(), "app");
        assert!(grant("database = \"A/b\"").unwrap_err().starts_with("`A/b` is no name of a database"));
        assert_eq!(grant("").unwrap_err(), "missing field `database`");
        assert!(grant("databas = \"app\"").unwrap_err().contains("expected `database`"));
    }
}
