//! Who changed what: the words of the audit log. Plain data without secrets; `store` keeps it.

use std::{fmt, net::IpAddr, time::UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Another content of the source went live that was there when the node started.
    Found,
    /// Files that were saved in the directory went live.
    Save,
    /// A push went live.
    Push,
    /// What was fetched from a remote went live.
    Pull,
    /// What came through the control plane went live.
    Upload,
    /// An earlier deployment went live again.
    Rollback,
    /// The source is followed again after a rollback.
    Unpin,
    /// The source is followed no longer.
    Suspend,
    /// It is followed again.
    Resume,
    /// A token was made.
    TokenCreate,
    /// A token was made worthless.
    TokenRevoke,
    /// The node started.
    Start,
    /// The node started with another configuration than the time before.
    Configure,
}

impl Action {
    /// Every one.
    pub const ALL: [Self; 13] = [
        Self::Found,
        Self::Save,
        Self::Push,
        Self::Pull,
        Self::Upload,
        Self::Rollback,
        Self::Unpin,
        Self::Suspend,
        Self::Resume,
        Self::TokenCreate,
        Self::TokenRevoke,
        Self::Start,
        Self::Configure,
    ];

    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Save => "save",
            Self::Push => "push",
            Self::Pull => "pull",
            Self::Upload => "upload",
            Self::Rollback => "rollback",
            Self::Unpin => "unpin",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::TokenCreate => "token_create",
            Self::TokenRevoke => "token_revoke",
            Self::Start => "start",
            Self::Configure => "configure",
        }
    }

    /// Finds the one of this word.
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a change came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A request from there.
    Http(IpAddr),
    /// A command that works on the database itself.
    Cli,
    /// The source that is followed: files that were saved, commits.
    Source,
    /// The node itself.
    Node,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(address) => address.to_canonical().fmt(f),
            Self::Cli => f.write_str("cli"),
            Self::Source => f.write_str("source"),
            Self::Node => f.write_str("node"),
        }
    }
}

/// Somebody who gives orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The name of a token, or of a user of the machine.
    pub who: String,
    /// Where that one is.
    pub origin: Origin,
}

impl Actor {
    /// Names who sent a request.
    pub fn over_http(who: impl Into<String>, address: IpAddr) -> Self {
        Self { who: who.into(), origin: Origin::Http(address) }
    }

    /// Writes down what that one does.
    pub fn does(&self, action: Action, time_us: i64, detail: Value) -> Record {
        Record { time_us, who: self.who.clone(), origin: self.origin, action, detail }
    }
}

/// A change that is to be written down.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// In microseconds since 1970.
    pub time_us: i64,
    /// The name of a token or of a user, an author; `files` for what was saved in the directory.
    pub who: String,
    /// Where from.
    pub origin: Origin,
    /// What.
    pub action: Action,
    /// What else there is to know: an object, without secrets.
    pub detail: Value,
}

/// A change as the log has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Rises with every entry.
    pub id: i64,
    /// When, as RFC 3339 has it.
    pub time: String,
    /// Who.
    pub who: String,
    /// From where: an address, `cli`, `source` or `node`.
    pub origin: String,
    /// What.
    pub action: Action,
    /// What else there is to know.
    pub detail: Value,
}

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
pub struct BadFilter {
    key: String,
    why: String,
}

impl AuditFilter {
    /// Reads what is asked for, as the query of a URL or the options of a command have it.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>, now_us: i64) -> Result<Self, BadFilter> {
        let mut filter = Self::default();
        for (key, value) in pairs {
            filter.set(key, value, now_us).map_err(|why| BadFilter { key: key.into(), why })?;
        }
        Ok(filter)
    }

    fn set(&mut self, key: &str, value: &str, now_us: i64) -> Result<(), String> {
        match key {
            "action" => {
                let words = || Action::ALL.map(|action| format!("`{action}`")).join(", ");
                self.action = Some(Action::find(value).ok_or_else(|| format!("`{value}` is no action; there are {}", words()))?);
            }
            // Postgres takes no text with a zero in it.
            "who" if value.contains(char::is_control) => return Err(format!("`{}` is nobody's name", value.escape_debug())),
            "who" => self.who = Some(value.into()),
            "since" => self.since_us = Some(since_us(value, now_us)?),
            "cursor" => self.before = Some(value.parse().map_err(|_| "it is the `next` of the page before".to_owned())?),
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
    let time = time.ok_or_else(|| format!("`{text}` is no time; write a span such as `10m`, or a time such as `2026-11-23T09:00:00Z`"))?;
    Ok(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_one_word() {
        for action in Action::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
            assert_eq!(Action::find(action.as_str()), Some(action));
        }
        assert_eq!(Action::find("dance"), None);
    }

    #[test]
    fn what_is_asked_for_is_read_or_refused_with_what_to_write() {
        let parse = |key: &str, value: &str| AuditFilter::parse([(key, value)], 10_000_000);
        assert_eq!(parse("since", "4s").unwrap().since_us, Some(6_000_000));
        assert_eq!(parse("since", "1970-01-01T00:00:02Z").unwrap().since_us, Some(2_000_000));
        assert_eq!(parse("action", "token_create").unwrap().action, Some(Action::TokenCreate));
        assert_eq!(parse("limit", "1000").unwrap().limit, 1_000);
        assert_eq!(parse("cursor", "7").unwrap().before, Some(7));
        for (key, value) in [("since", "soon"), ("action", "dance"), ("limit", "0"), ("limit", "1001"), ("cursor", "x"), ("to", "x")] {
            let error = parse(key, value).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{key}`: ")), "{error}");
        }
    }

    #[test]
    fn an_address_is_written_as_it_is_known() {
        let origin = |address: &str| Origin::Http(address.parse().unwrap()).to_string();
        assert_eq!([origin("10.0.0.1"), origin("::ffff:10.0.0.1"), origin("::1")], ["10.0.0.1", "10.0.0.1", "::1"]);
    }
}
