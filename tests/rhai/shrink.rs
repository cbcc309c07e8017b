//! Makes a script smaller as long as something stays true of it. It knows lines and brackets only: what is no script any more is refused.

use picloud::{engine::Evaluator, execution::Invocation};

use crate::both::{Both, Difference, Seen, text};

/// Files that nobody wrote, and the request that they are asked with.
pub struct Case {
    /// By their paths; the function is `f.rhai`.
    pub files: Vec<(String, String)>,
    /// What the function is asked.
    pub request: Invocation,
}

/// Outcomes whose moment depends on how operations, time and memory are counted.
pub const COUNTED: [&str; 3] = ["outcome: operations_exceeded", "outcome: memory_exceeded", "outcome: timed_out"];

/// Returns whether the runs cannot be compared: a limit that each evaluator counts in its own way may have ended one, or Rhai has panicked.
pub fn is_counted(runs: &Difference) -> bool {
    let is_limited = [&runs.rhai, &runs.own].iter().any(|seen| COUNTED.contains(&seen.0[0].as_str()));
    is_limited || runs.rhai.0.iter().any(|line| line.contains("please report it")) && runs.own.is_well()
}

/// Returns whether the runs differ as the documents say (docs/architecture.md): what has been a constant of a module lies in another value.
pub fn is_documented(runs: &Difference) -> bool {
    let told = |seen: &Seen| seen.0.iter().filter(|line| line.contains("constant")).count();
    let has_global = ["global::", "shop::LIMIT", "shop::NAMES"].iter().any(|name| runs.files.contains(name));
    has_global && told(&runs.rhai) > told(&runs.own)
}

impl Case {
    /// Runs it in both evaluators; the check may refuse it.
    pub fn run(&self, both: &Both) -> Result<Difference, String> {
        let files: Vec<(&str, &str)> = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let program = both.program(&files)?;
        let [rhai, own] = [Evaluator::Rhai, Evaluator::Own].map(|evaluator| both.run(&program, evaluator, &self.request));
        Ok(Difference { files: text(&files), rhai, own })
    }

    /// Returns how the runs differ; nothing where a limit may have ended one.
    pub fn difference(&self, both: &Both) -> Option<Difference> {
        self.run(both).ok().filter(|runs| !is_counted(runs) && !runs.rhai.is_as(&runs.own))
    }

    /// Makes it smaller, file by file, as long as the same kind of thing differs.
    pub fn smallest(mut self, both: &Both) -> Difference {
        let original = self.difference(both).expect("it differed just now");
        for place in 0..self.files.len() {
            let text = self.files[place].1.clone();
            self.files[place].1 = shrink(&text, &mut |candidate| {
                let mut files = self.files.clone();
                files[place].1 = candidate.into();
                let changed = Self { files, request: self.request.clone() };
                changed.difference(both).is_some_and(|difference| kind(&difference) == kind(&original))
            });
        }
        self.difference(both).unwrap_or(original)
    }
}

/// Returns what kind of thing differs.
fn kind(difference: &Difference) -> String {
    let (rhai, own) = difference.first();
    [rhai, own].map(|line| line.split(':').next().unwrap_or_default()).join(" / ")
}

/// Most attempts, each of which compiles and runs a script.
const ATTEMPTS: usize = 4_000;

/// Returns a script from which nothing can be taken away without losing what is to stay.
fn shrink(script: &str, stays: &mut dyn FnMut(&str) -> bool) -> String {
    let mut smallest = script.to_owned();
    let mut left = ATTEMPTS;
    let mut stays = |candidate: &str, smallest: &mut String| {
        // What is not smaller could go round in circles.
        if left == 0 || candidate.len() >= smallest.len() {
            return false;
        }
        left -= 1;
        let is_smaller = stays(candidate);
        if is_smaller {
            *smallest = candidate.to_owned();
        }
        is_smaller
    };
    loop {
        let before = smallest.len();
        lines(&mut smallest, &mut stays);
        blocks(&mut smallest, &mut stays);
        brackets(&mut smallest, &mut stays);
        pieces(&mut smallest, &mut stays);
        if smallest.len() == before {
            return smallest;
        }
    }
}

type Stays<'a> = dyn FnMut(&str, &mut String) -> bool + 'a;

