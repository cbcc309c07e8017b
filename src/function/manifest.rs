//! What a function's front-matter says.

use serde::{Deserialize, Serialize};

/// The front-matter of one function, defaults filled in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// One line about what it does.
    pub description: Option<String>,
}
