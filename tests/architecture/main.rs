//! Holds the direction of dependencies: which part may name which, and which crates only one part may know.

mod circles;
mod columns;
mod dashboard;
mod homes;
mod names;
mod promises;
mod sources;

use std::collections::{BTreeMap, BTreeSet};

use sources::{Source, sources};

/// For each part, the parts that it may use beside itself. A new arrow is a design decision.
const MAY_USE: [(&str, &[&str]); 41] = [
    ("blocking", &[]),
    ("bounded", &[]),
    ("cancel", &[]),
    ("clock", &[]),
    ("hex", &[]),
    ("network", &[]),
    ("id", &["clock"]),
    ("secret", &[]),
    ("shown", &[]),
    ("signature", &["hex"]),
    ("user", &[]),
    ("access", &["audit", "clock", "hex", "secret"]),
    ("audit", &[]),
    ("trace", &["blocking", "clock", "id"]),
    ("function", &["access", "hex", "id", "shown"]),
    ("capability", &["bounded", "cancel", "function", "hex", "secret"]),
    ("deployment", &["audit", "clock", "function", "id"]),
    ("execution", &["deployment", "function", "id"]),
    ("engine", &["bounded", "cancel", "capability", "clock", "execution", "function", "hex", "id", "secret", "signature"]),
    ("stats", &["execution", "function"]),
    ("queue", &["execution", "function", "id"]),
    ("source", &["blocking", "clock", "deployment", "function", "secret", "user"]),
    (
        "store",
        &[
            "access",
            "audit",
            "blocking",
            "capability",
            "clock",
            "deployment",
            "execution",
            "function",
            "hex",
            "id",
            "queue",
            "shown",
            "stats",
        ],
    ),
    ("vault", &["audit", "capability", "clock", "function", "hex", "secret", "shown", "store"]),
    ("sql", &["blocking", "cancel", "capability", "clock", "function", "secret"]),
    ("executor", &["blocking", "cancel", "engine", "execution", "function"]),
    ("outbound", &["blocking", "capability", "clock", "function", "network"]),
    ("live", &["deployment", "execution", "function", "queue", "shown"]),
    (
        "runner",
        &["access", "cancel", "capability", "clock", "execution", "executor", "function", "id", "live", "queue", "stats", "store", "trace"],
    ),
    ("trigger", &["clock", "deployment", "execution", "executor", "function", "id", "live", "queue", "runner"]),
    (
        "sync",
        &[
            "audit",
            "blocking",
            "cancel",
            "capability",
            "clock",
            "deployment",
            "engine",
            "executor",
            "function",
            "id",
            "live",
            "shown",
            "source",
            "store",
        ],
    ),
    ("gate", &["clock", "function", "shown", "source", "sync", "user"]),
    (
        "api",
        &[
            "access",
            "audit",
            "capability",
            "clock",
            "deployment",
            "execution",
            "function",
            "live",
            "queue",
            "secret",
            "stats",
            "store",
            "sync",
            "vault",
        ],
    ),
    (
        "http",
        &[
            "access",
            "api",
            "audit",
            "blocking",
            "capability",
            "clock",
            "deployment",
            "execution",
            "executor",
            "function",
            "hex",
            "id",
            "live",
            "network",
            "queue",
            "runner",
            "secret",
            "signature",
            "source",
            "stats",
            "store",
            "sync",
            "trigger",
            "vault",
        ],
    ),
    (
        "config",
        &["executor", "function", "http", "network", "outbound", "runner", "secret", "source", "sql", "store", "trace", "trigger", "vault"],
    ),
    ("backup", &["clock", "config", "function", "hex", "source", "sql", "store"]),
    ("telemetry", &["config"]),
    ("shutdown", &[]),
    ("supervisor", &[]),
    (
        "node",
        &[
            "outbound",
            "capability",
            "access",
            "blocking",
            "clock",
            "gate",
            "secret",
            "config",
            "deployment",
            "engine",
            "execution",
            "executor",
            "function",
            "http",
            "live",
            "queue",
            "runner",
            "shutdown",
            "source",
            "sql",
            "store",
            "supervisor",
            "sync",
            "telemetry",
            "trace",
            "trigger",
            "id",
            "vault",
        ],
    ),
    (
        "cli",
        &[
            "access",
            "api",
            "backup",
            "capability",
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
            "sql",
            "store",
            "sync",
            "user",
            "id",
            "vault",
        ],
    ),
];

