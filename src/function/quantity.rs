//! Amounts as people write them: bytes and times.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

/// A number of bytes as people write it: `64KiB`, `16 MiB`, or a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
pub struct Size(pub u64);

impl Size {
    /// Returns `n` times 1,024 bytes.
    pub const fn kib(n: u64) -> Self {
        Self(n * 1024)
    }
    /// Returns `n` times 1,048,576 bytes.
    pub const fn mib(n: u64) -> Self {
        Self(n * 1024 * 1024)
    }
    /// Returns the number of bytes.
    pub const fn bytes(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n >= 1 << 20 && n % (1 << 20) == 0 => write!(f, "{} MiB", n >> 20),
            n if n >= 1 << 10 && n % (1 << 10) == 0 => write!(f, "{} KiB", n >> 10),
            n => write!(f, "{n} bytes"),
        }
    }
}

/// TOML's two ways to write a quantity.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a size such as \"16MiB\" or a number of bytes")]
enum SizeText {
    Bytes(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match SizeText::deserialize(deserializer)? {
            SizeText::Bytes(bytes) => Ok(Self(bytes)),
            SizeText::Text(text) => text
                .parse::<bytesize::ByteSize>()
                .map(|size| Self(size.as_u64()))
                .map_err(|_| serde::de::Error::custom(format!("`{text}` is not a size; write it like \"16MiB\" or \"64KiB\""))),
        }
    }
}

/// A span of time as people write it: `2s`, `250ms`, `1m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = u64)]
pub struct Span(pub Duration);

/// Programs read microseconds.
impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.as_micros() as u64)
    }
}

impl Span {
    /// Returns `n` seconds.
    pub const fn seconds(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }
    /// Reads a span as people write it.
    pub fn parse(text: &str) -> Option<Self> {
        humantime::parse_duration(text).ok().map(Self)
    }
    /// Returns `n` milliseconds.
    pub const fn ms(n: u64) -> Self {
        Self(Duration::from_millis(n))
    }
}

/// An amount for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Amount {
    /// As a number: bytes, microseconds, or how many.
    pub value: u64,
    /// As people write it: `2s`, `64 KiB`.
    pub text: String,
}

impl From<Size> for Amount {
    fn from(size: Size) -> Self {
        Self { value: size.0, text: size.to_string() }
    }
}

impl From<Span> for Amount {
    fn from(span: Span) -> Self {
        Self { value: span.0.as_micros() as u64, text: span.to_string() }
    }
}

impl From<u64> for Amount {
    fn from(count: u64) -> Self {
        Self { value: count, text: count.to_string() }
    }
}

impl From<u32> for Amount {
    fn from(count: u32) -> Self {
        u64::from(count).into()
    }
}

/// Seconds of a day, and of a year as people write it: `1d`, `1y`.
const DAY: u64 = 86_400;
const YEAR: u64 = LONGEST / 1_000;

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0.as_secs() / DAY, Duration::new(self.0.as_secs() % DAY, self.0.subsec_nanos()));
        // Nobody writes a month, which would have 30.44 days here.
        match days > 30 && !self.0.as_secs().is_multiple_of(YEAR) {
            true if rest.is_zero() => write!(f, "{days}days"),
            true => write!(f, "{days}days {}", humantime::format_duration(rest)),
            false => humantime::format_duration(self.0).fmt(f),
        }
    }
}

/// What people write for a time, right or wrong.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a time such as \"2s\" or \"250ms\"")]
enum SpanText {
    Whole(i64),
    Fraction(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = match SpanText::deserialize(deserializer)? {
            SpanText::Text(text) => match Self::parse(&text) {
                Some(span) => return Ok(span),
                None => text,
            },
            SpanText::Whole(number) => number.to_string(),
            SpanText::Fraction(number) => number.to_string(),
        };
        Err(serde::de::Error::custom(no_time(wrong.trim())))
    }
}

/// Says why a text is no time.
fn no_time(text: &str) -> String {
    if text.parse::<u64>().is_ok() {
        format!("`{text}` has no unit; write \"{text}s\" for seconds, or \"{text}ms\", \"{text}m\", \"{text}h\", \"{text}d\"")
    } else if text.parse::<f64>().is_ok_and(f64::is_finite) {
        format!("`{text}` has no unit, and a time no fraction and no sign; write \"250ms\"")
    } else {
        format!("`{text}` is not a time; write it like \"2s\" or \"250ms\"")
    }
}

/// The longest time that makes sense anywhere, in milliseconds: a year.
pub const LONGEST: u64 = 31_557_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Sample {
        size: Option<Size>,
        span: Option<Span>,
    }

    #[test]
    fn sizes_and_times_are_read_as_people_write_them() {
        let size = |text: &str| toml::from_str::<Sample>(&format!("size = {text}")).map(|sample| sample.size.unwrap().0);
        assert_eq!(size("\"16MiB\"").unwrap(), 16 << 20);
        assert_eq!(size("\"64 KiB\"").unwrap(), 64 << 10);
        assert_eq!(size("1024").unwrap(), 1024);
        assert!(size("\"much\"").unwrap_err().message().contains("16MiB"));
        let span = |text: &str| toml::from_str::<Sample>(&format!("span = {text}")).map(|sample| sample.span.unwrap().0);
        assert_eq!(span("\"2s\"").unwrap(), Duration::from_secs(2));
        assert_eq!(span("\"250ms\"").unwrap(), Duration::from_millis(250));
        for (text, shown) in [
            ("90s", "1m 30s"),
            ("30d", "30days"),
            ("31d", "31days"),
            ("365d", "365days"),
            ("1y", "1year"),
            ("366d 12h", "366days 12h"),
            ("100000d", "100000days"),
        ] {
            assert_eq!(Span::parse(text).unwrap().to_string(), shown);
        }
        for (wrong, said) in [
            ("\"soon\"", "`soon` is not a time; write it like \"2s\" or \"250ms\""),
            ("\"30\"", "`30` has no unit; write \"30s\" for seconds, or \"30ms\", \"30m\", \"30h\", \"30d\""),
            ("30", "`30` has no unit; write \"30s\" for seconds, or \"30ms\", \"30m\", \"30h\", \"30d\""),
            ("\" 7 \"", "`7` has no unit; write \"7s\" for seconds, or \"7ms\", \"7m\", \"7h\", \"7d\""),
            ("\"1.5\"", "`1.5` has no unit, and a time no fraction and no sign; write \"250ms\""),
            ("-2", "`-2` has no unit, and a time no fraction and no sign; write \"250ms\""),
        ] {
            assert_eq!(span(wrong).unwrap_err().message(), said, "{wrong}");
        }
    }
}
