//! Runs the console blocks of README.md and of every page of `docs/`, in order, as somebody who reads the page would, and compares what
//! they show. Each page is a story in a folder of its own, which is the reader's home. A new page needs a line in the list below.
//!
//! In a `console` block a line with `$ ` is a command, and lines with `> ` go on with it. The lines after it are its output, if any are
//! shown. A command without output must succeed, and get no refusal. A block with `picloud serve` belongs to the terminal of the node, and Ctrl-C ends the
//! node that runs there before. Every other block belongs to the other terminal. A terminal is opened in the folder of the other one.
//!
//! Ids, hashes, times, durations, sizes and tokens may differ. `…` stands for any text, and alone on a line for any lines. Of git, lines
//! that it says by itself may be left out. An id or a hash that is shown stands for the real one in later commands. Ports 8080 and 8081 are free ones; `https://node.example.org` is the node, too. A command that
//! only looks, or meets no function yet, is asked again until its output is as written, because a save or a record takes a moment.
//!
//! A block of Rhai is checked as a function of its own. It is known by its language, or as `text` with a front-matter.
//!
//! Comments, which readers do not see, say the rest. They stand alone before a block:
//!
//! - `<!-- not run: WHY -->`: the block is not run, or not checked.
//! - `<!-- file: PATH -->`: the block is the content of this file.
//! - `<!-- run`, lines as in a block, `-->`: they are run here. `$REPOSITORY` is the folder of the repository.

mod compare;
mod keys;
mod links;
mod page;
mod story;
mod terminal;

use std::{collections::BTreeSet, fs, path::Path};

/// Makes a test of each page.
macro_rules! pages {
    ($($name:ident: $path:literal,)+) => {
        $(#[test]
        fn $name() {
            story::run($path);
        })+

        const PAGES: &[&str] = &[$($path),+];
    };
}

pages! {
    readme: "README.md",
    api: "docs/api.md",
    architecture: "docs/architecture.md",
    cli: "docs/cli.md",
    coming_from: "docs/coming-from.md",
    configuration: "docs/configuration.md",
    crypto: "docs/crypto.md",
    dashboard: "docs/dashboard.md",
    deploy: "docs/deploy.md",
    events: "docs/events.md",
    functions: "docs/functions.md",
    git: "docs/git.md",
    http: "docs/http.md",
    kv: "docs/kv.md",
    metrics: "docs/metrics.md",
    operations: "docs/operations.md",
    performance: "docs/performance.md",
    questions: "docs/README.md",
    releases: "docs/releases.md",
    reliability: "docs/reliability.md",
    routing: "docs/routing.md",
    schedules: "docs/schedules.md",
    secrets: "docs/secrets.md",
    security: "docs/security.md",
    sql: "docs/sql.md",
    templates: "docs/templates.md",
    text: "docs/text.md",
    time: "docs/time.md",
    traces: "docs/traces.md",
    tutorial: "docs/tutorial.md",
    webhooks: "docs/webhooks.md",
}

/// The folder of the repository.
const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn every_page_is_in_the_list() {
    let folder = Path::new(REPOSITORY).join("docs");
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages = names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}"));
    let pages: BTreeSet<String> = pages.chain(["README.md".to_owned()]).collect();
    assert_eq!(pages, PAGES.iter().map(|&page| page.to_owned()).collect());
}
