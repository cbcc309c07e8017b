//! Paths of files, a function's name, and the id that follows from it.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::role::ENDING;

/// Path of a file below the root, `/` between folders, never absolute, with no `.` or `..` in it.
pub type FilePath = Arc<str>;

/// Path of a function's file below the root, without `.rhai`, with `/` between folders: `users/[id].get`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct FunctionName(Arc<str>);

impl FunctionName {
    /// Takes a name as it is; [`FunctionName::of_file`] makes one from a path.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Returns the name of the function in this file, or `None` if it does not end in `.rhai`.
    pub fn of_file(path: &str) -> Option<Self> {
        path.strip_suffix(ENDING).map(Self::new)
    }

    /// Returns the path of the function's file.
    pub fn file(&self) -> String {
        format!("{self}{ENDING}")
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns a handle to the text that costs no copy.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one script for ever: the UUIDv5 (RFC 9562, section 5.5) of the function's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct ScriptId(pub Uuid);

/// The UUIDv5 of `urn:picloud:script` in the URL namespace. Changing it changes every script id.
const NAMESPACE: Uuid = Uuid::from_u128(0x4e1c_105c_88f7_5814_8bce_0756_9fed_0e2a);

impl ScriptId {
    /// Returns the id of the function of this name.
    pub fn of(name: &FunctionName) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, name.as_str().as_bytes()))
    }
}

impl fmt::Display for ScriptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_id_never_changes() {
        let id = ScriptId::of(&FunctionName::new("hello"));
        assert_eq!(id.to_string(), "2c536720-b1c8-5e35-97aa-0a64917936db");
    }
}
