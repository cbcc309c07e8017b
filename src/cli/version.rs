//! What `picloud --version` says: the version, and the commit that the program was built from where the build knows it.

use std::sync::LazyLock;

/// Hash and date of the commit. `git archive` writes them into the file; in a clone it holds only their placeholder.
const ARCHIVED: &str = include_str!("commit.txt");

/// The same, told by who builds: `scripts/release` and `Containerfile` do. It is a variable and no build script, which would compile all of the
/// program again after every commit.
const TOLD: Option<&str> = option_env!("PICLOUD_COMMIT");

static VERSION: LazyLock<String> = LazyLock::new(|| version(env!("CARGO_PKG_VERSION"), commit(TOLD, ARCHIVED)));

/// Returns the version with its commit: `0.2.0 (3f2a1b0c9d8e 2026-11-27)`.
pub fn text() -> &'static str {
    &VERSION
}

fn commit(told: Option<&'static str>, archived: &'static str) -> Option<&'static str> {
    [told, Some(archived)].into_iter().flatten().map(str::trim).find(|commit| !commit.is_empty() && !commit.starts_with('$'))
}

/// As many digits of a hash as git shows of a large repository.
const DIGITS: usize = 12;

fn version(number: &str, commit: Option<&str>) -> String {
    let Some(commit) = commit else { return number.into() };
    let (hash, date) = commit.split_once(' ').unwrap_or((commit, ""));
    let hash: String = hash.chars().take(DIGITS).collect();
    format!("{number} ({})", [hash.as_str(), date].join(" ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a";

    #[test]
    fn the_commit_is_named_where_it_is_known() {
        assert_eq!(version("0.2.0", Some(&format!("{HASH} 2026-11-27"))), "0.2.0 (3f2a1b0c9d8e 2026-11-27)");
        assert_eq!(version("0.2.0", Some("3f2a1b0")), "0.2.0 (3f2a1b0)");
        assert_eq!(version("0.2.0", None), "0.2.0");
    }

    #[test]
    fn who_builds_is_believed_before_the_archive_and_a_placeholder_never() {
        let placeholder = concat!("$", "Format:%H %cs", "$\n");
        assert_eq!(commit(Some("a"), "b\n"), Some("a"));
        assert_eq!(commit(None, "b\n"), Some("b"));
        assert_eq!(commit(Some(""), placeholder), None);
    }
}
