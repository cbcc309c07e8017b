//! Rules that several parts need have one home, and so have names.

use std::collections::{BTreeMap, BTreeSet};

use picloud::function::reserved::is_reserved;

use crate::{
    names::arrows,
    sources::{Source, sources},
};

/// Files and folders that write a reserved URL out beside `function/reserved.rs`, and why.
const URLS_ELSEWHERE: [(&str, &str); 4] = [
    ("cli/", "a client asks by URL"),
    ("api/", "what clients and the node share"),
    ("http/api/scripts/change.rs", "where a script is that was made"),
    ("http/api/openapi.rs", "describes operations by where they are"),
];

#[test]
fn reserved_urls_have_one_home() {
    let begins_reserved = |text: &str| ["/_picloud", "/api/", "/functions.git"].iter().any(|begin| text.starts_with(begin));
    let may_write = |path: &str| path == "function/reserved.rs" || URLS_ELSEWHERE.iter().any(|(place, _)| path.starts_with(place));
    let mut wrong = Vec::new();
    for source in sources() {
        let written = source.texts.iter().filter(|text| begins_reserved(&text.text));
        for text in written.filter(|text| !text.is_route_attribute && !may_write(&source.path)) {
            wrong.push(format!("{} writes `{}`", source.path, text.text));
        }
    }
    assert!(wrong.is_empty(), "reserved URLs are in `function/reserved.rs`:\n{}", wrong.join("\n"));
}

#[test]
fn every_route_of_the_node_is_reserved() {
    let sources = sources();
    let routes: Vec<_> = sources
        .iter()
        .filter(|source| source.part() == "http")
        .flat_map(|source| source.texts.iter().filter(|text| text.is_route_attribute).map(|text| (&source.path, &text.text)))
        .collect();
    assert!(routes.len() > 20, "the routes are not where they were");
    let wrong: Vec<_> = routes.iter().filter(|(_, url)| !is_reserved(url)).collect();
    assert!(wrong.is_empty(), "functions could answer there: {wrong:?}");
}

/// Where what axum refuses by itself becomes a problem, as everything else that is refused.
const EXTRACTORS_HOME: &str = "http/api/asked.rs";

#[test]
fn no_handler_has_the_framework_refuse_its_caller() {
    let refuses = |word: &str| ["Path", "Query", "Json", "Form", "Multipart", "Extension", "MatchedPath"].contains(&word);
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.part() == "http" && source.path != EXTRACTORS_HOME) {
        let words = source.words();
        // An argument has a type of this name; an answer stands behind an arrow.
        let arguments = words.windows(3).filter(|words| words[0] == ":" && refuses(words[1]) && words[2] == "<");
        wrong.extend(arguments.map(|words| format!("{}: {}", source.path, words[1])));
    }
    assert!(
        wrong.is_empty(),
        "`{EXTRACTORS_HOME}` and `http/caller/order.rs` read requests, and answer with problems:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn roles_of_files_have_one_home() {
    let is_role = |text: &str| [".rhai", "_middleware"].iter().any(|begin| text.starts_with(begin));
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.path != "function/role.rs") {
        wrong.extend(source.texts.iter().filter(|text| is_role(&text.text)).map(|text| format!("{} writes `{}`", source.path, text.text)));
    }
    assert!(wrong.is_empty(), "what a file is for is asked in `function/role.rs`:\n{}", wrong.join("\n"));
}

#[test]
fn a_folder_has_its_file_in_itself() {
    let paths: BTreeSet<String> = sources().into_iter().map(|source| source.path).collect();
    let beside = |path: &&String| {
        let folder = format!("{}/", path.trim_end_matches(".rs"));
        paths.range(folder.clone()..).next().is_some_and(|other| other.starts_with(&folder))
    };
    let wrong: Vec<_> = paths.iter().filter(beside).collect();
    assert!(wrong.is_empty(), "`x/mod.rs` in place of `x.rs` beside `x/`: {wrong:?}");
}

/// Names that more than one type has although other parts know them, and why.
const SHARED_NAMES: [(&str, &str); 2] = [
    ("Script", "a file that compiled; a script as the control plane lists it"),
    ("Span", "a time as an operator writes it; OpenTelemetry's word for a part of a trace"),
];

/// Returns the public types of a file.
fn public_types(source: &Source) -> BTreeSet<&str> {
    let is_type = |word: &str| ["struct", "enum", "trait", "type"].contains(&word);
    let words = source.words();
    words.windows(3).filter(|words| words[0] == "pub" && is_type(words[1])).map(|words| words[2]).collect()
}

#[test]
fn two_types_that_other_parts_know_do_not_share_a_name() {
    let sources = sources();
    let arrows = arrows(&sources);
    let is_known = |source: &Source, name: &str| {
        let others = sources.iter().filter(|other| other.part() != source.part());
        others.filter_map(|other| arrows[other.path.as_str()].get(source.path.as_str())).any(|items| items.contains(name))
    };
    let mut homes = BTreeMap::<&str, Vec<&str>>::new();
    for source in &sources {
        for name in public_types(source).into_iter().filter(|name| is_known(source, name)) {
            homes.entry(name).or_default().push(&source.path);
        }
    }
    let is_allowed = |name: &str| SHARED_NAMES.iter().any(|(shared, _)| *shared == name);
    let wrong: Vec<_> = homes.iter().filter(|(name, homes)| homes.len() > 1 && !is_allowed(name)).collect();
    assert!(wrong.is_empty(), "one name, one type: {wrong:?}");
}

/// Participles that name types, and why.
const PARTICIPLES: [(&str, &str); 4] = [
    ("Feed", "it is none"),
    ("Finished", "a run that is over"),
    ("Shared", "what the handles of one thing share; private"),
    ("Shown", "a text that is safe to show"),
];

#[test]
fn a_type_is_named_for_what_it_is() {
    let irregular = [
        "Found", "Given", "Gone", "Held", "Kept", "Known", "Left", "Lost", "Made", "Meant", "Met", "Sent", "Shown", "Taken", "Told",
        "Written",
    ];
    let is_one_word = |name: &str| name.chars().filter(|c| c.is_uppercase()).count() == 1;
    let is_participle = |name: &str| is_one_word(name) && name.len() > 3 && (name.ends_with("ed") || irregular.contains(&name));
    let is_allowed = |name: &str| PARTICIPLES.iter().any(|(allowed, _)| *allowed == name);
    let mut wrong = Vec::new();
    for source in sources() {
        let words = source.words();
        let types = words.windows(2).filter(|words| ["struct", "enum", "trait"].contains(&words[0])).map(|words| words[1]);
        wrong.extend(types.filter(|name| is_participle(name) && !is_allowed(name)).map(|name| format!("{}: {name}", source.path)));
    }
    assert!(wrong.is_empty(), "a noun says more than a participle:\n{}", wrong.join("\n"));
}
