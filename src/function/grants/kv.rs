//! The section `[kv]` of a front-matter: which namespace of the key-value store the function may use.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::function::FunctionName;

/// The name of a part of the key-value store: 1 to 64 letters, digits, `-`, `_` and `.`. Functions with the same namespace share its keys.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Namespace(Arc<str>);

/// Characters of a namespace.
const MAX_LENGTH: usize = 64;
/// The namespace of functions that are in no folder.
const OF_THE_ROOT: &str = "default";

impl Namespace {
    /// Returns the namespace of a function that names none: its top folder, or `default` for a file at the root.
    pub fn of(function: &FunctionName) -> Result<Self, BadNamespace> {
        match function.as_str().split_once('/') {
            None => OF_THE_ROOT.parse(),
            Some((folder, _)) => folder.parse().map_err(|_| BadNamespace::Folder(folder.into())),
        }
    }

    /// Returns its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Namespace {
    type Err = BadNamespace;

    fn from_str(text: &str) -> Result<Self, BadNamespace> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        match (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(is_allowed) {
            true => Ok(Self(text.into())),
            false => Err(BadNamespace::Name(text.chars().take(MAX_LENGTH).collect())),
        }
    }
}

impl TryFrom<String> for Namespace {
    type Error = BadNamespace;

    fn try_from(text: String) -> Result<Self, BadNamespace> {
        text.parse()
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that names no namespace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadNamespace {
    /// Somebody wrote it.
    #[error("`{0}` is no name of a namespace: write 1 to 64 letters (a to z), digits, `-`, `_` and `.`, like \"orders\"")]
    Name(String),
    /// It is the top folder of a function that names no namespace.
    #[error("the folder `{0}` is no name of a namespace: name one in the front-matter, as `name = \"orders\"` in the section `[kv]`")]
    Folder(String),
}

/// The section as it is written: every key may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KvSection {
    name: Option<Namespace>,
}

impl KvSection {
    /// Returns the namespace that a function with this section may use.
    pub fn namespace(&self, function: &FunctionName) -> Result<Namespace, BadNamespace> {
        self.name.clone().map_or_else(|| Namespace::of(function), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(function: &str, section: &str) -> Result<String, String> {
        let section: KvSection = toml::from_str(section).map_err(|error| error.message().to_owned())?;
        let namespace = section.namespace(&FunctionName::new(function));
        namespace.map(|namespace| namespace.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_function_has_the_namespace_of_its_top_folder_or_the_one_that_it_names() {
        for (function, section, namespace) in [
            ("hello", "", "default"),
            ("orders/[id].get", "", "orders"),
            ("shop/orders/index", "", "shop"),
            ("orders/index", "name = \"links.v2\"", "links.v2"),
            ("[tenant]/index", "name = \"A_b-3\"", "A_b-3"),
        ] {
            assert_eq!(of(function, section).unwrap(), namespace);
        }
    }

    #[test]
    fn a_wrong_namespace_says_what_to_write() {
        let long = format!("name = \"{}\"", "a".repeat(65));
        for (section, begin) in [
            ("name = \"\"", "`` is no name of a namespace: write 1 to 64 letters"),
            ("name = \"a/b\"", "`a/b` is no name"),
            ("name = \"ä\"", "`ä` is no name"),
            ("name = \"a b\"", "`a b` is no name"),
            (long.as_str(), "`aaaa"),
            ("nam = \"a\"", "unknown field `nam`, expected `name`"),
            ("name = 1", "invalid type: integer `1`, expected a string"),
        ] {
            let said = of("a", section).unwrap_err();
            assert!(said.starts_with(begin), "{section}: {said}");
        }
        let folder = of("[tenant]/index", "").unwrap_err();
        assert!(folder.starts_with("the folder `[tenant]` is no name of a namespace"), "{folder}");
    }
}
