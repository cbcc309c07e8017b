//! Scripts of somebody's folder in both evaluators, for who looks for differences by hand.
//!
//! ```sh
//! PICLOUD_SCRIPTS=FOLDER cargo test --test rhai -- --ignored --nocapture folder::
//! ```
//!
//! Each `*.rhai` of the folder is a case. A folder inside is one case of several files, of which `main.rhai` runs. The request and the limits
//! are those of `programs`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{
    both::with_both,
    programs::{LIMITS, request},
    shrink::{self, Case},
};

/// Returns what stands in a folder, in order.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn is_script(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension == "rhai")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Adds the files of a folder by their paths in it. What runs is called `f.rhai`.
fn add_files(case: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    for path in entries(folder) {
        if path.is_dir() {
            add_files(case, &path, files);
            continue;
        }
        let name = path.strip_prefix(case).unwrap().to_str().unwrap();
        files.push((if name == "main.rhai" { "f.rhai" } else { name }.into(), read(&path)));
    }
}

/// Returns the files of a case; nothing if the path is none.
fn files(path: &Path) -> Option<Vec<(String, String)>> {
    if is_script(path) {
        return Some(vec![("f.rhai".into(), read(path))]);
    }
    if !path.join("main.rhai").is_file() {
        return None;
    }
    let mut files = Vec::new();
    add_files(path, path, &mut files);
    Some(files)
}

#[test]
#[ignore = "it compares what PICLOUD_SCRIPTS names, a folder of scripts"]
fn compared() {
    let folder = PathBuf::from(env::var_os("PICLOUD_SCRIPTS").expect("PICLOUD_SCRIPTS names a folder of scripts"));
    let cases: Vec<_> = entries(&folder).into_iter().filter_map(|path| Some((files(&path)?, path))).collect();
    assert!(!cases.is_empty(), "{} has no `*.rhai`, and no folder with a `main.rhai`", folder.display());
    let count = cases.len();
    let differ = with_both("folder", LIMITS, move |both| {
        let mut differ = 0;
        for (files, path) in cases {
            let name = path.strip_prefix(&folder).unwrap().display();
            match (Case { files, request: request() }).run(both) {
                Err(why) => println!("refused  {name}: {why}"),
                Ok(runs) if runs.rhai.is_as(&runs.own) => println!("same     {name}: {}", runs.rhai),
                Ok(runs) if shrink::is_counted(&runs) => println!("limited  {name}: Rhai: {}; own: {}", runs.rhai, runs.own),
                Ok(runs) => {
                    differ += 1;
                    println!("DIFFERS  {name}\n  Rhai: {:#?}\n  own: {:#?}", runs.rhai.0, runs.own.0);
                }
            }
        }
        differ
    });
    assert!(differ == 0, "{differ} of {count} differ");
}
