//! Text in a script's file that other programs have left there.

use super::{Diagnostic, FilePath, Position};

/// How a pointer of Git LFS begins; the file itself is elsewhere.
const LFS_POINTER: &str = "version https://git-lfs.github.com/spec/";

/// How lines begin that an unresolved merge has left.
const MERGE_MARKERS: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];

/// Finds what is in a file in place of a script.
pub fn in_place_of_a_script(file: &FilePath, text: &str) -> Option<Diagnostic> {
    if text.starts_with(LFS_POINTER) {
        let error = Diagnostic::error(file.clone(), "this is a pointer of Git LFS, not the file");
        return Some(error.hint("take `*.rhai` out of `.gitattributes`, and commit the file itself"));
    }
    // UTF-16 without its mark is valid UTF-8, every second byte of it zero.
    let nul = text.find('\0')?;
    let error = Diagnostic::error(file.clone(), "the file is not UTF-8 text: it holds a zero byte");
    Some(error.at(&text[..nul], Position::of_offset(text, nul)).hint("save it as UTF-8"))
}

/// Reports the line of an unresolved merge, if the error at this place is one.
pub fn unresolved_merge(file: &FilePath, text: &str, at: Position) -> Option<Diagnostic> {
    let line = text.split('\n').nth(at.line as usize - 1)?;
    MERGE_MARKERS.iter().any(|marker| line.starts_with(marker)).then(|| {
        let error = Diagnostic::error(file.clone(), "an unresolved merge").at(text, Position { column: 1, ..at });
        error.hint("choose one of the sides, and take out the lines that begin with `<<<<<<<`, `=======` and `>>>>>>>`")
    })
}

/// Reports a front-matter that does not begin where one can, or not as one does: before the first line of the script that says something.
pub fn misplaced_front_matter(file: &FilePath, text: &str) -> Option<Diagnostic> {
    let says_something = |line: &str| !line.trim().is_empty() && !line.starts_with("//");
    let (number, line) = text.lines().enumerate().find(|(_, line)| says_something(line))?;
    let fence = line.trim();
    (fence.starts_with("+++") || fence.starts_with("---")).then(|| {
        let column = line.chars().take_while(|c| c.is_whitespace()).count() as u32 + 1;
        Diagnostic::error(file.clone(), "a front-matter begins on the first line, with `+++` alone")
            .at(text, Position { line: number as u32 + 1, column })
            .hint("it is TOML between two such lines, and nothing stands before it")
    })
}

/// Returns what to call a character that cannot be seen, or is easily taken for another.
pub fn odd_character(character: char) -> Option<String> {
    let name = match character {
        '\u{a0}' => "no-break space",
        '\u{ad}' => "soft hyphen",
        '\u{200b}' => "zero-width space",
        '\u{200c}' | '\u{200d}' => "zero-width joiner",
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => "mark of writing direction",
        '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}' => "space of another width",
        '\u{2028}' | '\u{2029}' => "line separator",
        '\u{feff}' => "byte order mark",
        '\u{2018}'..='\u{201f}' => "quotation mark of prose",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "dash",
        _ if character.is_control() || (!character.is_ascii() && character.is_whitespace()) => "control character",
        _ => return None,
    };
    Some(format!("U+{:04X} ({name})", u32::from(character)))
}
