//! `check`: whatever files a folder holds, it ends with an answer, and the answer is the same however the folder came to be.

use std::sync::Arc;

use picloud::{
    engine::Engine,
    function::{Content, LimitPolicy, Tree},
    sync::check::{Checker, Report},
};

use crate::harness::{fuzz, kind};

#[test]
fn check() {
    let mut checker = fresh();
    fuzz("check", move |input| {
        let tree = Arc::new(tree(input));
        let report = checker.check(&tree);
        checker.forget_others();
        // What it remembers of the folder before makes no difference.
        let again = fresh().check(&tree);
        assert_eq!(report.diagnostics, again.diagnostics);
        assert_eq!(report.functions, again.functions);
        assert!(report.functions.keys().all(|file| tree.contains_key(file)));
        answer(&report)
    });
}

fn fresh() -> Checker {
    Checker::new(Arc::new(Engine::new(LimitPolicy::default())))
}

/// An input is files: each begins with a line `=== PATH`.
fn tree(input: &[u8]) -> Tree {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b"=== ") {
            Some(path) => files.push((String::from_utf8_lossy(path.trim_ascii()).into_owned(), Vec::new())),
            None => files.last_mut().into_iter().for_each(|(_, bytes)| bytes.extend_from_slice(line)),
        }
    }
    files.into_iter().map(|(path, bytes)| (path.into(), Content::new(bytes))).collect()
}

fn answer(report: &Report) -> String {
    let mut kinds: Vec<String> = report.diagnostics.iter().map(|found| kind(&found.message)).collect();
    kinds.dedup();
    kinds.truncate(2);
    format!("{} {}", report.functions.len(), kinds.join(" "))
}
