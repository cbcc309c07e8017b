//! Which files a file names, by the paths in its code: `crate::…`, `self::…`, `super::…`, a child, or a name that a `use` brought.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::Source;

/// For each file, the files that it names something of, and what.
pub type Arrows<'a> = BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<String>>>;

type Path = Vec<String>;

/// A file as others see it.
struct Module<'a> {
    file: &'a str,
    /// What a `use` brings, by the name that it has here.
    imports: BTreeMap<String, Path>,
}

type Modules<'a> = BTreeMap<&'a [String], Module<'a>>;

/// Returns what each file names of the others. Declaring a child or handing its names on is not naming it.
pub fn arrows(sources: &[Source]) -> Arrows<'_> {
    let read: Vec<(&Source, Names)> = sources.iter().map(|source| (source, Names::of(&source.words()))).collect();
    let modules: Modules =
        read.iter().map(|(source, names)| (&source.module[..], Module { file: &source.path, imports: names.imports.clone() })).collect();
    let mut arrows = Arrows::new();
    for (source, names) in &read {
        let named = arrows.entry(&source.path).or_default();
        for path in &names.paths {
            if let Some((file, item)) = resolve(&modules, &source.module, path, 0).filter(|(file, _)| *file != source.path) {
                named.entry(file).or_default().insert(item);
            }
        }
    }
    arrows
}

/// Follows a path to the file that has the item, through whoever hands it on. Crates of others and whole modules are nothing.
fn resolve<'a>(modules: &Modules<'a>, from: &[String], path: &[String], depth: usize) -> Option<(&'a str, String)> {
    let is_module = |module: &[String]| modules.contains_key(module);
    let (first, mut rest) = path.split_first().filter(|_| depth < 10)?;
    let mut at = match first.as_str() {
        "crate" => Vec::new(),
        "self" => from.to_vec(),
        "super" => from.split_last()?.1.to_vec(),
        child if is_module(&[from, &[child.to_owned()]].concat()) => [from, &[child.to_owned()]].concat(),
        name => {
            let import = modules.get(from)?.imports.get(name).filter(|import| import[0] != name)?;
            return resolve(modules, from, &[import, rest].concat(), depth + 1);
        }
    };
    while let Some((next, after)) = rest.split_first() {
        let child = [&at[..], std::slice::from_ref(next)].concat();
        match next.as_str() {
            "super" => drop(at.pop()),
            _ if is_module(&child) => at = child,
            _ => {
                let module = modules.get(&at[..])?;
                return match module.imports.get(next) {
                    Some(import) => resolve(modules, &at, &[import, after].concat(), depth + 1),
                    None => Some((module.file, next.clone())),
                };
            }
        }
        rest = after;
    }
    None
}

/// What the code of a file names.
struct Names {
    imports: BTreeMap<String, Path>,
    /// Every path but those that are only handed on.
    paths: BTreeSet<Path>,
}

impl Names {
    fn of(words: &[&str]) -> Self {
        let mut names = Self { imports: BTreeMap::new(), paths: BTreeSet::new() };
        let (mut handed_on, mut plain) = (Vec::new(), BTreeSet::new());
        let mut at = 0;
        while at < words.len() {
            if words[at] == "use" {
                let is_handed_on = at > 0 && ["pub", ")"].contains(&words[at - 1]);
                let length = words[at..].iter().position(|word| *word == ";").unwrap_or(words.len() - at);
                for (name, path) in imported(&words[at + 1..at + length]) {
                    match is_handed_on {
                        true => handed_on.push((name.clone(), path.clone())),
                        false => drop(names.paths.insert(path.clone())),
                    }
                    names.imports.insert(name, path);
                }
                at += length;
                continue;
            }
            let mut path = vec![words[at].to_owned()];
            while words.get(at + 1) == Some(&"::") && words.get(at + 2).is_some_and(|word| is_name(word)) {
                path.push(words[at + 2].to_owned());
                at += 2;
            }
            plain.insert(path[0].clone());
            if path.len() > 1 {
                names.paths.insert(path);
            }
            at += 1;
        }
        // What is handed on and used here, too.
        names.paths.extend(handed_on.into_iter().filter(|(name, _)| plain.contains(name)).map(|(_, path)| path));
        names
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Returns what one `use` brings: each name, and its whole path.
fn imported(words: &[&str]) -> Vec<(String, Path)> {
    let (mut found, mut before, mut path) = (Vec::new(), Vec::<Path>::new(), Path::new());
    let mut name = None;
    let mut at = 0;
    let mut end = |path: &mut Path, name: &mut Option<String>| {
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        if let Some(last) = path.last() {
            found.push((name.take().unwrap_or_else(|| last.clone()), path.clone()));
        }
    };
    while at < words.len() {
        match words[at] {
            "{" => before.push(path.clone()),
            "," | "}" => {
                if !["}", "{", ","].contains(&words[at - 1]) {
                    end(&mut path, &mut name);
                }
                path = before.last().cloned().unwrap_or_default();
                if words[at] == "}" {
                    before.pop();
                }
            }
            "as" => {
                at += 1;
                name = Some(words[at].to_owned());
            }
            "::" | "*" => {}
            word => path.push(word.to_owned()),
        }
        at += 1;
    }
    if words.last() != Some(&"}") {
        end(&mut path, &mut name);
    }
    found
}
