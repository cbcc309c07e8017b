//! Who changed what: the words of the audit log. Plain data without secrets; `store` keeps it.

mod filter;

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

pub use filter::{AuditFilter, AuditFilterError, PAGE};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
    /// The admin token is another.
    AdminTokenRotate,
    /// Somebody signed in to the dashboard.
    SignIn,
    /// Somebody signed out.
    SignOut,
    /// Secrets got values.
    SecretSet,
    /// The value before is not accepted any more.
    SecretFinal,
    /// Secrets were removed.
    SecretRemove,
    /// A value was kept in the key-value store.
    KvSet,
    /// A key was removed from it.
    KvDelete,
    /// A schedule was run now.
    ScheduleRun,
    /// A schedule was paused.
    SchedulePause,
    /// It goes on.
    ScheduleResume,
    /// Somebody emitted an event from outside.
    EventEmit,
    /// What waits is tried at once, or dead letters are tried again.
    EventRetry,
    /// What waits, or dead letters, were thrown away.
    EventDiscard,
    /// Somebody read a request that was kept.
    RequestRead,
    /// The node started.
    Start,
    /// The node started with another configuration than the time before.
    Configure,
}

impl Action {
    /// Every one.
    pub const ALL: [Self; 28] = [
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
        Self::AdminTokenRotate,
        Self::SignIn,
        Self::SignOut,
        Self::SecretSet,
        Self::SecretFinal,
        Self::SecretRemove,
        Self::KvSet,
        Self::KvDelete,
        Self::ScheduleRun,
        Self::SchedulePause,
        Self::ScheduleResume,
        Self::EventEmit,
        Self::EventRetry,
        Self::EventDiscard,
        Self::RequestRead,
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
            Self::AdminTokenRotate => "admin_token_rotate",
            Self::SignIn => "sign_in",
            Self::SignOut => "sign_out",
            Self::SecretSet => "secret_set",
            Self::SecretFinal => "secret_final",
            Self::SecretRemove => "secret_remove",
            Self::KvSet => "kv_set",
            Self::KvDelete => "kv_delete",
            Self::ScheduleRun => "schedule_run",
            Self::SchedulePause => "schedule_pause",
            Self::ScheduleResume => "schedule_resume",
            Self::EventEmit => "event_emit",
            Self::EventRetry => "event_retry",
            Self::EventDiscard => "event_discard",
            Self::RequestRead => "request_read",
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
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
    fn an_address_is_written_as_it_is_known() {
        let origin = |address: &str| Origin::Http(address.parse().unwrap()).to_string();
        assert_eq!([origin("10.0.0.1"), origin("::ffff:10.0.0.1"), origin("::1")], ["10.0.0.1", "10.0.0.1", "::1"]);
    }
}
