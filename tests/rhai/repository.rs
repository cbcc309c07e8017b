//! The scripts of this repository in both evaluators: the functions to begin with, and those that the benches measure.

use std::{fs, path::Path};

use picloud::{execution::Invocation, function::Limits};

use crate::{
    both::{Verdict, usual, with_both},
    kit::script::invocation,
};

/// Returns every script below a folder, with its path there.
fn scripts(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scripts(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rhai" || extension == "html") {
            found.push((path.strip_prefix(root).unwrap().display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Requests that some script or other knows what to do with.
fn requests() -> Vec<Invocation> {
    const ORDER: &str = r#"{"customer":{"name":"Ada","country":"DE"},"items":[{"sku":"a-1","name":"A","price":12.5,"count":3,"tags":["x"]},
        {"sku":"b-2","name":"<B>","price":4,"count":1}],"coupon":"TEN","email":"a@b.example","text":"hello"}"#;
    let json = [("content-type", "application/json")];
    let form = [("content-type", "application/x-www-form-urlencoded"), ("authorization", "Bearer x"), ("x-api-key", "x")];
    let requests = [
        invocation("/f?name=Ada&n=12&to=b", &json, ORDER),
        invocation("/f?degrees=20&page=2", &form, "name=Ada&text=hi&email=a%40b.example"),
        invocation("/f", &json, "[1,2,3]"),
        invocation("/f", &[], ""),
    ];
    requests.into_iter().map(|request| *request).chain([usual()]).collect()
}

#[test]
fn the_scripts_of_the_repository_run_alike() {
    let ran = with_both("repository", Limits::DEFAULT, |both| {
        let (mut ran, mut report) = (0, String::new());
        for folder in ["functions", "benches/functions", "benches/peers/apps/picloud"] {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let mut found = Vec::new();
            scripts(&root, &root, &mut found);
            let shared: Vec<_> = found.iter().filter(|(path, _)| path.starts_with('_') && !path.starts_with("_middleware")).collect();
            // What a schedule starts goes on until the store has nothing more, which this one never says.
            for (path, text) in found.iter().filter(|(path, _)| !path.starts_with("_cron")) {
                // Modules stand beside it here; and Rhai would take long in a debug build.
                let text = text.replace("\"../", "\"").replace("\"./", "\"").replace("fib(22)", "fib(12)").replace("400_000", "4_000");
                let files = [("f.rhai", text.as_str())].into_iter().chain(shared.iter().map(|(path, text)| (path.as_str(), text.as_str())));
                let files: Vec<_> = files.collect();
                for request in requests() {
                    match both.compare_with(&files, &request) {
                        Verdict::Same => ran += 1,
                        // It needs what stands beside it.
                        Verdict::Refused(_) => break,
                        Verdict::Differ(difference) => report += &format!("---- {folder}/{path}\n{difference}\n"),
                    }
                }
            }
        }
        assert!(report.is_empty(), "{report}");
        ran
    });
    assert!(ran > 100, "{ran}");
}
