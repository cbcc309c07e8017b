//! Files of one part do not name each other in a circle: whoever reads a part can begin at its ground.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    names::{Arrows, arrows},
    sources::sources,
};

/// Whether this is the file of the folder that the other is in: `x/mod.rs` of `x/a.rs`. It holds what they share and puts them together, so
/// what it names of them makes no circle.
fn is_folder_of(file: &str, other: &str) -> bool {
    let folder = file.trim_end_matches(".rs").trim_end_matches("/mod");
    other.strip_prefix(folder).is_some_and(|below| below.starts_with('/'))
}

/// Returns the files that a file names, and those that they name, and so on.
fn reached<'a>(arrows: &Arrows<'a>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = arrows[from].keys().copied().collect();
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(arrows[file].keys());
        }
    }
    reached
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let sources = sources();
    let mut arrows = arrows(&sources);
    for (file, others) in &mut arrows {
        others.retain(|other, _| !is_folder_of(file, other));
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> = arrows.keys().map(|file| (*file, reached(&arrows, file))).collect();
    let mut ties = Vec::new();
    for source in &sources {
        let file = source.path.as_str();
        for (other, items) in &arrows[file] {
            if reached[other].contains(file) {
                ties.push(format!("{file} → {other}: {}", items.iter().map(String::as_str).collect::<Vec<_>>().join(", ")));
            }
        }
    }
    assert!(ties.is_empty(), "files in circles:\n{}", ties.join("\n"));
}
