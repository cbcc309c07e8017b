//! The tokens that this process knows, by their hashes. The database is asked about each request, so that a token that was revoked is
//! worthless at once, also if a command revoked it. What is known here serves two ends. A token that was right a moment ago works while the
//! database does not answer. Where too many wrong tokens came, a right one is told from them.

use std::{
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, time::timeout};

use super::memory::{REMEMBERED, TokenMemory};
use crate::{
    access::{Token, TokenHash},
    clock::monotonic,
    store::{Store, StoreError},
};

/// The database has so long to answer about a token that counts without it, and about any other.
const SOON: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_secs(5);
/// How often all tokens are read because of ones that are not known.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// Questions to the database at the same time: fewer than it has connections, so that other work goes on while these wait.
const QUESTIONS: usize = 4;

/// The database does not tell whose token it is.
pub struct NoAnswer;

/// What is known of tokens.
pub struct KnownTokens {
    memory: Mutex<TokenMemory>,
    questions: Semaphore,
    /// When all were last read.
    read: tokio::sync::Mutex<Option<Instant>>,
}

impl Default for KnownTokens {
    fn default() -> Self {
        Self { memory: Mutex::default(), questions: Semaphore::new(QUESTIONS), read: tokio::sync::Mutex::default() }
    }
}

impl KnownTokens {
    /// Returns the token with this hash, as far as the database knows it or did a moment ago.
    pub async fn find(&self, hash: &TokenHash, store: Option<&Store>, now_us: i64) -> Result<Option<Token>, NoAnswer> {
        let Some(token) = self.memory().counts(hash, monotonic(), now_us) else {
            return timeout(LATE, self.ask(hash, store, now_us)).await.unwrap_or(Err(NoAnswer));
        };
        if !self.memory().may_ask(monotonic()) {
            return Ok(Some(token));
        }
        match timeout(SOON, self.ask(hash, store, now_us)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(NoAnswer)) | Err(_) => {
                self.memory().pause(monotonic());
                Ok(Some(token))
            }
        }
    }

    /// Asks the database, and remembers what it says.
    async fn ask(&self, hash: &TokenHash, store: Option<&Store>, now_us: i64) -> Result<Option<Token>, NoAnswer> {
        let store = store.ok_or(NoAnswer)?;
        let _turn = self.questions.acquire().await.expect("nobody closes it");
        let revocations = self.memory().revocations();
        let found = store.token_by_hash(hash, now_us).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot tell whose token it is: {error}");
            NoAnswer
        })?;
        let mut memory = self.memory();
        memory.resume();
        memory.learn(hash, found.as_ref(), revocations, monotonic());
        Ok(found)
    }

    /// Returns whether one of these may be right. If none is known, all tokens are read again, once in a while.
    pub async fn holds_one(&self, hashes: &[TokenHash], store: Option<&Store>) -> bool {
        let is_known = || self.memory().holds_one(hashes);
        if hashes.is_empty() || is_known() {
            return !hashes.is_empty();
        }
        let mut read = self.read.lock().await;
        let is_due = read.is_none_or(|read| monotonic().duration_since(read) >= READ_AGAIN);
        if let Some(store) = store.filter(|_| is_due) {
            self.read_all(store).await;
            // After it, so that those who waited for it do not each read again.
            *read = Some(monotonic());
        }
        is_known()
    }

    async fn read_all(&self, store: &Store) {
        let revocations = self.memory().revocations();
        match timeout(SOON, store.hashed_tokens(REMEMBERED as u32)).await {
            Ok(Ok(tokens)) => {
                let mut memory = self.memory();
                for (hash, token) in &tokens {
                    memory.learn(hash, Some(token), revocations, monotonic());
                }
            }
            Ok(Err(error)) => unread(&error),
            Err(_) => tracing::warn!("cannot read the tokens: the database does not answer in time"),
        }
    }

    /// Takes notice of a token that was made.
    pub fn made(&self, hash: &TokenHash, token: &Token) {
        let mut memory = self.memory();
        let revocations = memory.revocations();
        memory.learn(hash, Some(token), revocations, monotonic());
    }

    /// Takes notice that a token was revoked.
    pub fn revoked(&self, name: &str) {
        self.memory().revoke(name);
    }

    fn memory(&self) -> MutexGuard<'_, TokenMemory> {
        self.memory.lock().expect("nothing panics while it holds the lock")
    }
}

fn unread(error: &StoreError) {
    tracing::warn!(error = error as &dyn std::error::Error, "cannot read the tokens: {error}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Scope;

    const NOW_US: i64 = 1_795_424_645_678_000;

    fn token(name: &str, span_us: Option<i64>) -> Token {
        Token::new(name.into(), Scope::Read, None, NOW_US, span_us)
    }

    #[test]
    fn an_answer_from_before_a_revocation_is_not_remembered() {
        let (known, hash) = (KnownTokens::default(), TokenHash::of("1"));
        known.made(&hash, &token("ci", None));
        known.made(&TokenHash::of("2"), &token("other", None));
        let before = known.memory().revocations();
        known.revoked("ci");
        known.memory().learn(&hash, Some(&token("ci", None)), before, monotonic());
        assert!(!known.memory().holds_one(std::slice::from_ref(&hash)));
        assert!(known.memory().holds_one(&[hash, TokenHash::of("2")]));
    }

    #[tokio::test]
    async fn without_a_database_what_was_known_a_moment_ago_counts() {
        let (known, hash) = (KnownTokens::default(), TokenHash::of("1"));
        assert!(known.find(&hash, None, NOW_US).await.is_err());
        assert!(!known.holds_one(std::slice::from_ref(&hash), None).await);
        known.made(&hash, &token("ci", Some(5)));
        assert_eq!(known.find(&hash, None, NOW_US).await.ok().flatten(), Some(token("ci", Some(5))));
        assert!(known.find(&hash, None, NOW_US + 5).await.is_err(), "it has expired, and nobody says so");
        assert!(known.holds_one(&[hash], None).await && !known.holds_one(&[], None).await);
    }
}
