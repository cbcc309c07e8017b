//! What can be wrong with a file's name, and what to do about it.

use super::{MAX_OPTIONALS, MAX_SEGMENTS, Matcher, Method};
use crate::function::diagnostic::near_miss;

/// What is wrong with the name of a file or folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NameProblem {
    #[error("a folder or file in this path has an empty name")]
    EmptyName,
    #[error("`{text}`: `[` and `]` do not pair up")]
    Unbalanced { text: String },
    #[error("`{text}`: `{character}` cannot stand in a name as it is")]
    Reserved { text: String, character: char },
    #[error("the name has the control character U+{:04X}", u32::from(*character))]
    Control { character: char },
    #[error("`[{escape}]` is not an escape")]
    BadEscape { escape: String },
    #[error("`{text}` can never be requested: a URL cannot have `.` or `..` as a segment")]
    DotSegment { text: String },
    #[error("`{text}` has {count} parameters: a segment can have one")]
    SeveralParameters { text: String, count: usize },
    #[error("`{text}` has a parameter without a name")]
    NamelessParameter { text: String },
    #[error("`{name}` is not a parameter's name: lower-case letters, digits and `_`, not beginning with a digit")]
    BadParameterName { name: String },
    #[error("unknown matcher `{matcher}`")]
    UnknownMatcher { matcher: String },
    #[error("`{text}`: a catch-all takes no matcher")]
    CatchAllMatcher { text: String },
    #[error("`{text}`: an optional parameter or a catch-all stands alone in its segment")]
    NotAlone { text: String },
    #[error("the catch-all `{segment}` is not last")]
    CatchAllNotLast { segment: String },
    #[error("the optional parameter `{segment}` comes after the catch-all `{catch_all}`")]
    OptionalAfterCatchAll { segment: String, catch_all: String },
    #[error("parameter `{name}` occurs twice in this path")]
    DuplicateParameter { name: String },
    #[error("this path has {count} segments: {MAX_SEGMENTS} are the most")]
    TooManySegments { count: usize },
    #[error("this path has {count} optional parameters: {MAX_OPTIONALS} are the most")]
    TooManyOptionals { count: usize },
    #[error("`{prefix}` is reserved: it would never reach this function")]
    ReservedPrefix { prefix: &'static str },
    #[error("`{text}` is not a group's name")]
    BadGroup { text: String },
    #[error("`{text}` is a group, and a group is a folder")]
    GroupIsFile { text: String },
    #[error("`.{suffix}` looks like a method suffix and is none: this serves a path that ends in `.{suffix}`")]
    LooksLikeMethod { suffix: String, nearest: Option<Method> },
    #[error("`{name}` looks like a copy that was made by mistake, and is served")]
    LooksLikeCopy { name: String },
    #[error("`{name}` looks like a copy that was made by mistake; it is not served, as `(` cannot stand in a name as it is")]
    UnservedCopy { name: String },
    #[error("this guard runs for nothing: no file below a folder that begins with `_` is routed")]
    IdleGuard,
}

impl NameProblem {
    /// Returns whether the file can go live all the same.
    pub(super) fn is_warning(&self) -> bool {
        matches!(self, Self::LooksLikeMethod { .. } | Self::LooksLikeCopy { .. } | Self::IdleGuard)
    }

    /// Returns what to do about it.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::EmptyName => "give every folder and file a name".into(),
            Self::Unbalanced { .. } => "write a bracket that is part of the URL as `[x+5b]` or `[x+5d]`".into(),
            Self::Control { .. } => "remove the character".into(),
            Self::Reserved { character, .. } => format!("write it as `[x+{:02x}]`", u32::from(*character)),
            Self::BadEscape { .. } => {
                "write `[x+` and two lower-case hexadecimal digits, from `[x+20]` to `[x+7e]`; other characters can stand as they are"
                    .into()
            }
            Self::DotSegment { .. } => "rename it".into(),
            Self::SeveralParameters { .. } => "give each parameter its own folder, or take the text apart in the function".into(),
            Self::NamelessParameter { .. } => "write a name between the brackets, such as `[id]`".into(),
            Self::BadParameterName { name } => match parameter_name_like(name) {
                Some(near) => format!("name it `{near}`"),
                None => "name it as a variable of the script, such as `id`".into(),
            },
            Self::UnknownMatcher { matcher } => match near_miss(matcher, Matcher::ALL.map(Matcher::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the matchers are {}", Matcher::ALL.map(|matcher| format!("`{matcher}`")).join(", ")),
            },
            Self::CatchAllMatcher { .. } => "check the segments in the function".into(),
            Self::NotAlone { .. } => "only a plain `[parameter]` can have text beside it".into(),
            Self::CatchAllNotLast { .. } => "move it to the end of the path, or use `[parameter]` for one segment".into(),
            Self::OptionalAfterCatchAll { .. } => "the catch-all takes everything that is left: remove one of them".into(),
            Self::DuplicateParameter { .. } => "rename one of them".into(),
            Self::TooManySegments { .. } => "use fewer folders, or a catch-all".into(),
            Self::TooManyOptionals { .. } => "use `[[...path]]` and take the segments apart in the function".into(),
            Self::ReservedPrefix { .. } => {
                "PiCloud answers `/api/admin`, `/api/execute`, `/_picloud` and `/functions.git` itself: move the file elsewhere".into()
            }
            Self::BadGroup { .. } => "write a name without brackets between the parentheses, such as `(admin)`".into(),
            Self::GroupIsFile { text } => format!("name it `{text}/index.rhai`, or write the parentheses as `[x+28]` and `[x+29]`"),
            Self::LooksLikeMethod { nearest: Some(method), suffix } => {
                format!("did you mean `.{}`? If not, write the dot as `[x+2e]`: `[x+2e]{suffix}`", method.suffix())
            }
            Self::LooksLikeMethod { nearest: None, suffix } => {
                format!("functions cannot answer it; if the URL ends like this, write the dot as `[x+2e]`: `[x+2e]{suffix}`")
            }
            Self::LooksLikeCopy { .. } | Self::UnservedCopy { .. } => "delete it, or give it a name of its own".into(),
            Self::IdleGuard => "move it beside the files that it should guard".into(),
        }
    }
}

/// Returns whether a parameter can have this name.
pub(super) fn is_parameter_name(name: &str) -> bool {
    let is_start = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    name.bytes().next().is_some_and(is_start) && name.bytes().all(|byte| is_start(byte) || byte.is_ascii_digit())
}

/// Returns the parameter name that was probably meant: `userId` is `user_id`.
fn parameter_name_like(name: &str) -> Option<String> {
    let mut near = String::with_capacity(name.len() + 2);
    for character in name.chars() {
        match character {
            'A'..='Z' => {
                if near.ends_with(|before: char| before.is_ascii_lowercase() || before.is_ascii_digit()) {
                    near.push('_');
                }
                near.push(character.to_ascii_lowercase());
            }
            '-' | ' ' | '.' => near.push('_'),
            _ => near.push(character),
        }
    }
    is_parameter_name(&near).then_some(near)
}
