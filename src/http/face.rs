//! What a node shows of itself at an address.

use crate::http::settings::HttpSettings;

/// Which of its URLs a node answers at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// All of them: it has one address.
    Whole,
    /// Those of functions, and of its own those that ask for no token. The others are as if they did not exist.
    Public,
    /// Its own, but none that runs what is live.
    Control,
}

impl Face {
    /// Returns whether earlier deployments and other branches answer here. They ask for a token, unless they are open.
    pub(super) fn has_previews(self, settings: &HttpSettings) -> bool {
        self != Self::Public || settings.previews_open
    }
}
