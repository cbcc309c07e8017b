//! How a node of a story is described before it starts.

use std::{fs, path::Path};

use super::Setup;
use crate::kit::machine;

impl Setup {
    /// Adds a `picloud.toml`.
    pub fn config(self, toml: &str) -> Self {
        fs::write(self.folder.path().join("picloud.toml"), toml).unwrap();
        self
    }

    /// Adds an argument of `serve`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable of the environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Has a shell do something before it becomes the node: `ulimit -n 100`.
    pub fn after(self, prelude: &str) -> Self {
        self.wrapped(&["sh", "-c", &format!("{prelude} && exec \"$@\""), "sh"])
    }

    /// Has it run by this command, which must become it.
    pub fn wrapped(mut self, command: &[&str]) -> Self {
        self.wrapper.extend(command.iter().map(ToString::to_string));
        self
    }

    /// Has it run where these lines of a shell, in the node's folder, were run before: they may mount what nobody else sees.
    pub fn in_own_mounts(mut self, script: &str) -> Self {
        self.has_own_mounts = true;
        let script = format!("set -e\n{script}\nexec \"$@\"");
        let unshare = machine::own_mounts().expect("the story needs `Need::OwnMounts`");
        self.wrapped(&[unshare, &["sh", "-c", &script, "sh"]].concat())
    }

    /// The folder that it is started in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
