//! An explanation as data, and as people read it.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    execution::{Param, Params},
    function::route::{Matcher, Method, Methods, methods::join},
    shown::Shown,
};

/// What a request meets, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// As asked.
    pub method: String,
    /// As asked.
    pub path: String,
    /// What it meets.
    pub outcome: RouteOutcome,
    /// Who else could have taken the path, in order of precedence; then those that a matcher kept out.
    pub others: Vec<Alternative>,
}

/// What a request meets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouteOutcome {
    /// A function.
    Found {
        /// Its label.
        function: String,
        /// Its path.
        route: String,
        /// From the path.
        #[schema(value_type = Vec<(String, Param)>)]
        params: Params,
        /// A `HEAD` request that it answers as a `GET`.
        head_from_get: bool,
    },
    /// The path is served, the method is not: 405.
    MethodNotAllowed {
        /// The methods that are.
        allow: Vec<Method>,
    },
    /// `OPTIONS` that no function answers itself: 204.
    Options {
        /// The methods that are served.
        allow: Vec<Method>,
    },
    /// PiCloud answers such a path itself, whatever files there are.
    Reserved,
    /// Nothing serves the path: 404.
    NotFound,
    /// No function could serve such a path: 400.
    BadPath {
        /// Why not.
        problem: String,
    },
}

/// A function that lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alternative {
    /// Its label.
    pub function: String,
    /// Its path.
    pub route: String,
    /// Why it lost.
    pub reason: LossReason,
}

/// Why a function lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossReason {
    /// It has the winner's path, and does not serve the method.
    MethodNotServed {
        /// What it serves.
        serves: Methods,
    },
    /// It has the winner's path and serves the method; the winner's claim is stronger.
    WeakerClaim {
        /// What it serves.
        serves: Methods,
        /// What the winner serves.
        winner: Methods,
    },
    /// A segment is less specific than that of the path that was chosen.
    LessSpecific {
        /// Which segment of the request's path, from 1.
        segment: usize,
        /// How it takes that segment: ``the parameter `[id]` ``.
        has: String,
        /// How the path that was chosen takes it.
        chosen: String,
    },
    /// It took the same segments, and left out more of its route than the path that was chosen.
    LeftOutMore,
    /// Its path would match, were it not for a matcher.
    Unmatched {
        /// Which segment of the request's path, from 1.
        segment: usize,
        /// The text there.
        text: String,
        /// What it must look like.
        matcher: Matcher,
    },
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, outcome, others } = self;
        write!(f, "{} {}: {outcome}", Shown::inline(method), Shown::inline(path))?;
        if !others.is_empty() {
            write!(f, "\nothers:")?;
        }
        others.iter().try_for_each(|Alternative { function, route, reason }| {
            write!(f, "\n  `{}` on {}: {}", Shown::inline(function), Shown::inline(route), Shown::inline(&reason.to_string()))
        })
    }
}

impl fmt::Display for RouteOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { function, route, params, head_from_get } => {
                let how = if *head_from_get { ", as a GET without the body" } else { "" };
                write!(f, "`{}` on {}{how}", Shown::inline(function), Shown::inline(route))?;
                params.iter().try_for_each(|(name, value)| match value {
                    Param::Absent => write!(f, "\n  {name} = ()"),
                    Param::One(text) => write!(f, "\n  {name} = {text:?}"),
                    Param::Many(texts) => write!(f, "\n  {name} = {texts:?}"),
                })
            }
            Self::MethodNotAllowed { allow } => write!(f, "405, the path is served, but only for {}", join(allow)),
            Self::Options { allow } => write!(f, "204, with `Allow: {}`", join(allow)),
            Self::Reserved => f.write_str("PiCloud answers this itself; no function does"),
            Self::NotFound => f.write_str("404, no function has this path"),
            Self::BadPath { problem } => write!(f, "400, {}", Shown::inline(problem)),
        }
    }
}

impl fmt::Display for LossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MethodNotServed { serves: Methods::Any } => f.write_str("serves any method but `OPTIONS`, which PiCloud answers"),
            Self::MethodNotServed { serves } => write!(f, "serves {serves} only"),
            Self::WeakerClaim { serves, winner } if serves == winner => {
                f.write_str("wants the same requests; only one file may serve them")
            }
            Self::WeakerClaim { serves, winner } => write!(f, "serves {serves}, and {winner} goes first"),
            Self::LessSpecific { segment, has, chosen } => write!(f, "at segment {segment}, {has} is less specific than {chosen}"),
            Self::LeftOutMore => f.write_str("takes the path only by leaving out an optional part"),
            Self::Unmatched { segment, text, matcher } => write!(f, "does not match: `{text}` at segment {segment} is no `{matcher}`"),
        }
    }
}
