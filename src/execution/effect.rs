//! What a run did outside of itself, and what that gave.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Effects of one execution that are recorded; the rest is counted.
pub const MAX_EFFECTS: usize = 1_000;

/// Bytes of a target that are recorded.
pub const MAX_TARGET: usize = 512;

/// What kind of thing was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EffectKind {
    /// Another service, over HTTP.
    Http,
    /// The key-value store.
    Kv,
    /// A database.
    Sql,
}

impl EffectKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Http, Self::Kv, Self::Sql];

    /// Returns the word that tables and metrics show.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Kv => "kv",
            Self::Sql => "sql",
        }
    }
}

/// One thing that a run did outside of itself. It says where and how it went, and never what was sent or came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Effect {
    /// What was asked.
    pub kind: EffectKind,
    /// Where: `GET api.example.org/path`, `get orders/last`, `app SELECT`.
    pub target: String,
    /// How it went: a status, `ok`, or a word for the error.
    pub outcome: String,
    /// Whether that is an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// Microseconds from the start of the run.
    pub at_us: u64,
    /// Microseconds that it took.
    pub duration_us: u64,
    /// Bytes that were sent, of bodies and values.
    pub sent_bytes: u64,
    /// Bytes that came back.
    pub received_bytes: u64,
    /// Whether a replay gave back what an earlier run got, and nothing was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
}

/// What an effect was about, read from its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectTarget<'a> {
    /// A request.
    Http {
        /// `GET`, `POST` …
        method: &'a str,
        /// With its port, if that is not the usual one.
        host: &'a str,
        /// Without the query.
        path: &'a str,
    },
    /// An operation of the key-value store.
    Kv {
        /// `get`, `set` …
        operation: &'a str,
        /// Whose keys.
        namespace: &'a str,
    },
    /// A statement.
    Sql {
        /// Its first word.
        operation: &'a str,
        /// Of which database.
        database: &'a str,
    },
}

impl Effect {
    /// Reads its target.
    pub fn parts(&self) -> EffectTarget<'_> {
        let (first, rest) = self.target.split_once(' ').unwrap_or((&self.target, ""));
        let (begin, end) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        match self.kind {
            EffectKind::Http => EffectTarget::Http { method: first, host: begin, path: end },
            EffectKind::Kv => EffectTarget::Kv { operation: first, namespace: begin },
            EffectKind::Sql => EffectTarget::Sql { operation: rest.split(' ').next().unwrap_or_default(), database: first },
        }
    }
}

/// What something outside gave a run: an effect, the time, a random number. Kept with a request, it is given again to a run that repeats it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptResult {
    /// What was asked, in words: `http GET api.example.org/path`.
    pub asked: String,
    /// The digest of all that was asked, in hexadecimal; empty where the words say everything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// What came back, as JSON.
    pub result: Box<str>,
}

impl KeptResult {
    fn size(&self) -> usize {
        self.asked.len() + self.digest.len() + self.result.len() + size_of::<Self>()
    }
}

/// How the words begin for what a run finds out about its request.
pub const OF_REQUEST: &str = "of the request: ";

/// The results that are kept of one execution, in order, up to a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptResults {
    results: Vec<KeptResult>,
    /// Whether there were more than are kept.
    #[serde(default)]
    is_cut: bool,
    /// Bytes that may still be kept.
    #[serde(skip)]
    room: usize,
    /// Only what was found out about the request itself is to be given again.
    #[serde(skip)]
    is_of_request: bool,
}

impl KeptResults {
    /// Has kept nothing, and may keep so many bytes.
    pub fn with_room(bytes: usize) -> Self {
        Self { results: Vec::new(), is_cut: false, room: bytes, is_of_request: false }
    }

    /// Leaves what was found out about the request itself: it is not kept whole, so nobody can find it out again.
    pub fn of_request(mut self) -> Self {
        self.results.retain(|result| result.asked.starts_with(OF_REQUEST));
        Self { is_of_request: true, ..self }
    }

    /// Returns whether what is not among them is asked for anew.
    pub fn is_of_request(&self) -> bool {
        self.is_of_request
    }

    /// Keeps a result. One that does not fit is not kept, nor is any after it.
    pub fn keep(&mut self, result: KeptResult) {
        let size = result.size();
        if self.is_cut || size > self.room {
            self.is_cut = true;
            return;
        }
        self.room -= size;
        self.results.push(result);
    }

    /// Returns how many are kept.
    pub fn len(&self) -> usize {
        self.results.len()
    }

    /// Returns whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    /// Returns one of them.
    pub fn get(&self, number: usize) -> Option<&KeptResult> {
        self.results.get(number)
    }

    /// Returns whether there were more than are kept.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Returns the bytes that they take.
    pub fn size(&self) -> usize {
        self.results.iter().map(KeptResult::size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(bytes: usize) -> KeptResult {
        KeptResult { asked: "time".into(), digest: String::new(), result: "x".repeat(bytes).into() }
    }

    #[test]
    fn a_target_says_what_was_asked_and_of_whom() {
        let parts = |kind, target: &str| format!("{:?}", effect(kind, target).parts());
        for (kind, target, told) in [
            (EffectKind::Http, "GET api.example.org:8443/a/b c", r#"Http { method: "GET", host: "api.example.org:8443", path: "/a/b c" }"#),
            (EffectKind::Http, "GET api.example.org", r#"Http { method: "GET", host: "api.example.org", path: "" }"#),
            (EffectKind::Kv, "get orders/a/b", r#"Kv { operation: "get", namespace: "orders" }"#),
            (EffectKind::Sql, "app SELECT 1", r#"Sql { operation: "SELECT", database: "app" }"#),
            (EffectKind::Sql, "", r#"Sql { operation: "", database: "" }"#),
        ] {
            assert_eq!(parts(kind, target), told, "{target}");
        }
    }

    fn effect(kind: EffectKind, target: &str) -> Effect {
        Effect {
            kind,
            target: target.into(),
            outcome: "ok".into(),
            failed: false,
            at_us: 0,
            duration_us: 0,
            sent_bytes: 0,
            received_bytes: 0,
            replayed: false,
        }
    }

    #[test]
    fn results_are_kept_in_order_up_to_their_room() {
        let mut kept = KeptResults::with_room(2 * result(100).size() + result(1).size());
        (0..2).for_each(|_| kept.keep(result(100)));
        assert_eq!((kept.len(), kept.is_cut()), (2, false));
        kept.keep(result(100));
        assert_eq!((kept.len(), kept.is_cut()), (2, true));
        kept.keep(result(1));
        assert_eq!((kept.len(), kept.is_cut()), (2, true), "what follows a hole would be given for something else");
    }
}
