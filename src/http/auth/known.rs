//! The tokens that this process knows, by their hashes. The database is asked about each request, so that a token that was revoked is
//! worthless at once, also if a command revoked it. What is known here serves two ends. A token that was right a moment ago works while the
//! database does not answer. Where too many wrong tokens came, a right one is told from them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, time::timeout};

use crate::{
    access::{Token, TokenHash},
    clock::monotonic,
    store::{Store, StoreError},
};

/// So long after the database last knew a token it counts while the database does not answer.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// The database has so long to answer about a token that counts without it, and about any other.
const SOON: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_secs(5);
/// How often one request asks it about tokens that count without it, once it has not answered in time. Each question that waits keeps a
/// connection.
const PAUSE: Duration = Duration::from_secs(5);
/// How often all tokens are read because of ones that are not known.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// Questions to the database at the same time: fewer than it has connections, so that other work goes on while these wait.
const QUESTIONS: usize = 4;
/// Tokens that are kept in memory; past it they are forgotten.
const REMEMBERED: usize = 10_000;

/// The database does not tell whose token it is.
pub struct Away;

/// What is known of tokens.
pub struct Known {
    memory: Mutex<Memory>,
    questions: Semaphore,
    /// When all were last read.
    read: tokio::sync::Mutex<Option<Instant>>,
}

impl Default for Known {
    fn default() -> Self {
        Self { memory: Mutex::default(), questions: Semaphore::new(QUESTIONS), read: tokio::sync::Mutex::default() }
    }
}

impl Known {
    /// Returns the token with this hash, as far as the database knows it or did a moment ago.
    pub async fn find(&self, hash: &TokenHash, store: Option<&Store>, now_us: i64) -> Result<Option<Token>, Away> {
        let Some(token) = self.memory().counts(hash, monotonic(), now_us) else {
            return timeout(LATE, self.ask(hash, store, now_us)).await.unwrap_or(Err(Away));
        };
        if !self.memory().may_ask(monotonic()) {
            return Ok(Some(token));
        }
        match timeout(SOON, self.ask(hash, store, now_us)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(Away)) | Err(_) => {
                self.memory().pause(monotonic());
                Ok(Some(token))
            }
        }
    }

    /// Asks the database, and remembers what it says.
    async fn ask(&self, hash: &TokenHash, store: Option<&Store>, now_us: i64) -> Result<Option<Token>, Away> {
        let store = store.ok_or(Away)?;
        let _turn = self.questions.acquire().await.expect("nobody closes it");
        let revocations = self.memory().revocations;
        let found = store.token_by_hash(hash, now_us).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot tell whose token it is: {error}");
            Away
        })?;
        let mut memory = self.memory();
        memory.paused_until = None;
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
        let revocations = self.memory().revocations;
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
        let revocations = memory.revocations;
        memory.learn(hash, Some(token), revocations, monotonic());
    }

    /// Takes notice that a token was revoked.
    pub fn revoked(&self, name: &str) {
        let mut memory = self.memory();
        memory.revocations += 1;
        memory.tokens.retain(|_, known| known.token.name != name);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("nothing panics while it holds the lock")
    }
}

fn unread(error: &StoreError) {
    tracing::warn!(error = error as &dyn std::error::Error, "cannot read the tokens: {error}");
}

#[derive(Default)]
struct Memory {
    tokens: HashMap<TokenHash, Remembered>,
    /// How many tokens this process has revoked: what the database said before the last is not remembered.
    revocations: u64,
    /// The database did not answer in time, and until then is not asked about tokens that count without it.
    paused_until: Option<Instant>,
}

struct Remembered {
    token: Token,
    /// When the database last knew it.
    confirmed: Instant,
}

impl Memory {
    /// Returns a token that the database knew a moment ago.
    fn counts(&self, hash: &TokenHash, now: Instant, now_us: i64) -> Option<Token> {
        let known = self.tokens.get(hash)?;
        let is_good = now.duration_since(known.confirmed) < GOOD_FOR && !known.token.is_expired(now_us);
        is_good.then(|| known.token.clone())
    }

    fn holds_one(&self, hashes: &[TokenHash]) -> bool {
        hashes.iter().any(|hash| self.tokens.contains_key(hash))
    }