/// Takes out lines: many, then fewer.
fn lines(smallest: &mut String, stays: &mut Stays<'_>) {
    let mut size = smallest.lines().count().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < smallest.lines().count() {
            let kept = smallest.lines().enumerate().filter(|(at, _)| !(from..from + size).contains(at));
            let candidate: String = kept.map(|(_, line)| format!("{line}\n")).collect();
            if !stays(&candidate, smallest) {
                from += size;
            }
        }
        size /= 2;
    }
}

/// Takes out what is around the lines of a block, or the block.
fn blocks(smallest: &mut String, stays: &mut Stays<'_>) {
    let mut from = 0;
    while from < smallest.lines().count() {
        let all: Vec<&str> = smallest.lines().collect();
        let mut depth = 0_i32;
        let mut end = None;
        for (at, line) in all.iter().enumerate().skip(from) {
            depth += line.matches('{').count() as i32 - line.matches('}').count() as i32;
            if depth <= 0 {
                end = Some(at);
                break;
            }
        }
        let Some(end) = end.filter(|end| *end > from) else {
            from += 1;
            continue;
        };
        let without = [&all[..from], &all[end + 1..]].concat().join("\n");
        let inner = [&all[..from], &all[from + 1..end], &all[end + 1..]].concat().join("\n");
        if !stays(&without, smallest) && !stays(&inner, smallest) {
            from += 1;
        }
    }
}

/// Returns where each pair of brackets begins and ends, the outermost first.
fn pairs(script: &str) -> Vec<(usize, usize)> {
    let (mut open, mut found) = (Vec::new(), Vec::new());
    let mut quote = None;
    for (at, char) in script.char_indices() {
        match (char, quote) {
            ('"' | '`', None) => quote = Some((char, at)),
            (char, Some((by, from))) if char == by => {
                found.push((from, at));
                quote = None;
            }
            ('(' | '[' | '{', None) => open.push(at),
            (')' | ']' | '}', None) => found.extend(open.pop().map(|from| (from, at))),
            _ => {}
        }
    }
    found.sort_unstable();
    found
}

/// Puts something simple in the place of what is in brackets, or takes the brackets off.
fn brackets(smallest: &mut String, stays: &mut Stays<'_>) {
    const SIMPLE: [&str; 7] = ["", "0", "1", "()", "\"\"", "[]", "#{}"];
    let mut from = 0;
    while let Some((begin, end)) = pairs(smallest).into_iter().find(|(begin, _)| *begin >= from) {
        from = begin + 1;
        let (before, inside, after) = (&smallest[..begin], &smallest[begin + 1..end], &smallest[end + 1..]);
        let bracket = &smallest[begin..=begin];
        let closed = &smallest[end..=end];
        let mut candidates: Vec<String> = SIMPLE.iter().map(|simple| format!("{before}{simple}{after}")).collect();
        candidates.push(format!("{before}{inside}{after}"));
        candidates.push(format!("{before}{bracket}{closed}{after}"));
        candidates.push(format!("{before}{bracket}0{closed}{after}"));
        // One of two operands, or one of several items.
        let inner = pairs(inside).into_iter().map(|(begin, end)| &inside[begin..=end]);
        let words = inside.split([' ', ',', ';']);
        candidates.extend(inner.chain(words).map(|part| format!("{before}{part}{after}")));
        candidates.extend(inside.split(", ").map(|part| format!("{before}{bracket}{part}{closed}{after}")));
        candidates.sort_by_key(String::len);
        if candidates.iter().any(|candidate| stays(candidate, smallest)) {
            from = begin;
        }
    }
}

/// Takes out what lies between spaces, commas and dots: one piece, or two or three that follow each other.
fn pieces(smallest: &mut String, stays: &mut Stays<'_>) {
    for count in [3, 2, 1] {
        let mut from = 0;
        loop {
            let pieces: Vec<&str> = smallest.split_inclusive([' ', ',', ';', '.', '\n']).collect();
            if from + count > pieces.len() {
                break;
            }
            let candidate = [&pieces[..from], &pieces[from + count..]].concat().concat();
            if !stays(&candidate, smallest) {
                from += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_left() {
        let script =
            "let x = [1, 2];\nfor i in 0..3 {\n    if x.len() > (i + 1) {\n        log::info(`${x}`); x.push(f(i, [7]));\n    }\n}\nx\n";
        let shrunk = |what: &str| shrink(script, &mut |candidate| candidate.contains(what));
        assert_eq!(shrunk("x.push(").trim(), "x.push();");
        assert!(shrunk("[7]").len() < 10);
        assert_eq!(shrink(script, &mut |_| false), script);
    }
}
