//! The gate: every push is checked by the running node before git accepts it, and reported live after.
//!
//! Git calls [`hook`], a short process, in the repository. It asks the node through a socket there ([`server`]) and prints the answer. Git
//! shows that to the pusher behind `remote:`.

pub mod hook;
mod judge;
mod pusher;
pub mod server;

use serde::{Deserialize, Serialize};

use crate::source::git::serve::PUSHER;

/// The socket's name in the repository. Whoever may write there may ask.
const SOCKET: &str = "picloud.sock";
/// A question or an answer that is longer is refused, in bytes: ten thousand references have room.
const MAX_MESSAGE: u64 = 4 << 20;

/// What a hook asks: one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// Before git accepts it, or after.
    pub stage: Stage,
    /// The folder of the objects that it brings, before git accepts them.
    pub quarantine: Option<std::path::PathBuf>,
    /// The references that it moves.
    pub updates: Vec<Update>,
    /// What was given as `git push -o …`.
    pub options: Vec<String>,
    /// Who pushes, as the hook's environment says. It is believed only of a push that came through the node.
    pub pusher: Option<String>,
}

/// When a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nothing has moved yet; it can be refused.
    PreReceive,
    /// References have moved.
    PostReceive,
}

/// A reference that a push moves. A commit of zeros: there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// The commit before.
    pub old: String,
    /// The commit after.
    pub new: String,
    /// `refs/heads/main`
    pub name: String,
}

/// What the node answers: one line of JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether git may accept it.
    pub is_accepted: bool,
    /// For the pusher's terminal.
    pub say: Vec<String>,
}

/// Says that there was no answer in time, and what that means for the push.
fn no_answer(stage: Stage, why: &str) -> [String; 2] {
    match stage {
        Stage::PreReceive => [
            format!("picloud: {why}; nothing was pushed"),
            "  hint: push again; `picloud status` on its machine says what it is doing".into(),
        ],
        Stage::PostReceive => [
            format!("picloud: pushed, and not live yet: {why}"),
            "  hint: `picloud status` on its machine says what it is doing; there is no need to push again".into(),
        ],
    }
}
