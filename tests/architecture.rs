//! Holds the direction of dependencies: which part may name which, and which crates only one part may know.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// For each part, the parts that it may use beside itself. A new arrow is a design decision.
const MAY_USE: [(&str, &[&str]); 26] = [
    ("blocking", &[]),
    ("clock", &[]),
    ("secret", &[]),
    ("shown", &[]),
    ("user", &[]),
    ("access", &["audit", "clock", "secret"]),
    ("audit", &[]),
    ("trace", &["blocking", "clock"]),
    ("function", &["access", "shown"]),
    ("deployment", &["audit", "clock", "function"]),
    ("execution", &["clock", "deployment", "function"]),
    ("engine", &["clock", "execution", "function"]),
    ("source", &["blocking", "clock", "deployment", "function", "secret", "user"]),
    ("store", &["access", "audit", "blocking", "clock", "deployment", "execution", "function"]),
    ("executor", &["blocking", "engine", "execution", "function"]),
    ("live", &["deployment", "execution", "function", "shown"]),
    ("sync", &["audit", "blocking", "clock", "deployment", "engine", "executor", "function", "live", "shown", "source", "store"]),
    ("gate", &["clock", "deployment", "function", "shown", "source", "sync", "user"]),
    (
        "http",
        &[
            "access",
            "audit",
            "blocking",
            "clock",
            "deployment",
            "execution",
            "executor",
            "function",
            "live",
            "secret",
            "source",
            "store",
            "sync",
            "trace",
        ],
    ),
    ("config", &["executor", "function", "http", "secret", "source", "store", "trace"]),
    ("backup", &["clock", "config", "source", "store"]),
    ("telemetry", &["config"]),
    ("shutdown", &[]),
    ("supervisor", &[]),
    (
        "node",
        &[
            "access",
            "blocking",
            "clock",
            "gate",
            "secret",
            "config",
            "engine",
            "execution",
            "executor",
            "http",
            "live",
            "shutdown",
            "source",
            "store",
            "supervisor",
            "sync",
            "telemetry",
            "trace",
        ],
    ),
    (
        "cli",
        &[
            "access",
            "backup",
            "audit",
            "gate",
            "secret",
            "clock",
            "config",
            "deployment",
            "engine",
            "execution",
            "function",
            "live",
            "node",
            "shown",
            "source",
            "store",
            "sync",
            "user",
        ],
    ),
];

/// Crates that only these files and folders may name.
const ONLY_IN: [(&str, &[&str]); 10] = [
    ("rhai::", &["engine"]),
    ("sqlx::", &["store"]),
    ("notify::", &["source"]),
    ("git2::", &["source/git"]),
    ("tar::", &["backup", "source/tarball"]),
    ("ureq::", &["cli", "trace"]),
    ("axum::", &["http"]),
    ("println!", &["cli"]),
    // Git does what a repository's settings say: only that file makes sure whose it is.
    ("Command::new(\"git\")", &["source/git/program.rs"]),
    ("unsafe ", &["engine/memory.rs"]),
];

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, files: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.insert(path, text);
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 20, "the sources are not where they were");
    files
}

fn below_src(path: &Path) -> String {
    path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap().display().to_string()
}

/// Returns the parts that a file names: `crate::part`, and the first names inside `use crate::{…}`.
fn used_parts(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => drop(used.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())),
            Some(list) => {
                let (mut depth, mut word) = (0, String::new());
                for c in list.chars() {
                    match c {
                        '}' if depth == 0 => break,
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => drop(used.insert(std::mem::take(&mut word))),
                        _ if depth == 0 => word.push(c),
                        _ => {}
                    }
                }
                used.insert(word);
            }
        }
    }
    used.iter().map(|name| name.trim().split(':').next().unwrap_or_default().to_owned()).filter(|name| !name.is_empty()).collect()
}

#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.into_iter().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let file = below_src(&path);
        let part = file.split(['/', '.']).next().unwrap().to_owned();
        if part == "lib" || part == "main" {
            continue;
        }
        let may = allowed.get(part.as_str()).unwrap_or_else(|| panic!("`{part}` is not in the table of parts"));
        for used in used_parts(&text) {
            let is_part = allowed.contains_key(used.as_str());
            if is_part && used != part && !may.contains(&used.as_str()) {
                wrong.push(format!("{file} uses `{used}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "these arrows are not in the table:\n{}", wrong.join("\n"));
}

#[test]
fn some_crates_are_known_to_one_part_only() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let file = below_src(&path);
        for (word, places) in ONLY_IN {
            let names_it = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .any(|line| line.match_indices(word).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')));
            if names_it && !places.iter().any(|place| file.starts_with(place)) {
                wrong.push(format!("{file} names `{word}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_itself_has_no_circle() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.into_iter().collect();
    fn visit<'a>(part: &'a str, allowed: &BTreeMap<&'a str, &'a [&'a str]>, path: &mut Vec<&'a str>) {
        assert!(!path.contains(&part), "a circle: {path:?} → {part}");
        path.push(part);
        for next in allowed[part] {
            visit(next, allowed, path);
        }
        path.pop();
    }
    for part in allowed.keys() {
        visit(part, &allowed, &mut Vec::new());
    }
}

#[test]
fn what_the_docs_promise_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in ["docs/security.md", "docs/reliability.md"] {
        let words = fs::read_to_string(root.join(page)).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        // `file: test`, with the file below `tests/` unless it begins with `src/`, and `…` for the rest of a long name.
        let is_name =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_/…".contains(c));
        let named = words.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.split_once(": "));
        let named: Vec<_> = named.filter(|(file, test)| is_name(file) && is_name(test)).collect();
        assert!(named.len() > 15, "{page}: {named:?}");
        for (file, test) in named {
            let below = if file.starts_with("src/") { root.to_owned() } else { root.join("tests") };
            let text = fs::read_to_string(below.join(format!("{file}.rs"))).unwrap_or_else(|error| panic!("{file}: {error}"));
            let begin = test.strip_suffix('…').map_or_else(|| format!("fn {test}("), |begin| format!("fn {begin}"));
            // Some tests are made by a macro, which names them alone.
            let by_macro = format!("{}: ", test.trim_end_matches('…'));
            assert!(text.contains(&begin) || text.contains(&by_macro), "{page}: {file} has no `{test}`");
        }
    }
}
