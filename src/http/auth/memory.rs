//! What this process knows of tokens, without asking anybody.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::access::{Token, TokenHash};

/// So long after the database last knew a token it counts while the database does not answer.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// How often one request asks it about tokens that count without it, once it has not answered in time. Each question that waits keeps a
/// connection.
const PAUSE: Duration = Duration::from_secs(5);
/// Tokens that are kept in memory; past it they are forgotten.
pub const REMEMBERED: usize = 10_000;

/// What this process knows of tokens.
#[derive(Default)]
pub struct TokenMemory {
    tokens: HashMap<TokenHash, RememberedToken>,
    /// How many tokens this process has revoked: what the database said before the last is not remembered.
    revocations: u64,
    /// The database did not answer in time, and until then is not asked about tokens that count without it.
    paused_until: Option<Instant>,
}

struct RememberedToken {
    token: Token,
    /// When the database last knew it.
    confirmed: Instant,
}

impl TokenMemory {
    /// Returns how many tokens this process has revoked.
    pub fn revocations(&self) -> u64 {
        self.revocations
    }

    /// Forgets a token that this process has revoked.
    pub fn revoke(&mut self, name: &str) {
        self.revocations += 1;
        self.tokens.retain(|_, known| known.token.name != name);
    }

    /// The database has answered.
    pub fn resume(&mut self) {
        self.paused_until = None;
    }

    /// Returns a token that the database knew a moment ago.
    pub fn counts(&self, hash: &TokenHash, now: Instant, now_us: i64) -> Option<Token> {
        let known = self.tokens.get(hash)?;
        let is_good = now.duration_since(known.confirmed) < GOOD_FOR && !known.token.is_expired(now_us);
        is_good.then(|| known.token.clone())
    }

    /// Returns whether one of these may be right.
    pub fn holds_one(&self, hashes: &[TokenHash]) -> bool {
        hashes.iter().any(|hash| self.tokens.contains_key(hash))
    }

    /// Remembers what the database said after so many revocations.
    pub fn learn(&mut self, hash: &TokenHash, found: Option<&Token>, revocations: u64, now: Instant) {
        match found {
            Some(token) if revocations == self.revocations => {
                if self.tokens.len() >= REMEMBERED && !self.tokens.contains_key(hash) {
                    self.tokens.clear();
                }
                self.tokens.insert(hash.clone(), RememberedToken { token: token.clone(), confirmed: now });
            }
            Some(_) => {}
            None => drop(self.tokens.remove(hash)),
        }
    }

    /// Returns whether the database is asked about a token that counts without it. After each pause one request asks.
    pub fn may_ask(&mut self, now: Instant) -> bool {
        match self.paused_until {
            None => true,
            Some(until) if until <= now => {
                self.paused_until = Some(now + PAUSE);
                true
            }
            Some(_) => false,
        }
    }

    /// The database did not answer in time.
    pub fn pause(&mut self, now: Instant) {
        if self.paused_until.replace(now + PAUSE).is_none() {
            let span = GOOD_FOR.as_secs();
            tracing::warn!("the database does not answer in time; tokens that it knew in the last {span} s count without it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{access::Scope, clock::monotonic};

    const NOW_US: i64 = 1_795_424_645_678_000;

    fn token(name: &str, span_us: Option<i64>) -> Token {
        Token::new(name.into(), Scope::Read, None, NOW_US, span_us)
    }

    #[test]
    fn a_token_counts_for_a_minute_after_the_database_knew_it_and_not_past_its_end() {
        let (mut memory, now, hash) = (TokenMemory::default(), monotonic(), TokenHash::of("1"));
        memory.learn(&hash, Some(&token("ci", Some(5))), 0, now);
        let counts = |memory: &TokenMemory, after: Duration, after_us: i64| memory.counts(&hash, now + after, NOW_US + after_us).is_some();
        assert!(counts(&memory, Duration::ZERO, 0) && counts(&memory, GOOD_FOR / 2, 4));
        assert!(!counts(&memory, GOOD_FOR, 0) && !counts(&memory, Duration::ZERO, 5));
        // Each answer begins the time anew, and one that knows nothing ends it.
        memory.learn(&hash, Some(&token("ci", None)), 0, now + GOOD_FOR / 2);
        assert!(counts(&memory, GOOD_FOR, 5));
        memory.learn(&hash, None, 0, now);
        assert!(!counts(&memory, Duration::ZERO, 0));
    }

    #[test]
    fn many_tokens_take_little_memory() {
        let (mut memory, now) = (TokenMemory::default(), monotonic());
        for number in 0..2 * REMEMBERED + 5 {
            memory.learn(&TokenHash::of(&number.to_string()), Some(&token("ci", None)), 0, now);
            assert!(memory.tokens.len() <= REMEMBERED);
        }
    }

    #[test]
    fn a_database_that_did_not_answer_is_left_alone_for_a_while() {
        let (mut memory, now) = (TokenMemory::default(), monotonic());
        assert!(memory.may_ask(now) && memory.may_ask(now));
        memory.pause(now);
        assert!(!memory.may_ask(now) && !memory.may_ask(now + PAUSE / 2));
        assert!(memory.may_ask(now + PAUSE), "one asks");
        assert!(!memory.may_ask(now + PAUSE), "and no other");
        assert!(memory.may_ask(now + PAUSE * 2));
    }
}
