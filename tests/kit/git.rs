//! Working copies and repositories with the real git program.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

use super::command::said;

/// Returns the git program with nothing of the machine's or its user's settings.
pub fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Ann").env(format!("GIT_{role}_EMAIL"), "ann@example.org");
    }
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Makes an empty bare repository.
pub fn bare(folder: &Path) {
    let made = git(folder).args(["init", "--quiet", "--bare", "--initial-branch=main", "."]).output().unwrap();
    assert!(made.status.success(), "{}", said(&made));
}

/// A working copy.
pub struct Checkout(TempDir);

impl Checkout {
    /// A new one, with nothing in it.
    pub fn empty() -> Self {
        let checkout = Self(TempDir::new().unwrap());
        checkout.done(&["init", "--quiet", "--initial-branch=main"]);
        checkout
    }

    /// A new one with these files in a commit.
    pub fn with(files: &[(&str, &[u8])]) -> Self {
        let checkout = Self::empty();
        checkout.commit(files);
        checkout
    }

    /// A clone.
    pub fn of(url: &str) -> Self {
        let checkout = Self(TempDir::new().unwrap());
        checkout.done(&["clone", "--quiet", url, "."]);
        checkout
    }

    /// The folder that it is in.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Writes these files and makes a commit of them; returns its name.
    pub fn commit(&self, files: &[(&str, &[u8])]) -> String {
        for (path, bytes) in files {
            let path = self.folder().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        self.done(&["add", "--all"]);
        self.done(&["commit", "--quiet", "--allow-empty", "--message=change"]);
        self.done(&["rev-parse", "HEAD"]).trim().into()
    }

    /// Commits functions that all answer this, and returns the commit.
    pub fn agree(&self, answer: &str) -> String {
        let text = format!("\"{answer}\"");
        self.commit(&["functions/a.rhai", "functions/b.rhai", "functions/deep/c.rhai"].map(|path| (path, text.as_bytes())))
    }

    /// Runs git in it.
    pub fn run(&self, arguments: &[&str]) -> Output {
        git(self.folder()).args(arguments).output().unwrap()
    }

    /// Runs git, which must succeed, and returns what it printed.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "git {arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs git, which must fail, and returns what it said.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "git {arguments:?}: {}", said(&output));
        said(&output)
    }
}

/// What git sends to make `main` this commit where there is nothing yet.
pub fn push_request(checkout: &Checkout, commit: &str) -> Vec<u8> {
    let line = format!("{} {commit} refs/heads/main\0report-status", "0".repeat(40));
    let mut request = format!("{:04x}{line}0000", line.len() + 4).into_bytes();
    let objects = checkout.done(&["rev-list", "--objects", "--no-object-names", commit]);
    let list = checkout.folder().join(".git/objects.list");
    fs::write(&list, objects).unwrap();
    let pack = git(checkout.folder()).args(["pack-objects", "--stdout", "--quiet"]).stdin(fs::File::open(list).unwrap()).output().unwrap();
    request.extend(pack.stdout);
    request
}

/// The user who runs the tests.
pub fn whoami() -> String {
    String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap().trim().to_owned()
}

/// Writes a shell script.
pub fn script_at(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Writes a path for a shell.
pub fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_str().unwrap().replace('\'', r"'\''"))
}
