//! The cases of `corpus/*.rhai`, one or more for each rule of the language.
//!
//! A case begins with a line `// ---- ` and the rule; `[refused]` at its end says that the check does not let it run, `[bare]` that its value is
//! only seen as the reply. A line `// file PATH` begins another file of the case.
//!
//! Each case runs twice: as it is, so that positions are those of the text; and as a block whose value is logged with its type.

use std::{fmt::Write, fs, path::Path};

use picloud::function::Limits;

use crate::both::{Both, Verdict, with_both};

struct Case {
    rule: String,
    is_refused: bool,
    is_bare: bool,
    files: Vec<(String, String)>,
}

const BEGINS: &str = "// ---- ";
const FILE: &str = "// file ";

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(rule) = line.strip_prefix(BEGINS) {
            let [is_refused, is_bare] = ["[refused]", "[bare]"].map(|mark| rule.contains(mark));
            cases.push(Case { rule: rule.into(), is_refused, is_bare, files: vec![("f.rhai".into(), String::new())] });
        } else if let Some(case) = cases.last_mut() {
            match line.strip_prefix(FILE) {
                Some(path) => case.files.push((path.into(), String::new())),
                None => case.files.last_mut().unwrap().1 += &format!("{line}\n"),
            }
        }
    }
    cases
}

/// Writes a script so that it logs its value. Functions and imports stay outside of the block: they belong to the file.
fn logging(script: &str) -> String {
    let (mut outside, mut inside) = (String::new(), String::new());
    let mut is_function = false;
    for line in script.lines() {
        let begins = ["fn ", "private fn ", "import ", "const "].iter().any(|word| line.starts_with(word));
        let target = if begins || is_function { &mut outside } else { &mut inside };
        *target += line;
        target.push('\n');
        let ends = if is_function { line == "}" } else { line.ends_with(['}', ';']) };
        is_function = (begins || is_function) && !ends;
    }
    format!("{outside}let it = {{\n{inside}\n}};\nlog::info(type_of(it));\nlog::info(it.to_debug());\nit\n")
}

/// Says what is wrong with a case; nothing if both evaluators agree.
fn wrong(both: &Both, case: &Case) -> Option<String> {
    let files: Vec<(&str, &str)> = case.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    match both.compare(&files) {
        Verdict::Refused(_) if case.is_refused => return None,
        Verdict::Same | Verdict::Differ(_) if case.is_refused => return Some("the check lets it run".into()),
        Verdict::Refused(why) => return Some(format!("{}\n  the check does not let it run: {why}", files[0].1)),
        Verdict::Differ(difference) => return Some(difference.to_string()),
        Verdict::Same if case.is_bare => return None,
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

/// Runs the cases of a file, all of them, and fails with those that are wrong.
fn run(name: &'static str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rhai/corpus").join(format!("{name}.rhai"));
    let cases = cases(&fs::read_to_string(path).unwrap());
    assert!(!cases.is_empty());
    let count = cases.len();
    let (wrong, report) = with_both(name, Limits::DEFAULT, move |both| {
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
    variables
}
