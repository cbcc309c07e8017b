//! A request's path: checked once, then read segment by segment, without a copy unless it is percent-encoded.

use std::borrow::Cow;

use crate::function::unicode::composed;

/// Most segments of a request's path; bounds what a catch-all hands to a script.
pub const MAX_SEGMENTS: usize = 1024;

/// Why no function could serve such a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// `*`, or nothing.
    #[error("the path does not begin with `/`")]
    NotAbsolute,
    /// `/a//b`.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// `/a/../b`, encoded or not.
    #[error("the path has a `.` or `..` segment")]
    DotSegment,
    /// `%` without two hexadecimal digits.
    #[error("the path has an invalid percent-encoding")]
    BadEncoding,
    /// Decoded, it is not text.
    #[error("the path is not valid UTF-8 when it is decoded")]
    NotUtf8,
    /// Longer than any route needs.
    #[error("the path has more than {MAX_SEGMENTS} segments")]
    TooManySegments,
}

/// A path that keeps the rules, without the slash at its end.
pub(in crate::live) enum RequestPath<'p> {
    /// Without `%`: the segments stand in it as they are. Empty for `/`.
    Plain(&'p str),
    /// Decoded segments.
    Decoded(Vec<Cow<'p, str>>),
}

impl<'p> RequestPath<'p> {
    /// Checks and decodes a path as sent.
    pub(in crate::live) fn parse(raw: &'p str) -> Result<Self, PathProblem> {
        let path = raw.strip_prefix('/').ok_or(PathProblem::NotAbsolute)?;
        if path.is_empty() {
            return Ok(Self::Plain(path));
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        if path.as_bytes().contains(&b'%') {
            let segments = path.split('/').take(MAX_SEGMENTS + 1).map(|segment| decode(segment).and_then(checked));
            let segments = segments.collect::<Result<Vec<_>, _>>()?;
            return if segments.len() > MAX_SEGMENTS { Err(PathProblem::TooManySegments) } else { Ok(Self::Decoded(segments)) };
        }
        check_plain(path)?;
        Ok(Self::Plain(path))
    }

    pub(in crate::live) fn segments(&self) -> Segments<'_> {
        match self {
            Self::Plain(path) => Segments::Plain(path),
            Self::Decoded(segments) => Segments::Decoded(segments),
        }
    }

    /// Returns the path as routes are written, whatever form its characters were sent in.
    pub(in crate::live) fn composed(&self) -> RequestPath<'_> {
        match self {
            Self::Plain(path) if path.is_ascii() => RequestPath::Plain(path),
            path => RequestPath::Decoded(path.segments().map(composed).collect()),
        }
    }

    /// Returns the path as [`canonical`] writes it.
    pub(super) fn canonical(&self) -> Cow<'_, str> {
        match self {
            Self::Plain(path) => Cow::Borrowed(path),
            Self::Decoded(segments) => Cow::Owned(canonical(segments.iter().map(AsRef::as_ref))),
        }
    }
}

/// Checks the segments of a path without `%`. Byte by byte, since every request comes here: splitting costs short paths more.
fn check_plain(path: &str) -> Result<(), PathProblem> {
    let (mut count, mut length, mut dots) = (0, 0, 0);
    for byte in path.bytes().chain([b'/']) {
        if byte != b'/' {
            length += 1;
            dots += usize::from(byte == b'.');
            continue;
        }
        match length {
            0 => return Err(PathProblem::EmptySegment),
            1 | 2 if dots == length => return Err(PathProblem::DotSegment),
            _ => {}
        }
        (count, length, dots) = (count + 1, 0, 0);
    }
    if count > MAX_SEGMENTS { Err(PathProblem::TooManySegments) } else { Ok(()) }
}

/// Writes decoded segments in the one way that tells all paths apart: only `/` and `%` inside a segment are encoded.
pub(super) fn canonical<'s>(segments: impl Iterator<Item = &'s str>) -> String {
    let mut path = String::new();
    for (at, segment) in segments.enumerate() {
        if at > 0 {
            path.push('/');
        }
        if segment.contains(['%', '/']) {
            path.push_str(&segment.replace('%', "%25").replace('/', "%2F"));
        } else {
            path.push_str(segment);
        }
    }
    path
}

fn checked(segment: Cow<'_, str>) -> Result<Cow<'_, str>, PathProblem> {
    match &*segment {
        "" => Err(PathProblem::EmptySegment),
        "." | ".." => Err(PathProblem::DotSegment),
        _ => Ok(segment),
    }
}

fn decode(segment: &str) -> Result<Cow<'_, str>, PathProblem> {
    if !segment.contains('%') {
        return Ok(Cow::Borrowed(segment));
    }
    let mut parts = segment.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let [high, low, rest @ ..] = part.as_bytes() else { return Err(PathProblem::BadEncoding) };
        let (Some(high), Some(low)) = (char::from(*high).to_digit(16), char::from(*low).to_digit(16)) else {
            return Err(PathProblem::BadEncoding);
        };
        bytes.push((high << 4 | low) as u8);
        bytes.extend_from_slice(rest);
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| PathProblem::NotUtf8)
}

/// What is left of a path's segments. Cheap to copy, so that a walk can turn back.
#[derive(Clone, Copy)]
pub(in crate::live) enum Segments<'p> {
    /// Joined by `/`; empty at the end.
    Plain(&'p str),
    Decoded(&'p [Cow<'p, str>]),
}

impl<'p> Iterator for Segments<'p> {
    type Item = &'p str;

    fn next(&mut self) -> Option<&'p str> {
        match self {
            Self::Plain("") => None,
            Self::Plain(rest) => {
                let end = rest.bytes().position(|byte| byte == b'/').unwrap_or(rest.len());
                let segment = &rest[..end];
                *rest = rest.get(end + 1..).unwrap_or_default();
                Some(segment)
            }
            Self::Decoded(segments) => {
                let (segment, after) = segments.split_first()?;
                *segments = after;
                Some(segment)
            }
        }
    }
}
