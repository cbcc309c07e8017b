//! `picloud hook`: what git calls in a repository when somebody pushes.

use std::io;

use clap::{Args, ValueEnum};

use super::{exit::Exit, output};
use crate::{
    gate::{self, Stage},
    shown::Shown,
};

/// `picloud hook STAGE`
#[derive(Debug, Args)]
pub struct Hook {
    stage: HookName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum HookName {
    PreReceive,
    PostReceive,
}

impl Hook {
    /// Says on stderr what the node answers; git shows it the pusher.
    pub(super) fn run(self) -> Exit {
        let stage = match self.stage {
            HookName::PreReceive => Stage::PreReceive,
            HookName::PostReceive => Stage::PostReceive,
        };
        let verdict = gate::hook::ask(stage, io::stdin().lock());
        for line in &verdict.say {
            output::tell(Shown::line(line).to_string());
        }
        if verdict.is_accepted { Exit::Done } else { Exit::PushRefused }
    }
}
