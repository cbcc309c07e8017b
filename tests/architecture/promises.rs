//! Each promise in the docs names the test that holds it.

use std::{fs, path::Path};

#[test]
fn what_the_docs_promise_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in ["docs/security.md", "docs/reliability.md"] {
        let words = fs::read_to_string(root.join(page)).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        // `file: test`, with the file below `tests/` unless it begins with `src/`, and `…` for the rest of a long name.
        let is_name =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_/…".contains(c));
        let quoted: Vec<&str> = words.split('`').skip(1).step_by(2).collect();
        // A file alone stands for all that is in it.
        let is_in_tests = |text: &&&str| {
            is_name(text) && text.split_once('/').is_some_and(|(folder, _)| !folder.is_empty() && root.join("tests").join(folder).is_dir())
        };
        for file in quoted.iter().filter(is_in_tests) {
            assert!(root.join(format!("tests/{file}.rs")).is_file(), "{page}: there is no `{file}`");
        }
        let named = quoted.iter().filter_map(|quoted| quoted.split_once(": "));
        let named: Vec<_> = named.filter(|(file, test)| is_name(file) && is_name(test)).collect();
        assert!(named.len() > 15, "{page}: {named:?}");
        for (file, test) in named {
            let below = if file.starts_with("src/") { root.to_owned() } else { root.join("tests") };
            let text = fs::read_to_string(below.join(format!("{file}.rs"))).unwrap_or_else(|error| panic!("{file}: {error}"));
            let begin = test.strip_suffix('…').map_or_else(|| format!("fn {test}("), |begin| format!("fn {begin}"));
            // Some tests are made by a macro, which names them alone.
            let by_macro = format!("{}: ", test.trim_end_matches('…'));
            assert!(text.contains(&begin) || text.contains(&by_macro), "{page}: {file} has no `{test}`");
        }
    }
}
