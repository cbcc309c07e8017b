//! The cases of `corpus/*.rhai`, one or more for each rule of the language.
//!
//! A line `// ---- ` names a rule. Paragraphs below it are its cases; with `[lines]` behind the rule each line is one, with `[whole]` all of it
//! is. `[refused]` says that the check does not let them run, `[bare]` that their value is only seen as the reply. A line `// file PATH`
//! begins another file of a case.
//!
//! Each case runs twice: as it is, so that positions are those of the text; and as a block whose value is logged with its type.

use std::{fmt::Write, fs, path::Path};

use picloud::function::Limits;

use crate::both::{Both, Verdict, with_both};

struct Case {
    rule: String,
    files: Vec<(String, String)>,
}

const RULE: &str = "// ---- ";
const FILE: &str = "// file ";

impl Case {
    fn new(rule: &str, text: &str) -> Self {
        let mut files = vec![("f.rhai".to_owned(), String::new())];
        for line in text.lines() {
            match line.strip_prefix(FILE) {
                Some(path) => files.push((path.into(), String::new())),
                None => files.last_mut().unwrap().1 += &format!("{line}\n"),
            }
        }
        Self { rule: rule.into(), files }
    }

    fn has(&self, mark: &str) -> bool {
        self.rule.contains(mark)
    }
}

fn cases(text: &str) -> Vec<Case> {
    let rules = text.split(RULE).skip(1).map(|rule| rule.split_once('\n').unwrap());
    let cases = rules.flat_map(|(rule, text)| {
        let parts: Vec<&str> = match () {
            () if rule.contains("[whole]") => vec![text],
            () if rule.contains("[lines]") => text.lines().collect(),
            () => text.split("\n\n").collect(),
        };
        parts.into_iter().map(str::trim_end).filter(|part| !part.is_empty()).map(move |part| Case::new(rule, part))
    });
    cases.collect()
}

/// Writes a script so that it logs its value. Functions stay outside of the block, as do the imports and constants that it begins with.
fn logging(script: &str) -> String {
    let front = script.strip_prefix("+++").and_then(|rest| rest.find("+++\n")).map_or(0, |end| end + 7);
    let (front, script) = script.split_at(front);
    let (mut outside, mut inside) = (front.to_owned(), String::new());
    for statement in statements(script) {
        let is_first = inside.trim().is_empty() && begins(statement, &["import ", "const "]);
        if is_first || is_function(statement) { &mut outside } else { &mut inside }.push_str(statement);
    }
    format!("{outside}\nlet it = {{\n{inside}\n}};\nlog::info(type_of(it));\nlog::info(it.to_debug());\nit\n")
}

fn begins(statement: &str, words: &[&str]) -> bool {
    words.iter().any(|word| statement.trim_start().starts_with(word))
}

fn is_function(statement: &str) -> bool {
    begins(statement, &["fn ", "private fn "])
}

/// Cuts a script behind each `;` that is inside of nothing, and behind each function.
fn statements(script: &str) -> Vec<&str> {
    let (mut cuts, mut depth, mut within) = (vec![0], 0_usize, None);
    let mut characters = script.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match (within, character) {
            (Some('"' | '\''), '\\') => drop(characters.next()),
            (Some(end), _) if end == character => within = None,
            (Some(_), _) => {}
            (None, '"' | '`' | '\'') => within = Some(character),
            (None, '/') if characters.peek().is_some_and(|(_, next)| *next == '/') => within = Some('\n'),
            (None, '{' | '(' | '[') => depth += 1,
            (None, '}' | ')' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_function = || is_function(&script[cuts[cuts.len() - 1]..]);
        if within.is_none() && depth == 0 && (character == ';' || character == '}' && is_function()) {
            cuts.push(at + 1);
        }
    }
    cuts.push(script.len());
    cuts.windows(2).map(|cut| &script[cut[0]..cut[1]]).collect()
}

/// Says what is wrong with a case; nothing if both evaluators agree.
fn wrong(both: &Both, case: &Case) -> Option<String> {
    let files: Vec<(&str, &str)> = case.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    match both.compare(&files) {
        Verdict::Refused(_) if case.has("[refused]") => return None,
        Verdict::Same | Verdict::Differ(_) if case.has("[refused]") => return Some("the check lets it run".into()),
        Verdict::Refused(why) => return Some(format!("{}\n  the check does not let it run: {why}", files[0].1)),
        Verdict::Differ(difference) => return Some(difference.to_string()),
        Verdict::Same if case.has("[bare]") => return None,
        Verdict::Same => {}
    }
    let script = logging(files[0].1);
    let files: Vec<_> = [("f.rhai", script.as_str())].into_iter().chain(files[1..].iter().copied()).collect();
    match both.compare(&files) {
        Verdict::Same => None,
        Verdict::Refused(why) => Some(format!("{script}\n  mark it as [bare]: {why}")),
        Verdict::Differ(difference) => Some(difference.to_string()),
    }
}

/// Rhai walks a whole value each time that it grows: values as large as the usual limits would take minutes.
const LIMITS: Limits = Limits { operations: 500_000, array: 1_000, map: 1_000, ..Limits::DEFAULT };

/// Runs the cases of a file, all of them, and fails with those that are wrong.
fn run(name: &'static str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rhai/corpus").join(format!("{name}.rhai"));
    let cases = cases(&fs::read_to_string(path).unwrap());
    assert!(!cases.is_empty());
    let count = cases.len();
    let (wrong, report) = with_both(name, LIMITS, move |both| {
        let (mut count, mut report) = (0, String::new());
        for case in &cases {
            if let Some(why) = wrong(both, case) {
                count += 1;
                let _ = writeln!(report, "---- {}\n{why}", case.rule);
            }
        }
        (count, report)
    });
    assert!(wrong == 0, "{report}{wrong} of {count} cases of {name}");
}

macro_rules! corpora {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        #[test]
        fn every_corpus_is_read() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rhai/corpus");
            let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            files.sort();
            let mut read = vec![$(concat!(stringify!($name), ".rhai")),*];
            read.sort_unstable();
            assert_eq!(files, read);
        }
    };
}

corpora! {
    assignments chains closures collections control errors functions host modules numbers places programs switch texts types variables
}
