//! The program's files: where each is, which module it is, and its code as words.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One file below `src/`.
pub struct Source {
    /// Where it is below `src/`: `engine/plan/mod.rs`.
    pub path: String,
    /// Which module it is: `engine`, `plan`.
    pub module: Vec<String>,
    /// All that is in it.
    pub text: String,
    /// What is compiled for the program, without comments and texts.
    pub code: String,
    /// The texts in that code, without their quotes.
    pub texts: Vec<Text>,
}

/// A text in the code.
pub struct Text {
    /// As it is written, escapes and all.
    pub text: String,
    /// Whether it says where a handler answers: `path = "…"`.
    pub is_route_attribute: bool,
}

impl Source {
    fn read(root: &Path, path: &Path) -> Self {
        let below = path.strip_prefix(root).unwrap().display().to_string();
        let mut module: Vec<String> = below.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if ["mod", "lib"].contains(&module.last().unwrap().as_str()) {
            module.pop();
        }
        let text = fs::read_to_string(path).unwrap();
        let is_test = below.split(['/', '.']).any(|name| name == "tests");
        let (code, texts) = if is_test { Default::default() } else { split(&text) };
        Self { path: below, module, text, code, texts }
    }

    /// The part that it belongs to: `engine`.
    pub fn part(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap()
    }

    /// Returns the words of its code. A `::` is a word, and so is each other character that is no part of a name.
    pub fn words(&self) -> Vec<&str> {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let (mut words, mut rest) = (Vec::new(), self.code.trim_start());
        while let Some(first) = rest.chars().next() {
            let length = match first {
                _ if is_name(first) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            words.push(&rest[..length]);
            rest = rest[length..].trim_start();
        }
        words
    }
}

/// Returns every file below `src/`.
pub fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "rs" => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    assert!(found.len() > 100, "the sources are not where they were");
    found.iter().map(|path: &PathBuf| Source::read(&root, path)).collect()
}

/// Returns what is compiled for the program, with an empty text for each text, and the texts.
fn split(text: &str) -> (String, Vec<Text>) {
    let (code, all) = without_texts(text);
    let (mut kept, mut texts) = (String::new(), Vec::new());
    // A text stands there as its number between quotes.
    for (at, part) in without_tests(&code).split('"').enumerate() {
        match at % 2 {
            0 => kept.push_str(part),
            _ => {
                let is_route_attribute = kept.trim_end().ends_with("path =");
                texts.push(Text { text: all[part.parse::<usize>().unwrap()].to_owned(), is_route_attribute });
                kept.push_str("\"\"");
            }
        }
    }
    (kept, texts)
}

/// Returns the code with its number for each text and nothing for each comment, and the texts.
fn without_texts(text: &str) -> (String, Vec<&str>) {
    let (mut code, mut texts, mut rest) = (String::new(), Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => text_length(rest),
            'r' if !code.ends_with(|c: char| c.is_alphanumeric() || c == '_') => raw_length(rest),
            '\'' => character_length(rest),
            _ => 0,
        };
        match skipped {
            0 => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            }
            _ => {
                match first {
                    '/' => code.push(' '),
                    _ => {
                        code.push_str(&format!("\"{}\"", texts.len()));
                        texts.push(rest[..skipped].trim_matches(['r', '#', '"', '\'']));
                    }
                }
                rest = &rest[skipped..];
            }
        }
    }
    (code, texts)
}

/// The length of a text with its quotes.
fn text_length(rest: &str) -> usize {
    let mut is_escaped = false;
    let end = rest[1..].find(|c| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    end.map_or(rest.len(), |end| end + 2)
}

/// The length of a raw text, if one begins here.
fn raw_length(rest: &str) -> usize {
    let hashes = rest[1..].len() - rest[1..].trim_start_matches('#').len();
    let Some(inner) = rest[1 + hashes..].strip_prefix('"') else { return 0 };
    let end = format!("\"{}", "#".repeat(hashes));
    inner.find(&end).map_or(rest.len(), |at| 2 + hashes + at + end.len())
}

/// The length of a character with its quotes, if this is none of a lifetime.
fn character_length(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(0, |end| end + 4),
        Some(_) => characters.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

/// Returns the code without the items that are compiled for tests only.
fn without_tests(code: &str) -> String {
    let mut parts = code.split("#[cfg(test)]");
    let mut kept = parts.next().unwrap().to_owned();
    for part in parts {
        kept.push_str(&part[item_length(part)..]);
    }
    kept
}

/// The length of the item at the beginning: up to its `;`, or to the end of its braces.
fn item_length(code: &str) -> usize {
    let mut depth = 0;
    let end = code.char_indices().find(|(_, c)| {
        depth += i32::from(*c == '{') - i32::from(*c == '}');
        depth == 0 && matches!(c, ';' | '}')
    });
    end.map_or(code.len(), |(at, _)| at + 1)
}
