//! `traceparent`, as W3C Trace Context writes it: which trace a request belongs to, and which span of it asked.

use std::{fmt, str};

/// A span, and the trace that it is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Never 0.
    pub trace_id: u128,
    /// Never 0.
    pub span_id: u64,
    /// Whether whoever began the trace wants its spans.
    pub is_sampled: bool,
}

/// Length of a header of version 00: `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const LENGTH: usize = 55;
const SAMPLED: u8 = 1;

impl Context {
    /// Reads a header; none if it is not what the standard says, which also says that it is then as if there were none.
    pub fn parse(header: &[u8]) -> Option<Self> {
        let (known, rest) = header.split_at_checked(LENGTH)?;
        let [version, trace_id, span_id, flags] = [&known[..2], &known[3..35], &known[36..52], &known[53..]];
        let has_dashes = [2, 35, 52].iter().all(|at| known[*at] == b'-');
        // Later versions may add to it, behind another dash.
        let ends_well = rest.is_empty() || (version != b"00" && rest[0] == b'-');
        if !has_dashes || !ends_well || digits(version)? == 0xff {
            return None;
        }
        let (trace_id, span_id, flags) = (digits(trace_id)?, digits(span_id)? as u64, digits(flags)? as u8);
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, is_sampled: flags & SAMPLED != 0 })
    }
}

/// Reads hexadecimal digits, of which only the lower case is right.
fn digits(text: &[u8]) -> Option<u128> {
    let is_right = text.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    is_right.then(|| u128::from_str_radix(str::from_utf8(text).ok()?, 16).ok())?
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.is_sampled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn what_the_standard_allows_is_read() {
        for (header, is_sampled) in [
            (format!("00-{TRACE}-{SPAN}-01"), true),
            (format!("00-{TRACE}-{SPAN}-00"), false),
            (format!("00-{TRACE}-{SPAN}-03"), true),
            (format!("00-{TRACE}-{SPAN}-fe"), false),
            (format!("cc-{TRACE}-{SPAN}-01"), true),
            (format!("cc-{TRACE}-{SPAN}-01-what-comes-later"), true),
        ] {
            let context = Context { trace_id: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, span_id: 0x00f0_67aa_0ba9_02b7, is_sampled };
            assert_eq!(Context::parse(header.as_bytes()), Some(context), "{header}");
        }
    }

    #[test]
    fn what_it_does_not_allow_is_as_if_it_were_not_there() {
        for header in [
            String::new(),
            "00".into(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("cc-{TRACE}-{SPAN}-01.more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0x-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-+0f067aa0ba902b7-01"),
            format!("00-{TRACE}-{SPAN}-é"),
        ] {
            assert_eq!(Context::parse(header.as_bytes()), None, "{header}");
        }
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for flags in ["00", "01"] {
            let header = format!("00-{TRACE}-{SPAN}-{flags}");
            assert_eq!(Context::parse(header.as_bytes()).unwrap().to_string(), header);
        }
    }
}
