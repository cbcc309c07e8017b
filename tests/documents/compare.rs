//! Compares what a page shows with what a command printed.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

/// What differs each time, and the word in its place.
static MASKS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let masks = [
        (r"\bpicloud_[0-9a-f]*(?:…|[0-9a-f]{16})", "TOKEN"),
        (r"\bpicloud \d+\.\d+\.\d+(?:-dev)?", "picloud VERSION"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z", "TIME"),
        (r"\b\d{4}-\d\d-\d\d\b", "DATE"),
        (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
        (r"\b3[0-9a-z]{12}\b", "ID"),
        (r"\b[0-9a-f]{7,64}\b", "HASH"),
        (r"\b\d+(?:\.\d+)? (?:ns|µs|ms|s)\b", "SPAN"),
        (r"\b\d+ (bytes|operations|rows)\b", "N $1"),
        (r"\b\d+ tables \(schema \d+\)", "N tables"),
        (r#"("\w+_(?:ns|us|ms|s|bytes)":)\d+(?:\.\d+)?"#, "${1}N"),
        (r"(?:http://(?:127\.0\.0\.1|localhost):8080|https://node\.example\.org)", "NODE"),
    ];
    masks.map(|(pattern, word)| (Regex::new(pattern).unwrap(), word)).into()
});

/// Returns a line with what differs each time as words, and columns with one space between them.
fn plain(line: &str) -> String {
    let masked =
        MASKS.iter().fold(Cow::Borrowed(line.trim_end()), |line, (mask, word)| Cow::Owned(mask.replace_all(&line, *word).into_owned()));
    let indent: String = masked.chars().take_while(|&c| c == ' ').collect();
    indent + &masked.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns whether a line is as shown, where `…` is any text.
fn is_line(shown: &str, line: &str) -> bool {
    let parts: Vec<String> = shown.split('…').map(regex::escape).collect();
    Regex::new(&format!("^{}$", parts.join(".*"))).unwrap().is_match(line)
}

/// Returns whether lines are as shown, where `…` alone is any lines.
fn are_lines(shown: &[String], lines: &[String]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == "…" => (0..=lines.len()).any(|at| are_lines(rest, &lines[at..])),
        Some((first, rest)) => lines.split_first().is_some_and(|(line, others)| is_line(first, line) && are_lines(rest, others)),
    }
}

/// Returns whether a command printed what is shown.
pub fn is_as_shown(command: &str, shown: &[String], printed: &str) -> bool {
    let of_git = command.starts_with("git ");
    // What git says by itself: `To URL`, ` * [new branch]`, `error: failed to push some refs`.
    let lines = printed.lines().filter(|line| !of_git || ["remote:", " ! "].iter().any(|begin| line.starts_with(begin)));
    let lines: Vec<String> = lines.map(plain).collect();
    let shown: Vec<String> = shown.iter().map(|line| plain(line)).collect();
    are_lines(trimmed(&shown), trimmed(&lines))
}

/// Returns the ids and hashes that are shown with those that were printed in their place, if there are as many.
pub fn names(shown: &[String], printed: &str) -> Vec<(String, String)> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(?:3[0-9a-z]{12}|[0-9a-f]{7,64})\b").unwrap());
    let found = |text: &str| NAME.find_iter(text).map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
    let (shown, printed) = (found(&shown.join("\n")), found(printed));
    if shown.len() == printed.len() { shown.into_iter().zip(printed).collect() } else { Vec::new() }
}

/// Returns lines without empty ones at the end.
fn trimmed(lines: &[String]) -> &[String] {
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    &lines[..end]
}

#[test]
fn only_what_differs_each_time_may_differ() {
    let is = |shown: &str, printed: &str| is_as_shown("picloud status", &shown.lines().map(str::to_owned).collect::<Vec<_>>(), printed);
    assert!(is("live  361vz5hj7ad52 since 2026-11-23T11:28:44.908Z", "live      36abz5hj7ad52 since 2027-01-01T00:00:00.001Z\n"));
    assert!(is("live at 6e0a1f9d0c in 14 ms", "live at 0123456789 in 3.5 ms\n"));
    assert!(is("…\nb", "a\n\nb\n") && is("a\n…", "a\n") && is("a … c", "a b c"));
    assert!(!is("4 functions", "5 functions\n"));
    assert!(!is("a", "a\nb\n") && !is("a\nb", "a\n") && !is("a", ""));
    assert!(!is("  a", "a\n"));
    let shown = ["remote: live".to_owned()];
    assert!(is_as_shown("git push", &shown, "To URL\nremote: live        \n * [new branch]\n"));
    assert!(!is_as_shown("git push", &shown, "remote: live\nremote: more\n"));
}
