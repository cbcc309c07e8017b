//! From a file's path to where it answers, as the routing contract says (`docs/routing.md`).

pub mod conflicts;
pub mod file;
pub mod matcher;
pub mod methods;
pub mod precedence;
mod problem;
mod segment;
pub mod stray;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

pub use conflicts::conflicts;
pub use file::FileRoute;
pub use matcher::Matcher;
pub use methods::{Method, Methods};

/// Most segments of a route: bounds the depth of every walk over routes.
pub const MAX_SEGMENTS: usize = 32;
/// Most `[[optional]]` segments of a route: each doubles the paths that it stands for.
pub const MAX_OPTIONALS: usize = 4;

/// One segment of a route's path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// Matches itself, decoded.
    Static(String),
    /// One parameter with an optional literal before and after it: `[id]`, `[id=int]`, `[name].json`.
    Param {
        /// As the script sees it.
        name: Arc<str>,
        /// Literal text before the parameter.
        prefix: String,
        /// Literal text after it.
        suffix: String,
        /// What it must look like.
        matcher: Option<Matcher>,
    },
    /// `[[name]]`: one segment or none.
    Optional {
        /// As the script sees it.
        name: Arc<str>,
        /// What it must look like when it is there.
        matcher: Option<Matcher>,
    },
    /// `[...name]`: one segment or more, at the end.
    CatchAll {
        /// As the script sees it.
        name: Arc<str>,
    },
    /// `[[...name]]`: any number of segments, at the end.
    OptionalCatchAll {
        /// As the script sees it.
        name: Arc<str>,
    },
}

impl Segment {
    /// Returns the parameter's name, if there is one.
    pub fn name(&self) -> Option<&Arc<str>> {
        match self {
            Self::Static(_) => None,
            Self::Param { name, .. } | Self::Optional { name, .. } | Self::CatchAll { name } | Self::OptionalCatchAll { name } => {
                Some(name)
            }
        }
    }

    /// Returns whether it takes all that is left of a path.
    pub fn is_catch_all(&self) -> bool {
        matches!(self, Self::CatchAll { .. } | Self::OptionalCatchAll { .. })
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let write_matcher = |f: &mut fmt::Formatter<'_>, matcher: &Option<Matcher>| match matcher {
            Some(matcher) => write!(f, "={matcher}"),
            None => Ok(()),
        };
        match self {
            Self::Static(text) => segment::write_literal(f, text),
            Self::Param { name, prefix, suffix, matcher } => {
                segment::write_literal(f, prefix)?;
                write!(f, "[{name}")?;
                write_matcher(f, matcher)?;
                f.write_str("]")?;
                segment::write_literal(f, suffix)
            }
            Self::Optional { name, matcher } => {
                write!(f, "[[{name}")?;
                write_matcher(f, matcher)?;
                f.write_str("]]")
            }
            Self::CatchAll { name } => write!(f, "[...{name}]"),
            Self::OptionalCatchAll { name } => write!(f, "[[...{name}]]"),
        }
    }
}

/// Where a function answers. Cheap to clone: a function, the live table and its listings share the segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Empty for `/`.
    pub segments: Arc<[Segment]>,
    /// Which methods.
    pub methods: Methods,
}

impl fmt::Display for Route {
    /// Writes the path as its file is named: `/users/[id=int]/[...path]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            return f.write_str("/");
        }
        self.segments.iter().try_for_each(|segment| write!(f, "/{segment}"))
    }
}
