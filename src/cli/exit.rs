//! How a command ended.

use std::process::ExitCode;

/// How a command that could be done ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked.
    Done,
    /// The functions are wrong.
    FunctionsWrong,
    /// Something that a node needs is wrong.
    NodeWrong,
    /// The node refuses the push.
    PushRefused,
}

/// We could not do it.
pub const COULD_NOT: u8 = 2;

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::FunctionsWrong | Exit::NodeWrong | Exit::PushRefused => Self::from(1),
        }
    }
}
