//! Checks that a repository can be read here. Its settings are read as a file: git would do what they say.

use std::{fs, io::ErrorKind, path::Path};

use git2::{Config, ErrorCode};

use super::{denied, error::RepositoryError};

/// Refuses a repository whose objects or references cannot be read in this process, and one that belongs to a working copy.
pub fn must_be_readable(repository: &Path) -> Result<(), RepositoryError> {
    let place = repository.display();
    let unusable = |what: String| Err(RepositoryError::Unusable(what));
    denied::must_be_open(repository)?;
    if repository.join(".git").exists() {
        return unusable(format!("`{place}` is a working copy, and pushes go to bare repositories\n{PUSH_FROM_IT}"));
    }
    if !repository.join("HEAD").exists() || !repository.join("objects").is_dir() {
        return unusable(match is_free(repository) {
            true => format!("`{place}` is no bare repository\n  hint: `picloud init --bare {place}` makes one"),
            false => format!(
                "`{place}` is no bare repository, and something else is there\n  hint: `picloud init --bare DIR` makes one in a new folder; \
                 `repository` below `[source]` names it"
            ),
        });
    }
    match setting(repository, "core.bare")?.as_deref() {
        Some("true") => {}
        Some(_) => return unusable(format!("`{place}` belongs to a working copy, and pushes go to bare repositories\n{PUSH_FROM_IT}")),
        None => {
            let config = repository.join("config");
            let set = format!("git config --file '{}' core.bare true", config.display().to_string().replace('\'', r"'\''"));
            return unusable(format!(
                "`{place}` may be no bare repository: its `config` does not say `bare = true`\n  hint: if it is one: `{set}`"
            ));
        }
    }
    for (key, good, what) in [("extensions.objectFormat", "sha1", "object format"), ("extensions.refStorage", "files", "reference format")]
    {
        if let Some(value) = setting(repository, key)?.filter(|value| value != good) {
            return unusable(format!(
                "the repository `{place}` has the {what} `{value}`, which cannot be read here; `{good}` can\n  hint: make a new one with `picloud \
                 init --bare DIR`, and push to it"
            ));
        }
    }
    Ok(())
}

/// Returns whether a repository can be made there: in a new folder, or in an empty one.
pub fn is_free(place: &Path) -> bool {
    match fs::read_dir(place) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

const PUSH_FROM_IT: &str = "  hint: push from it to a bare one: `picloud init --bare /srv/git/functions.git`";

/// Returns what the repository itself sets for a key.
pub fn setting(repository: &Path, key: &str) -> Result<Option<String>, RepositoryError> {
    let path = repository.join("config");
    // What is no file may be a pipe, and would be waited for.
    if !path.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Ok(None);
    }
    match Config::open(&path).and_then(|mut config| config.snapshot()?.get_string(key)) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(source) => Err(RepositoryError::Unreadable { path, source }),
    }
}