    fn learn(&mut self, hash: &TokenHash, found: Option<&Token>, revocations: u64, now: Instant) {
        match found {
            Some(token) if revocations == self.revocations => {
                if self.tokens.len() >= REMEMBERED && !self.tokens.contains_key(hash) {
                    self.tokens.clear();
                }
                self.tokens.insert(hash.clone(), Remembered { token: token.clone(), confirmed: now });
            }
            Some(_) => {}
            None => drop(self.tokens.remove(hash)),
        }
    }

    /// Returns whether the database is asked about a token that counts without it. After each pause one request asks.
    fn may_ask(&mut self, now: Instant) -> bool {
        match self.paused_until {
            None => true,
            Some(until) if until <= now => {
                self.paused_until = Some(now + PAUSE);
                true
            }
            Some(_) => false,
        }
    }

    fn pause(&mut self, now: Instant) {
        if self.paused_until.replace(now + PAUSE).is_none() {
            let span = GOOD_FOR.as_secs();
            tracing::warn!("the database does not answer in time; tokens that it knew in the last {span} s count without it");
        }
    }
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
    fn a_token_counts_for_a_minute_after_the_database_knew_it_and_not_past_its_end() {
        let (mut memory, now, hash) = (Memory::default(), monotonic(), TokenHash::of("1"));
        memory.learn(&hash, Some(&token("ci", Some(5))), 0, now);
        let counts = |memory: &Memory, after: Duration, after_us: i64| memory.counts(&hash, now + after, NOW_US + after_us).is_some();
        assert!(counts(&memory, Duration::ZERO, 0) && counts(&memory, GOOD_FOR / 2, 4));
        assert!(!counts(&memory, GOOD_FOR, 0) && !counts(&memory, Duration::ZERO, 5));
        // Each answer begins the time anew, and one that knows nothing ends it.
        memory.learn(&hash, Some(&token("ci", None)), 0, now + GOOD_FOR / 2);
        assert!(counts(&memory, GOOD_FOR, 5));
        memory.learn(&hash, None, 0, now);
        assert!(!counts(&memory, Duration::ZERO, 0));
    }

    #[test]
    fn an_answer_from_before_a_revocation_is_not_remembered() {
        let (known, hash) = (Known::default(), TokenHash::of("1"));
        known.made(&hash, &token("ci", None));
        known.made(&TokenHash::of("2"), &token("other", None));
        let before = known.memory().revocations;
        known.revoked("ci");
        known.memory().learn(&hash, Some(&token("ci", None)), before, monotonic());
        assert!(!known.memory().holds_one(std::slice::from_ref(&hash)));
        assert!(known.memory().holds_one(&[hash, TokenHash::of("2")]));
    }

    #[test]
    fn many_tokens_take_little_memory() {
        let (mut memory, now) = (Memory::default(), monotonic());
        for number in 0..2 * REMEMBERED + 5 {
            memory.learn(&TokenHash::of(&number.to_string()), Some(&token("ci", None)), 0, now);
            assert!(memory.tokens.len() <= REMEMBERED);
        }
    }

    #[test]
    fn a_database_that_did_not_answer_is_left_alone_for_a_while() {
        let (mut memory, now) = (Memory::default(), monotonic());
        assert!(memory.may_ask(now) && memory.may_ask(now));
        memory.pause(now);
        assert!(!memory.may_ask(now) && !memory.may_ask(now + PAUSE / 2));
        assert!(memory.may_ask(now + PAUSE), "one asks");
        assert!(!memory.may_ask(now + PAUSE), "and no other");
        assert!(memory.may_ask(now + PAUSE * 2));
    }

    #[tokio::test]
    async fn without_a_database_what_was_known_a_moment_ago_counts() {
        let (known, hash) = (Known::default(), TokenHash::of("1"));
        assert!(known.find(&hash, None, NOW_US).await.is_err());
        assert!(!known.holds_one(std::slice::from_ref(&hash), None).await);
        known.made(&hash, &token("ci", Some(5)));
        assert_eq!(known.find(&hash, None, NOW_US).await.ok().flatten(), Some(token("ci", Some(5))));
        assert!(known.find(&hash, None, NOW_US + 5).await.is_err(), "it has expired, and nobody says so");
        assert!(known.holds_one(&[hash], None).await && !known.holds_one(&[], None).await);
    }
}
