//! From a file's path to where it answers, as the routing contract says (`docs/routing.md`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A method that a file name or a manifest can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
}

impl Method {
    /// Every method, in the order of `Allow` headers.
    pub const ALL: [Self; 7] = [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options];

    /// Returns the method as HTTP writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which methods a function answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Methods {
    /// No suffix and no `methods`: whatever comes, known to [`Method`] or not.
    Any,
    /// Those of the front-matter's `methods`, or the one of the file's suffix. Never empty.
    Only(Vec<Method>),
}

/// What a parameter's text must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Matcher {
    /// Decimal digits.
    Int,
    /// 8-4-4-4-12 hexadecimal digits.
    Uuid,
    /// Lower-case letters, digits, single `-` between them.
    Slug,
    /// `2026-11-23`, a day that exists.
    Date,
    /// Hexadecimal digits.
    Hex,
}

/// One segment of a route's path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// Matches itself, decoded.
    Static(String),
    /// One parameter with an optional literal before and after it: `[id]`, `[id=int]`, `[name].json`.
    Param {
        /// As the script sees it.
        name: String,
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
        name: String,
        /// What it must look like when it is there.
        matcher: Option<Matcher>,
    },
    /// `[...name]`: one segment or more, at the end.
    CatchAll {
        /// As the script sees it.
        name: String,
    },
    /// `[[...name]]`: any number of segments, at the end.
    OptionalCatchAll {
        /// As the script sees it.
        name: String,
    },
}

/// Where a function answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Empty for `/`.
    pub segments: Vec<Segment>,
    /// Which methods.
    pub methods: Methods,
}
