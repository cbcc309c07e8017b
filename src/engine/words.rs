//! Words that diagnostics and failures share.

/// Begins with a small letter what the engine begins with a large one.
pub fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// Says how many arguments a function takes, where it was given another number.
pub fn takes(name: &str, counts: &[usize], given: usize) -> String {
    let counts = counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    format!("`{name}` takes {counts} argument(s), not {given}")
}
