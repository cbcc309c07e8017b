//! The templates that a template names: by `include`, `extends`, `import` and `from`.

/// The tags that name a template.
const TAGS: [&str; 4] = ["include", "extends", "import", "from"];

/// A tag that names another template.
#[derive(Debug, PartialEq, Eq)]
pub struct TemplateTag<'a> {
    /// The name; none if it is worked out when the template is rendered.
    pub name: Option<&'a str>,
    /// Where what follows the word begins, in bytes.
    pub offset: usize,
    /// Whether it does without the template: `ignore missing`.
    pub may_be_missing: bool,
}

/// Finds the tags of a template that name others.
pub fn tags(text: &str) -> Vec<TemplateTag<'_>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(begin) = text[at..].find('{').map(|from| at + from) {
        let rest = &text[begin..];
        let skip = |end: &str| rest.find(end).map_or(text.len(), |length| begin + length + end.len());
        at = if rest.starts_with("{#") {
            skip("#}")
        } else if rest.starts_with("{%") {
            let end = skip("%}");
            let (word, after, offset) = first_word(text, begin + 2, end);
            if word == "raw" {
                text[end..].find("endraw").map_or(text.len(), |length| end + length)
            } else {
                if TAGS.contains(&word) {
                    found.push(TemplateTag { name: literal(after), offset, may_be_missing: after.contains("ignore missing") });
                }
                end
            }
        } else {
            begin + 1
        };
    }
    found
}

/// Finds a `*` in the expressions of a template, outside of strings. Returns its place in bytes.
pub fn star(text: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(begin) = text[at..].find('{').map(|from| at + from) {
        let rest = &text[begin..];
        let end = |closing: &str| rest.find(closing).map_or(text.len(), |length| begin + length + closing.len());
        at = match () {
            () if rest.starts_with("{#") => end("#}"),
            () if rest.starts_with("{%") || rest.starts_with("{{") => {
                let end = if rest.starts_with("{%") { end("%}") } else { end("}}") };
                if let Some(found) = star_outside_of_strings(&text[begin..end]) {
                    return Some(begin + found);
                }
                let is_raw = first_word(text, begin + 2, end).0 == "raw";
                if is_raw { text[end..].find("endraw").map_or(text.len(), |length| end + length) } else { end }
            }
            () => begin + 1,
        };
    }
    None
}

fn star_outside_of_strings(expression: &str) -> Option<usize> {
    let mut quote = None;
    let mut letters = expression.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some(open), letter) if open == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '*') => return Some(at),
            _ => {}
        }
    }
    None
}

/// Returns the first word of a tag, and what follows it with its place.
fn first_word(text: &str, begin: usize, end: usize) -> (&str, &str, usize) {
    let inner = &text[begin..end];
    let word_at = inner.len() - inner.trim_start_matches(|c: char| c == '-' || c == '+' || c.is_whitespace()).len();
    let word = &inner[word_at..];
    let length = word.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word.len());
    let after = word[length..].trim_start();
    (&word[..length], after, end - after.len())
}

/// Returns the text of a string that is a whole expression.
fn literal(after: &str) -> Option<&str> {
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (name, rest) = after[1..].split_once(quote)?;
    let follows = rest.trim_start().trim_start_matches(['-', '+']);
    let is_whole = ["%}", "ignore", "with", "without", "import", "as"].iter().any(|next| follows.starts_with(next));
    (is_whole && !name.contains('\\')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_found_in_expressions_alone() {
        for (text, found) in [
            ("* {{ a }} * {# a * b #}{% raw %}{{ a * b }}{% endraw %} {{ \"a*\" ~ 'it\\'s *' }}", None),
            ("{{ a * 3 }}", Some(5)),
            ("{% set a = [1]*9 %}", Some(14)),
            ("{{ f(*x) }}", Some(5)),
            ("{{ \"a\" * 3", Some(7)),
        ] {
            assert_eq!(star(text), found, "{text}");
        }
    }

    #[test]
    fn tags_name_templates_by_plain_strings() {
        let text = "{% extends \"base.html\" %}{#{% include 'no' %}#}{% raw %}{% include 'no' %}{% endraw %}{%- include 'a.html' ignore missing -%}
{% include page %}{% from \"m.html\" import x as y %}{% import 'm.html' as m %}{{ include('x') }}{% include 'a' ~ b %}{% if a %}{%";
        let found: Vec<_> = tags(text).into_iter().map(|tag| (tag.name, tag.may_be_missing)).collect();
        let plain = |name| (Some(name), false);
        assert_eq!(found, [plain("base.html"), (Some("a.html"), true), (None, false), plain("m.html"), plain("m.html"), (None, false)]);
        assert_eq!(&text[tags(text)[0].offset..][..11], "\"base.html\"");
    }
}
