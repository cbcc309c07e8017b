//! Compiled patterns, which all runs share.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Mutex, PoisonError},
};

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

use crate::engine::{memory, meter};

/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 16 * 1024;
/// Largest compiled pattern, in bytes. `\w{20}` is near it.
const MAX_COMPILED: usize = 1 << 20;
/// What a search may keep of what it has found out about its pattern, in bytes, each thread for itself.
const MAX_STATES: usize = 256 * 1024;
/// Patterns that are kept, and their bytes; the one that was used longest ago goes first.
const MAX_KEPT: usize = 100;
const MAX_KEPT_BYTES: usize = 32 << 20;
/// The most that a search may cost: bytes of the text times the places of the pattern. A search cannot be interrupted, and this takes some
/// tenths of a second at the worst; it is a text of 1 MiB with a pattern of 64 places.
const MAX_WORK: u64 = 64 << 20;

/// A compiled pattern. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    /// How many of its places a search may be at, at one moment.
    places: u64,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is longer than a pattern may be.
    #[error("the pattern is longer than {MAX_PATTERN} bytes")]
    TooLong,
    /// It is malformed.
    #[error("the pattern is malformed at its character {at}: {why}")]
    Malformed {
        /// Counted from 1.
        at: usize,
        /// What the reader says.
        why: String,
    },
    /// It is well-formed, and stands for too much.
    #[error("the pattern is larger than {} KiB when it is compiled", MAX_COMPILED / 1024)]
    TooLarge,
}

impl PatternError {
    /// Says what to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLong => "search with several shorter patterns",
            Self::Malformed { .. } => {
                "a character that means itself gets a `\\`, in a text between backticks once and in quotes twice: \"\\\\.\""
            }
            Self::TooLarge => "repeat less, or classes of fewer characters: `[0-9]` for `\\d`, `[a-zA-Z0-9_]` for `\\w`",
        }
    }
}

impl Pattern {
    /// Says why this text would take too long to search.
    pub fn may_search(&self, text: &str) -> Result<(), String> {
        if self.places.saturating_mul(text.len() as u64) <= MAX_WORK {
            return Ok(());
        }
        let (most, places) = (MAX_WORK / self.places, self.places);
        Err(format!("a pattern with {places} places searches at most {most} bytes, not {}; shorten the text or the pattern", text.len()))
    }

    /// Says whether it is found in a text.
    pub fn is_match(&self, text: &str) -> bool {
        meter::beside(|| self.regex.is_match(text))
    }

    /// Finds the first match that begins there or later; none beyond the end.
    pub fn find_at(&self, text: &str, from: usize) -> Option<Range<usize>> {
        (from <= text.len()).then(|| meter::beside(|| self.regex.find_at(text, from)).map(|found| found.range())).flatten()
    }

    /// Finds the groups of the first match that begins there or later.
    pub fn groups_at(&self, text: &str, from: usize) -> Option<Vec<Option<Range<usize>>>> {
        let mut groups = Vec::with_capacity(self.regex.captures_len());
        meter::beside(|| {
            let mut locations = self.regex.capture_locations();
            self.regex.captures_read_at(&mut locations, text, from).map(|_| {
                (0..locations.len()).for_each(|number| groups.push(locations.get(number).map(|(start, end)| start..end)));
            })
        })?;
        Some(groups)
    }

    /// Returns the names of its groups, in order. The first group is the match as a whole.
    pub fn names(&self) -> impl Iterator<Item = Option<&str>> {
        self.regex.capture_names()
    }
}

#[derive(Default)]
struct Cache {
    kept: HashMap<Box<str>, CacheEntry>,
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

struct CacheEntry {
    pattern: Pattern,
    bytes: usize,
    used: u64,
}

static CACHE: Mutex<Option<Cache>> = Mutex::new(None);

/// Compiles a pattern, or finds it among those that were compiled.
pub fn pattern(text: &str) -> Result<Pattern, PatternError> {
    // A panic while it is held leaves it whole: entries are inserted complete.
    let cache = || CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pattern) = cache().get_or_insert_default().find(text) {
        return Ok(pattern);
    }
    let held = memory::held();
    let pattern = compile(text)?;
    let bytes = usize::try_from(memory::held() - held).unwrap_or(0) + text.len();
    cache().get_or_insert_default().keep(text, pattern.clone(), bytes);
    Ok(pattern)
}

