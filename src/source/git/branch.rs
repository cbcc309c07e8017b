//! Names of preview branches in URLs: one rule for those who answer there and for those who print the URL.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::function::Digest;

/// Longest label of a host name.
const MAX_LABEL: usize = 63;
/// Hexadecimal digits that tell branches apart whose names do not fit into a label.
const HASH: usize = 8;
/// Characters that stand for themselves in the path of a URL.
const IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Returns a branch's label of a host name.
///
/// It depends on nothing but the name, and no two branches share one, so no branch can take another's host. A name that is a label stays as it
/// is: `fix-typo`. Any other gets a part of its hash: `Fix/Typo` is `fix-typo-…`. Names that already look like that get it, too.
pub fn label(branch: &str) -> String {
    if is_label(branch) && !ends_with_hash(branch) {
        return branch.into();
    }
    let mut plain = String::new();
    for c in branch.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }) {
        if plain.len() < MAX_LABEL - 1 - HASH && !(c == '-' && (plain.is_empty() || plain.ends_with('-'))) {
            plain.push(c);
        }
    }
    let plain = plain.trim_end_matches('-');
    let hash = &Digest::of(branch.as_bytes()).to_string()[..HASH];
    format!("{}-{hash}", if plain.is_empty() { "branch" } else { plain })
}

/// Returns whether browsers and name servers take this as it is. `--` is for names that are written in another way (`xn--…`).
fn is_label(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    is_plain && (1..=MAX_LABEL).contains(&text.len()) && !text.starts_with('-') && !text.ends_with('-') && !text.contains("--")
}

fn ends_with_hash(text: &str) -> bool {
    text.rsplit_once('-').is_some_and(|(_, end)| end.len() == HASH && end.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Returns a branch's name as the path of a URL has it.
pub fn path(branch: &str) -> String {
    utf8_percent_encode(branch, IN_PATHS).to_string()
}

/// The host names of branches: `{branch}.preview.example.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewHost {
    before: String,
    after: String,
}

impl PreviewHost {
    /// Reads a pattern, which has `{branch}` in it, once.
    pub fn parse(pattern: &str) -> Option<Self> {
        let pattern = pattern.to_lowercase();
        let (before, after) = pattern.split_once("{branch}")?;
        (!after.contains("{branch}")).then(|| Self { before: before.into(), after: after.into() })
    }

    /// Returns the host name of a branch.
    pub fn of(&self, branch: &str) -> String {
        format!("{}{}{}", self.before, label(branch), self.after)
    }

    /// Returns the part of a host name, in lower case, that stands for a branch.
    pub fn label_in<'a>(&self, host: &'a str) -> Option<&'a str> {
        host.strip_prefix(&*self.before)?.strip_suffix(&*self.after)
    }
}

impl fmt::Display for PreviewHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{{branch}}{}", self.before, self.after)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_branches_share_a_label() {
        let long = "a".repeat(63);
        let taken = label("fix/typo");
        let names = [
            "fix-typo",
            "fix/typo",
            "Fix-Typo",
            "fix_typo",
            "fix--typo",
            "-fix-typo",
            "fix-typo-",
            &taken,
            &format!("{taken}-"),
            &long,
            &format!("{long}a"),
            &format!("{long}b"),
            "日本語",
            "русский",
            "branch",
            &label("日本語"),
            "xn--wgv71a119e",
            "ü",
            "v1.2",
            "v1-2",
            "12345678",
        ];
        let labels: BTreeSet<String> = names.iter().map(|name| label(name)).collect();
        assert_eq!(labels.len(), names.len(), "{labels:#?}");
        for label in &labels {
            assert!(is_label(label), "{label}");
        }
    }

    #[test]
    fn a_name_that_is_a_label_stays_and_others_say_what_they_are() {
        for name in ["main", "fix-typo-2", "a", "2026", "deadbeef", &"a".repeat(63)] {
            assert_eq!(label(name), name);
        }
        for (name, begin) in
            [("Fix/Typo_2", "fix-typo-2-"), ("feature/ünï", "feature-n-"), ("日本語", "branch-"), ("x-deadbeef", "x-deadbeef-")]
        {
            let label = label(name);
            assert!(label.starts_with(begin) && label.len() == begin.len() + HASH, "{name}: {label}");
        }
        // Written down in bookmarks and settings of other programs: it must not change.
        assert_eq!(label("fix/typo"), "fix-typo-6d8b4e75");
    }

    #[test]
    fn a_path_is_written_so_that_it_works_as_it_is_printed() {
        for (branch, written) in
            [("fix/typo", "fix/typo"), ("x#1", "x%231"), ("a b", "a%20b"), ("ü", "%C3%BC"), ("50%", "50%25"), ("a?b", "a%3Fb")]
        {
            assert_eq!(path(branch), written);
        }
    }

    #[test]
    fn a_host_is_a_branch_s_or_not() {
        let host = PreviewHost::parse("{branch}.Preview.example.org").unwrap();
        assert_eq!((host.of("main").as_str(), host.to_string().as_str()), ("main.preview.example.org", "{branch}.preview.example.org"));
        assert_eq!(host.label_in("a.b.preview.example.org"), Some("a.b"));
        assert_eq!(host.label_in("preview.example.org"), None);
        assert_eq!((PreviewHost::parse("example.org"), PreviewHost::parse("{branch}.{branch}")), (None, None));
    }
}
