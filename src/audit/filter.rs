//! Which entries of the audit log somebody asks for.

use std::time::UNIX_EPOCH;

use super::Action;

/// Which entries are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only of this kind.
    pub action: Option<Action>,
    /// Only what this one did.
    pub who: Option<String>,
    /// Only what was done at this time or later, in microseconds since 1970.
    pub since_us: Option<i64>,
    /// Only older ones than this, for the next page.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// Entries of one page unless something else is asked for, and the most.
pub const PAGE: (u32, u32) = (100, 1_000);

impl Default for AuditFilter {
    fn default() -> Self {
        Self { action: None, who: None, since_us: None, before: None, limit: PAGE.0 }
    }
}

/// What is asked for makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("`{key}`: {why}")]
pub struct AuditFilterError {
    key: String,
    why: String,
}

impl AuditFilter {
    /// Reads what is asked for, as the query of a URL or the options of a command have it.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>, now_us: i64) -> Result<Self, AuditFilterError> {
        let mut filter = Self::default();
        for (key, value) in pairs {
            filter.set(key, value, now_us).map_err(|why| AuditFilterError { key: key.into(), why })?;
        }
        Ok(filter)
    }

    fn set(&mut self, key: &str, value: &str, now_us: i64) -> Result<(), String> {
        match key {
            "action" => {
                let words = || Action::ALL.map(|action| format!("`{action}`")).join(", ");
                self.action = Some(Action::find(value).ok_or_else(|| format!("`{value}` is no action\n  hint: there are {}", words()))?);
            }
            // Postgres takes no text with a zero in it.
            "who" if value.contains(char::is_control) => return Err(format!("`{}` is nobody's name", value.escape_debug())),
            "who" => self.who = Some(value.into()),
            "since" => self.since_us = Some(since_us(value, now_us)?),
            "cursor" => {
                self.before = Some(value.parse().ok().filter(|id| *id > 0).ok_or_else(|| "it is the `next` of the page before".to_owned())?)
            }
            "limit" => {
                let number = value.parse().ok().filter(|number| (1..=PAGE.1).contains(number));
                self.limit = number.ok_or_else(|| format!("a page has 1 to {} entries", PAGE.1))?;
            }
            _ => return Err("there are `action`, `who`, `since`, `limit` and `cursor`".into()),
        }
        Ok(())
    }
}

/// Reads a time, or a span before now.
fn since_us(text: &str, now_us: i64) -> Result<i64, String> {
    if let Ok(span) = humantime::parse_duration(text) {
        return Ok(now_us.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)));
    }
    let time = humantime::parse_rfc3339_weak(text).ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let time =
        time.ok_or_else(|| format!("`{text}` is no time\n  hint: write a span such as `10m`, or a time such as `2026-11-23T09:00:00Z`"))?;
    Ok(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_or_refused_with_what_to_write() {
        let parse = |key: &str, value: &str| AuditFilter::parse([(key, value)], 10_000_000);
        assert_eq!(parse("since", "4s").unwrap().since_us, Some(6_000_000));
        assert_eq!(parse("since", "1970-01-01T00:00:02Z").unwrap().since_us, Some(2_000_000));
        assert_eq!(parse("action", "token_create").unwrap().action, Some(Action::TokenCreate));
        assert_eq!(parse("limit", "1000").unwrap().limit, 1_000);
        assert_eq!(parse("cursor", "7").unwrap().before, Some(7));
        for (key, value) in
            [("since", "soon"), ("action", "dance"), ("limit", "0"), ("limit", "1001"), ("cursor", "x"), ("cursor", "-1"), ("to", "x")]
        {
            let error = parse(key, value).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{key}`: ")), "{error}");
        }
    }
}