/// Crates that only these files and folders may name.
const ONLY_IN: [(&str, &[&str]); 13] = [
    ("rhai::", &["engine"]),
    ("sqlx::", &["store", "sql"]),
    ("rusqlite::", &["sql/sqlite", "store/file.rs"]),
    ("notify::", &["source"]),
    ("git2::", &["source/git"]),
    ("tar::", &["backup", "source/tarball"]),
    ("ureq::", &["cli", "trace"]),
    // It follows redirects and reads the environment, unless it is told not to.
    ("reqwest::", &["outbound"]),
    ("axum::", &["http"]),
    ("rust_embed::", &["http/dashboard"]),
    ("println!", &["cli"]),
    // Git does what a repository's settings say: only that file makes sure whose it is.
    ("Command::new(\"git\")", &["source/git/program.rs"]),
    ("unsafe ", &["engine/memory.rs", "engine/own/text.rs"]),
];

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
    let mut unused: BTreeSet<(&str, &str)> = allowed.iter().flat_map(|(part, may)| may.iter().map(|used| (*part, *used))).collect();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !["lib", "main"].contains(&source.part())) {
        let part = source.part();
        let may = allowed.get(part).unwrap_or_else(|| panic!("`{part}` is not in the table of parts"));
        for used in used_parts(&source.text) {
            unused.retain(|arrow| *arrow != (part, &used));
            let is_part = allowed.contains_key(used.as_str());
            if is_part && used != part && !may.contains(&used.as_str()) {
                wrong.push(format!("{} uses `{used}`", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "these arrows are not in the table:\n{}", wrong.join("\n"));
    assert!(unused.is_empty(), "nobody uses these arrows of the table: {unused:?}");
}

#[test]
fn some_crates_are_known_to_one_part_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (word, places) in ONLY_IN {
            let lines = source.text.lines();
            let names_it = lines
                .filter(|line| !line.trim_start().starts_with("//"))
                .any(|line| line.match_indices(word).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')));
            if names_it && !places.iter().any(|place| source.path.starts_with(place)) {
                wrong.push(format!("{} names `{word}`", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The runner counts, traces and records what is executed. Who goes around it does none of that: a command without a node has nowhere to.
#[test]
fn only_the_runner_has_functions_executed() {
    let executes = |source: &Source| source.code.split_whitespace().collect::<String>().contains("executor.execute(");
    let found: Vec<_> = sources().into_iter().filter(executes).map(|source| source.path).collect();
    assert_eq!(found, ["node/once.rs", "runner/attempt.rs"]);
}

/// A run has a place, a limit of how many there are, and somebody who stops it: the executor's. Who goes around it has none of that.
#[test]
fn only_the_executor_runs_programs() {
    let runs = |source: &Source| {
        let code = source.code.split_whitespace().collect::<String>();
        ["engine.run", "Engine::run"].iter().any(|call| code.contains(call))
    };
    let found = sources().into_iter().filter(|source| source.part() != "engine" && runs(source));
    let wrong: Vec<_> = found.filter(|source| source.part() != "executor").map(|source| source.path).collect();
    assert!(wrong.is_empty(), "only the executor runs programs: {wrong:?}");
}

/// Seams whose implementations the node chooses.
const SEAMS: [&str; 7] = ["Source", "PushTarget", "GitBackend", "Executor", "HttpClient", "KeyValue", "Databases"];

#[test]
fn only_the_node_names_implementations() {
    let sources = sources();
    let mut implementations = BTreeSet::new();
    for source in &sources {
        for seam in SEAMS {
            let begin = format!("impl {seam} for ");
            let names = source.code.split(begin.as_str()).skip(1).map(|rest| rest.split([' ', '<']).next().unwrap());
            implementations.extend(names.map(|name| (name.to_owned(), source.part())));
        }
    }
    assert!(implementations.len() >= SEAMS.len(), "{implementations:?}");
    let mut wrong = Vec::new();
    for source in &sources {
        let words: BTreeSet<&str> = source.code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let may_name = |home: &str| [home, "node"].contains(&source.part());
        let named = implementations.iter().filter(|(name, home)| words.contains(name.as_str()) && !may_name(home));
        wrong.extend(named.map(|(name, _)| format!("{} names `{name}`", source.path)));
    }
    assert!(wrong.is_empty(), "only the node chooses implementations:\n{}", wrong.join("\n"));
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