fn compile(text: &str) -> Result<Pattern, PatternError> {
    if text.len() > MAX_PATTERN {
        return Err(PatternError::TooLong);
    }
    let hir = regex_syntax::Parser::new().parse(text).map_err(|why| malformed(text, &why))?;
    let places = places(&hir).max(1);
    let regex = RegexBuilder::new(text).size_limit(MAX_COMPILED).dfa_size_limit(MAX_STATES).build();
    Ok(Pattern { regex: regex.map_err(|_| PatternError::TooLarge)?, places })
}

fn malformed(text: &str, why: &regex_syntax::Error) -> PatternError {
    let (span, why) = match why {
        regex_syntax::Error::Parse(why) => (*why.span(), why.kind().to_string()),
        regex_syntax::Error::Translate(why) => (*why.span(), why.kind().to_string()),
        why => return PatternError::Malformed { at: 1, why: why.to_string() },
    };
    PatternError::Malformed { at: text[..text.floor_char_boundary(span.start.offset)].chars().count() + 1, why }
}

/// Returns how many places a search may be at, at one moment: characters of the pattern with its repetitions written out.
fn places(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(_) => 1,
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            places(&repetition.sub).saturating_mul(times.into())
        }
        HirKind::Capture(capture) => places(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().map(places).fold(0, u64::saturating_add),
    }
}

impl Cache {
    fn find(&mut self, text: &str) -> Option<Pattern> {
        self.clock += 1;
        let kept = self.kept.get_mut(text)?;
        kept.used = self.clock;
        Some(kept.pattern.clone())
    }

    fn keep(&mut self, text: &str, pattern: Pattern, bytes: usize) {
        if self.kept.contains_key(text) {
            return;
        }
        while self.kept.len() >= MAX_KEPT || (self.bytes + bytes > MAX_KEPT_BYTES && !self.kept.is_empty()) {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(text, _)| text.clone());
            let removed = oldest.and_then(|text| self.kept.remove(&text));
            self.bytes -= removed.map_or(0, |kept| kept.bytes);
        }
        self.bytes += bytes;
        self.kept.insert(text.into(), CacheEntry { pattern, bytes, used: self.clock });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_count_as_if_they_were_written_out() {
        for (pattern, places) in [("abc", 3), ("[a-z]+@x", 3), (r"\d{4}-\d{2}", 7), ("(a|b){3,5}", 5), ("(?:[ab]{10}){10}", 100), ("^$", 0)]
        {
            assert_eq!(super::places(&regex_syntax::Parser::new().parse(pattern).unwrap()), places, "{pattern}");
        }
    }

    #[test]
    fn a_text_that_is_no_pattern_says_where() {
        let why = |text: &str| pattern(text).unwrap_err().to_string();
        insta::assert_snapshot!(
            [
                why("a(b"),
                why("é[z-a]"),
                why(r"\k"),
                why("a**{"),
                why(r"(?<n>a)(?<n>b)"),
                why(&"(".repeat(300)),
                why(r"\w{5000}"),
                why(&"x".repeat(20_000))
            ]
            .join("\n")
        );
    }

    #[test]
    fn the_cache_keeps_what_was_used_last() {
        let mut cache = Cache::default();
        for number in 0..150 {
            cache.keep(&format!("a{number}"), compile("a").unwrap(), 1);
            assert!(cache.find("a0").is_some());
        }
        assert_eq!((cache.kept.len(), cache.bytes), (MAX_KEPT, MAX_KEPT));
        cache.keep("large", compile("a").unwrap(), MAX_KEPT_BYTES);
        assert_eq!(cache.kept.len(), 1);
    }

    #[test]
    fn a_search_that_would_last_is_refused() {
        let text = "ab".repeat(512 * 1024);
        assert!(pattern("[ab]*a[ab]{40}").unwrap().may_search(&text).is_ok());
        let refused = pattern("[ab]*a[ab]{400}").unwrap().may_search(&text).unwrap_err();
        assert_eq!(refused, "a pattern with 402 places searches at most 166937 bytes, not 1048576; shorten the text or the pattern");
    }
}
