//! Which of two routes goes first. Router, conflicts and explanations all ask here, so that they cannot differ.
//!
//! A route with optional parts stands for several plain ones, its variants. Variants that match one path are compared segment by segment,
//! left to right, by [`Kind`]. Between equal ones the route that had less to leave out goes first.

use std::cmp::Reverse;

use super::{Matcher, Segment};

/// How specific a segment is: the smaller, the earlier it is tried. Two segments that differ only in their parameter's name are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind<'r> {
    /// The text itself.
    Static(&'r str),
    /// A literal and a parameter.
    Affix {
        /// Characters of both literals: longer first.
        literal: Reverse<usize>,
        /// Characters before the parameter: `ab[x]` is tried before `a[x]b`.
        before: Reverse<usize>,
        /// A matcher goes before none.
        narrow: Narrow,
        /// Before the parameter.
        prefix: &'r str,
        /// After it.
        suffix: &'r str,
    },
    /// `[id=int]`, then `[id]`.
    Param(Narrow),
    /// `[[id=int]]`, then `[[id]]`.
    Optional(Narrow),
    /// `[...path]`.
    CatchAll,
    /// `[[...path]]` that took something.
    OptionalCatchAll,
}

/// A parameter with a matcher goes before one without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Narrow {
    /// Narrower matchers first.
    To(Matcher),
    /// Takes any text.
    Not,
}

impl From<Option<Matcher>> for Narrow {
    fn from(matcher: Option<Matcher>) -> Self {
        matcher.map_or(Self::Not, Self::To)
    }
}

impl<'r> Kind<'r> {
    /// Returns how specific this segment is.
    pub fn of(segment: &'r Segment) -> Self {
        match segment {
            Segment::Static(text) => Self::Static(text),
            Segment::Param { prefix, suffix, matcher, .. } if prefix.is_empty() && suffix.is_empty() => Self::Param((*matcher).into()),
            Segment::Param { prefix, suffix, matcher, .. } => {
                let before = prefix.chars().count();
                let literal = before + suffix.chars().count();
                Self::Affix { literal: Reverse(literal), before: Reverse(before), narrow: (*matcher).into(), prefix, suffix }
            }
            Segment::Optional { matcher, .. } => Self::Optional((*matcher).into()),
            Segment::CatchAll { .. } => Self::CatchAll,
            Segment::OptionalCatchAll { .. } => Self::OptionalCatchAll,
        }
    }
}

/// What a variant leaves out of its route; less goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Absence {
    /// Nothing.
    Nothing,
    /// Optional parameters.
    Optional,
    /// The optional catch-all, and perhaps optional parameters.
    CatchAll,
}

/// One of the plain routes that a route stands for.
#[derive(Debug, Clone)]
pub struct Variant<'r> {
    /// The segments that are there.
    pub segments: Vec<&'r Segment>,
    /// Bit `i` is set if segment `i` of the route is left out.
    pub absent: u32,
    /// What is left out, as precedence sees it.
    pub absence: Absence,
}

impl<'r> Variant<'r> {
    /// Returns how specific its segments are: what two variants are compared by.
    pub fn kinds(&self) -> impl Iterator<Item = Kind<'r>> {
        self.segments.iter().map(|segment| Kind::of(segment))
    }
}

/// Returns what a route of these segments stands for. An earlier variant goes before a later one that is otherwise equal: the leftmost optional takes the segment.
pub fn variants(segments: &[Segment]) -> Vec<Variant<'_>> {
    let mut variants = vec![Variant { segments: Vec::with_capacity(segments.len()), absent: 0, absence: Absence::Nothing }];
    for (at, segment) in segments.iter().enumerate() {
        let absence = match segment {
            Segment::Optional { .. } => Absence::Optional,
            Segment::OptionalCatchAll { .. } => Absence::CatchAll,
            Segment::Static(_) | Segment::Param { .. } | Segment::CatchAll { .. } => {
                variants.iter_mut().for_each(|variant| variant.segments.push(segment));
                continue;
            }
        };
        variants = variants
            .into_iter()
            .flat_map(|without| {
                let mut with = without.clone();
                with.segments.push(segment);
                [with, Variant { absent: without.absent | 1 << at, absence: without.absence.max(absence), ..without }]
            })
            .collect();
    }
    variants
}
