//! Which methods a function answers: what its file's name says, with what its front-matter says.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A method that a file name or a manifest can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
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

    /// Returns the method that HTTP writes this way.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }

    /// Returns the method that file names write this way.
    pub fn of_suffix(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.suffix() == text)
    }

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

    /// Returns the method as file names write it.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Options => "options",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which methods a function answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Methods {
    /// No suffix and no `methods`: whatever comes, known to [`Method`] or not, but `OPTIONS`.
    Any,
    /// Those of the front-matter's `methods`, in a file without suffix. Never empty.
    Only(Vec<Method>),
    /// The one of the file's suffix; wins over a file without.
    Suffix(Method),
}

/// Why a function answers a method. The order is that of precedence between functions of one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// The file's suffix is the method.
    Suffix,
    /// `HEAD`, and the file's suffix is `.get`.
    GetSuffixForHead,
    /// The front-matter names the method.
    Listed,
    /// The function takes any method.
    Any,
    /// `HEAD`, and the front-matter names `GET`.
    ListedGetForHead,
}

impl Claim {
    /// Returns whether the function is to be run as if the request were a `GET`.
    pub fn is_head_from_get(self) -> bool {
        matches!(self, Self::GetSuffixForHead | Self::ListedGetForHead)
    }
}

impl Methods {
    /// Returns why a function with these methods answers this one (`None`: a method that [`Method`] does not know), if it does.
    pub fn claim(&self, method: Option<Method>) -> Option<Claim> {
        match (self, method) {
            (Self::Any, Some(Method::Options)) => None,
            (Self::Any, _) => Some(Claim::Any),
            (_, None) => None,
            (Self::Suffix(suffix), Some(method)) if *suffix == method => Some(Claim::Suffix),
            (Self::Suffix(Method::Get), Some(Method::Head)) => Some(Claim::GetSuffixForHead),
            (Self::Suffix(_), _) => None,
            (Self::Only(listed), Some(method)) if listed.contains(&method) => Some(Claim::Listed),
            (Self::Only(listed), Some(Method::Head)) if listed.contains(&Method::Get) => Some(Claim::ListedGetForHead),
            (Self::Only(_), _) => None,
        }
    }

    /// Returns whether two functions of one path both claim a method, so that neither wins. A suffix wins over none, so it only meets itself.
    pub fn overlap(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Suffix(one), Self::Suffix(other)) => one == other,
            (Self::Suffix(_), _) | (_, Self::Suffix(_)) => false,
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Only(one), Self::Only(other)) => one.iter().any(|method| other.contains(method)),
        }
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any method"),
            Self::Only(listed) => f.write_str(&join(listed)),
            Self::Suffix(method) => method.fmt(f),
        }
    }
}

/// Writes methods as lists of them are read: `GET, HEAD`.
pub fn join(methods: &[Method]) -> String {
    methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ")
}

/// What is wrong with the front-matter's `methods`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MethodsProblem {
    /// The list is empty.
    #[error("`methods` is empty: nothing could reach this function")]
    Empty,
    /// The file's suffix says something else.
    #[error("`methods` says {}, but the file's name says {suffix}", join(listed))]
    Disagree {
        /// From the file's name.
        suffix: Method,
        /// From the front-matter.
        listed: Vec<Method>,
    },
}

impl MethodsProblem {
    /// Returns what to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Empty => "remove the key to answer any method".into(),
            Self::Disagree { suffix, .. } => format!("remove `methods`, or the `.{}` in the file's name", suffix.suffix()),
        }
    }
}

/// Combines the method of a file's suffix with its front-matter's `methods`.
pub fn combine(suffix: Option<Method>, listed: Option<&[Method]>) -> Result<Methods, MethodsProblem> {
    match (suffix, listed) {
        (_, Some([])) => Err(MethodsProblem::Empty),
        (None, None) => Ok(Methods::Any),
        (None, Some(listed)) => Ok(Methods::Only(Method::ALL.into_iter().filter(|method| listed.contains(method)).collect())),
        (Some(suffix), Some(listed)) if listed.iter().any(|method| *method != suffix) => {
            Err(MethodsProblem::Disagree { suffix, listed: listed.to_vec() })
        }
        (Some(suffix), _) => Ok(Methods::Suffix(suffix)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffix_and_front_matter_combine_or_disagree() {
        use Method::{Get, Head, Post};
        assert_eq!(combine(None, None), Ok(Methods::Any));
        assert_eq!(combine(Some(Get), None), Ok(Methods::Suffix(Get)));
        assert_eq!(combine(Some(Get), Some(&[Get])), Ok(Methods::Suffix(Get)));
        assert_eq!(combine(None, Some(&[Post, Get, Post])), Ok(Methods::Only(vec![Get, Post])));
        let problems = [combine(Some(Get), Some(&[Get, Head])), combine(Some(Get), Some(&[Post])), combine(None, Some(&[]))];
        let told: Vec<String> =
            problems.into_iter().map(|found| found.unwrap_err()).map(|p| format!("{p}\n  hint: {}", p.hint())).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        `methods` says GET, HEAD, but the file's name says GET
          hint: remove `methods`, or the `.get` in the file's name
        `methods` says POST, but the file's name says GET
          hint: remove `methods`, or the `.get` in the file's name
        `methods` is empty: nothing could reach this function
          hint: remove the key to answer any method
        ");
    }

    #[test]
    fn a_method_is_written_one_way_in_http_and_one_way_in_names() {
        for method in Method::ALL {
            assert_eq!(Method::parse(method.as_str()), Some(method));
            assert_eq!(Method::of_suffix(method.suffix()), Some(method));
            assert_eq!((Method::parse(method.suffix()), Method::of_suffix(method.as_str())), (None, None));
        }
    }
}
