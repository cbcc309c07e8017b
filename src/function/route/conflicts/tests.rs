//! Which files meet, which do not, and what is said about it.

use super::*;
use crate::function::route::{FileRoute, methods::combine};

/// Returns what is wrong between files; `methods` of the front-matter follow the path after a space, as `x.rhai GET,POST`.
fn told(files: &[&str]) -> String {
    let routes: Vec<(FilePath, Route)> = files
        .iter()
        .map(|file| {
            let (path, listed) =
                file.rsplit_once(".rhai ").map_or((file.to_string(), None), |(stem, listed)| (format!("{stem}.rhai"), Some(listed)));
            let FileRoute { segments, method } = FileRoute::of(&path).unwrap_or_else(|| panic!("{file} is no function"));
            let listed: Option<Vec<Method>> = listed.map(|listed| listed.split(',').map(|word| Method::parse(word).unwrap()).collect());
            let methods = combine(method, listed.as_deref()).unwrap();
            (path.into(), Route { segments: segments.into(), methods })
        })
        .collect();
    conflicts(routes.iter().map(|(path, route)| (path, route))).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn two_files_for_the_same_requests_are_both_reported() {
    let cases: [&[&str]; 11] = [
        &["users.rhai", "users/index.rhai"],
        &["users.get.rhai", "users/index.get.rhai"],
        &["(a)/users.rhai", "(b)/users.rhai"],
        &["users/[id].rhai", "users/[slug].rhai"],
        &["users/[id].get.rhai", "users/[slug].get.rhai"],
        &["a.rhai GET,POST", "(g)/a.rhai PUT,POST"],
        &["a.rhai", "(g)/a.rhai POST"],
        &["[...a].rhai", "[...b].rhai"],
        &["[[a]]/x.rhai", "[[b=int]]/x.rhai"],
        &["[[a]]/x.get.rhai", "x/[[b]].get.rhai"],
        &["(a)/x.rhai", "(b)/x.rhai", "(c)/x.rhai"],
    ];
    insta::assert_snapshot!(cases.map(told).join("\n\n"));
}

#[test]
fn files_that_the_contract_keeps_apart_are_not_reported() {
    for files in [
        &["users.rhai", "users.get.rhai", "users/index.post.rhai"] as &[&str],
        &["users.rhai GET", "users.get.rhai"],
        &["a.rhai GET", "(g)/a.rhai POST"],
        &["users/[id].get.rhai", "users/[slug].post.rhai"],
        &[
            "[id=int].rhai",
            "[slug=slug].rhai",
            "[any].rhai",
            "me.rhai",
            "[name].json.rhai",
            "v[x].rhai",
            "[[o]].rhai",
            "[...a].rhai",
            "[[...b]].rhai",
        ],
        &["docs.rhai", "docs/[[x]].rhai", "docs/[[...path]].rhai"],
        &["about.rhai", "[[lang]]/about.rhai"],
        &["[[a]]/[[b]].rhai"],
        &["[[a]]/x.rhai", "x/[[b]].rhai", "x.rhai"],
        &["a[x].rhai", "[x]a.rhai"],
        &["index.rhai", "index/index.rhai"],
    ] {
        assert_eq!(told(files), "", "{files:?}");
    }
}

#[test]
fn names_that_differ_only_in_case_are_all_reported() {
    insta::assert_snapshot!(told(&["Users.rhai", "users.rhai", "a/Deep/x.rhai", "a/deep/y.rhai", "a/z.rhai", "A_.rhai"]));
}

#[test]
fn names_that_look_the_same_are_reported() {
    let told = |one: &str, other: &str| told(&[one, other]);
    assert!(told("CAFE\u{301}/a.rhai", "caf\u{e9}/b.rhai").contains("differ only in upper and lower case"));
    let found = told("cafe\u{301}/a.rhai", "caf\u{e9}/b.rhai");
    assert!(found.contains(r"`cafe\u{301}` and `café` are one name"), "{found}");
    // The same file twice, as it seems: once for each is enough.
    let found = told("cafe\u{301}.rhai", "caf\u{e9}.rhai");
    assert_eq!(found.matches("error:").count(), 2, "{found}");
    for says in [r"`cafe\u{301}.rhai` and `café.rhai` are one name", r"`café.rhai` and `cafe\u{301}.rhai` are one name"] {
        assert!(found.contains(says), "{found}");
    }
}

#[test]
fn thousands_of_equal_files_are_told_once_each() {
    let files: Vec<String> = (0..3000).map(|at| format!("(g{at})/x.rhai")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    assert_eq!(told(&files).matches("error:").count(), 3000);
}
