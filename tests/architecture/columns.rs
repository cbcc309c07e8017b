//! The columns of a table have one home: a new column is a line there, and no statement forgets it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::sources::sources;

/// Two lists that share this many columns of a table name its columns twice.
const SHARED: usize = 3;

/// Returns the columns of each table, as the migrations make them.
fn tables() -> BTreeMap<String, BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in fs::read_dir(folder).unwrap() {
        let mut table = None;
        for line in fs::read_to_string(file.unwrap().path()).unwrap().lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match &words[..] {
                ["CREATE", "TABLE", name, ..] => table = Some((*name).to_owned()),
                ["ALTER", "TABLE", name, "ADD", "COLUMN", column, ..] => {
                    tables.entry((*name).to_owned()).or_default().insert((*column).to_owned());
                }
                [end, ..] if end.starts_with(')') => table = None,
                [column, kind, ..] if ["TEXT", "INTEGER", "BLOB"].contains(&kind.trim_end_matches(',')) => {
                    tables.entry(table.clone().unwrap()).or_default().insert((*column).to_owned());
                }
                _ => {}
            }
        }
    }
    tables
}

/// Returns the lists of names in a file: `a, b, c` at the beginning of a text, after `SELECT`, or in brackets after a name of a table.
fn lists(text: &str) -> Vec<Vec<&str>> {
    let program = text.split("#[cfg(test)]").next().unwrap();
    let begins = ["\"", "SELECT ", " ("].iter().flat_map(|begin| program.match_indices(begin).map(|(at, begin)| at + begin.len()));
    begins.map(|begin| list(&program[begin..])).filter(|list| list.len() >= SHARED).collect()
}

/// Returns the names at the beginning of a text that stand with commas between them.
fn list(text: &str) -> Vec<&str> {
    let is_name = |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let end = text.find(|c: char| !(c.is_ascii_lowercase() || c.is_whitespace() || "_,.\\".contains(c))).unwrap_or(text.len());
    let name = |name| -> &str { str::rsplit(name, '.').next().unwrap().trim_matches(|c: char| c.is_whitespace() || c == '\\') };
    text[..end].split(',').map(name).take_while(is_name).collect()
}

#[test]
fn the_columns_of_a_table_are_named_once() {
    let tables = tables();
    assert!(tables.len() >= 10 && tables["executions"].len() >= 17, "the migrations are not where they were: {tables:?}");
    let sources = sources();
    let store: Vec<_> = sources.iter().filter(|source| source.part() == "store").collect();
    let mut twice = Vec::new();
    for (table, columns) in &tables {
        let mut homes: Vec<(&str, BTreeSet<&str>)> = Vec::new();
        for source in &store {
            for list in lists(&source.text) {
                let named: BTreeSet<&str> = list.into_iter().filter(|name| columns.contains(*name)).collect();
                if named.len() < SHARED {
                    continue;
                }
                let same = homes.iter().find(|(_, other)| other.intersection(&named).count() >= SHARED);
                twice.extend(same.map(|(home, _)| format!("`{table}` in {home} and in {}: {named:?}", source.path)));
                homes.push((&source.path, named));
            }
        }
    }
    assert!(twice.is_empty(), "columns are named more than once:\n{}", twice.join("\n"));
}

#[test]
fn a_list_of_columns_is_found_wherever_it_begins() {
    let text = "\"SELECT e.a, e.b,\n  e.c FROM x\" query(\"INSERT INTO x (a, b, c) VALUES\") \"a, b, \\\n c\" { a, b, c } CONCAT(a, b, c) (a, 1, c)";
    assert_eq!(lists(text), [["a", "b", "c"], ["a", "b", "c"], ["a", "b", "c"]]);
}
