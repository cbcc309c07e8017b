//! Links of the pages to files of the repository and to headings in them, and files that comments name.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use regex::Regex;

use super::{PAGES, REPOSITORY};

/// Other pages with links, which have no console blocks.
const OTHERS: &[&str] = &["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "dashboard/README.md"];

#[test]
fn every_link_leads_somewhere() {
    static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\]\(([^)\s]+)\)").unwrap());
    let mut wrong = Vec::new();
    for page in PAGES.iter().chain(OTHERS) {
        let text = read(Path::new(page));
        for link in LINK.captures_iter(&without_code(&text)).map(|link| link[1].to_owned()).filter(|link| !link.contains("://")) {
            let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target: PathBuf = if path.is_empty() { page.into() } else { Path::new(page).parent().unwrap().join(path) };
            if !Path::new(REPOSITORY).join(&target).exists() {
                wrong.push(format!("{page}: there is no file `{link}`"));
            } else if !heading.is_empty() && !anchors(&read(&target)).contains(heading) {
                wrong.push(format!("{page}: `{link}` is no heading"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_does_the_same_as_a_block_that_is_not_run_is_there() {
    static NAMED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(?:tests|scripts)/[\w/.-]*\w").unwrap());
    let mut found = 0;
    for page in PAGES {
        let text = read(Path::new(page));
        for reason in text.lines().filter(|line| line.starts_with("<!-- not run: ")) {
            for name in NAMED.find_iter(reason).map(|name| name.as_str()) {
                found += 1;
                assert!(Path::new(REPOSITORY).join(name).exists(), "{page}: there is no `{name}`");
            }
        }
    }
    assert!(found > 10, "reasons have another form");
}

fn read(path: &Path) -> String {
    fs::read_to_string(Path::new(REPOSITORY).join(path)).unwrap()
}

/// Returns the lines that are not in blocks of code, where brackets mean something else.
fn without_code(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the names that hosts of repositories give to the headings of a page, and those that it gives itself.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = without_code(text);
    let headings =
        headings.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let named = headings.map(|heading| {
        let plain = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        plain.map(|c| if c == ' ' { '-' } else { c }).collect()
    });
    let own = text.split("<a id=\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned());
    named.chain(own).collect()
}
