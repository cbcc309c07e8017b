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

/// Returns the folder that both files are in, and what each is in there: a file, or a folder.
fn apart<'a>(file: &'a str, other: &'a str) -> (String, &'a str, &'a str) {
    let (mut file, mut other, mut folder) = (file.split('/'), other.split('/'), String::new());
    loop {
        match (file.next(), other.next()) {
            (Some(one), Some(two)) if one == two => folder += &format!("{one}/"),
            (one, two) => return (folder, one.unwrap_or_default(), two.unwrap_or_default()),
        }
    }
}

#[test]
fn no_folders_of_one_part_name_each_other_in_a_circle() {
    let sources = sources();
    // For each folder, who in it names whom, and an example.
    let mut folders = BTreeMap::<String, BTreeMap<&str, BTreeMap<&str, String>>>::new();
    for (file, others) in arrows(&sources) {
        for other in others.into_keys() {
            let (folder, one, two) = apart(file, other);
            // What lies directly below `src/` are parts: the table holds those.
            if !folder.is_empty() && one != "mod.rs" && two != "mod.rs" {
                folders.entry(folder).or_default().entry(one).or_default().entry(two).or_insert_with(|| format!("{file} → {other}"));
            }
        }
    }
    let mut ties = Vec::new();
    for arrows in folders.values() {
        let reaches = |from: &str, to: &str| {
            let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
            while let Some(one) = next.pop() {
                next.extend(arrows.get(one).into_iter().flat_map(BTreeMap::keys).filter(|other| reached.insert(**other)));
            }
            reached.contains(to)
        };
        let named = arrows.iter().flat_map(|(one, others)| others.iter().map(move |(two, example)| (*one, *two, example)));
        ties.extend(named.filter(|(one, two, _)| reaches(two, one)).map(|(.., example)| example.clone()));
    }
    assert!(ties.is_empty(), "folders in circles:\n{}", ties.join("\n"));
}
