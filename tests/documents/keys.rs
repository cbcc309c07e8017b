//! The tables of docs/configuration.md have the keys and defaults of `picloud.toml`, which a test of the program holds to what it does.

use std::{collections::BTreeMap, fs, path::Path};

use super::REPOSITORY;

/// Keys by section, each with its default. Of a key that is commented out what stands there may be an example.
type Keys = BTreeMap<(String, String), Option<String>>;

#[test]
fn the_tables_of_the_configuration_are_those_of_the_file() {
    let read = |path: &str| fs::read_to_string(Path::new(REPOSITORY).join(path)).unwrap();
    let (file, page) = (keys_of_file(&read("picloud.toml")), keys_of_page(&read("docs/configuration.md")));
    assert!(file.len() > 80, "{file:#?}");
    assert_eq!(file.keys().collect::<Vec<_>>(), page.keys().collect::<Vec<_>>(), "the keys");
    for (key, default) in file {
        assert!(default.is_none() || default == page[&key], "{key:?} is {default:?}, and the page says {:?}", page[&key]);
    }
}

fn keys_of_file(text: &str) -> Keys {
    let mut keys = Keys::new();
    let mut section = String::new();
    for line in text.lines() {
        let (line, is_set) = line.strip_prefix("# ").map_or((line, true), |line| (line, false));
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = if name.starts_with("databases.") { "databases.NAME".to_owned() } else { name.to_owned() };
        } else if let Some((key, value)) = line.split_once(" = ").filter(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        {
            let is_default = is_set && section != "databases.NAME";
            keys.insert((section.clone(), key.to_owned()), is_default.then(|| value.to_owned()));
        }
    }
    keys
}

fn keys_of_page(text: &str) -> Keys {
    let mut keys = Keys::new();
    let mut sections: Vec<String> = Vec::new();
    let reference = text.split("\n## ").find(|part| part.starts_with("Reference")).unwrap();
    let in_backticks = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    for line in reference.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let named: Vec<String> =
            in_backticks(line).iter().filter_map(|name| Some(name.strip_prefix('[')?.strip_suffix(']')?.to_owned())).collect();
        if line.starts_with("### ") || line.starts_with("| key of ") {
            sections = named;
        } else if line.starts_with("| key at the top") {
            sections = vec![String::new()];
        } else if line.starts_with("| `") {
            // A column for each section.
            for (section, default) in sections.iter().zip(&cells[1..]).filter(|(_, default)| !default.is_empty()) {
                keys.insert((section.clone(), cells[0].trim_matches('`').to_owned()), in_backticks(default).into_iter().next());
            }
        }
    }
    keys
}
