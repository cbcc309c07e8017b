//! Who is signed in: in memory, so a restart ends every session, and what was stolen before it is worth nothing. Of a session only the hash of
//! its id is kept. It knows its token by name or hash, and is good for what that is good for at the moment.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::identity::Holder;

/// Sessions at the same time. Beyond it the oldest ends.
const MOST: usize = 1_000;
/// Of these, so many of one token, so that nobody ends those of others.
const MOST_OF_ONE: usize = 50;

/// Who is signed in.
#[derive(Default)]
pub struct Sessions(HashMap<[u8; 32], Session>);

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// By which token.
    pub holder: Holder,
    /// Its name.
    pub name: String,
    /// Until when, in microseconds since 1970.
    pub ends_us: i64,
}

impl Sessions {
    /// Returns the session of this id, unless it has ended.
    pub fn find(&self, id: &str, now_us: i64) -> Option<Session> {
        self.0.get(&key(id)).filter(|session| now_us < session.ends_us).cloned()
    }

    /// Begins a session of this id. All last equally long, so the one that ends first is the oldest.
    pub fn begin(&mut self, id: &str, session: Session, now_us: i64) {
        self.0.retain(|_, known| now_us < known.ends_us);
        self.make_room(MOST_OF_ONE, |known| known.holder == session.holder);
        self.make_room(MOST, |_| true);
        self.0.insert(key(id), session);
    }

    /// Ends the session of this id, and returns it.
    pub fn end(&mut self, id: &str) -> Option<Session> {
        self.0.remove(&key(id))
    }

    /// Ends those of one token.
    pub fn end_all_of(&mut self, holder: &Holder) {
        self.0.retain(|_, session| session.holder != *holder);
    }

    /// Ends the oldest of these if there are so many.
    fn make_room(&mut self, most: usize, is_one: impl Fn(&Session) -> bool) {
        let counted = || self.0.iter().filter(|(_, session)| is_one(session));
        if counted().count() >= most {
            let oldest = counted().min_by_key(|(_, session)| session.ends_us).map(|(key, _)| *key);
            oldest.map(|key| self.0.remove(&key));
        }
    }
}

fn key(id: &str) -> [u8; 32] {
    Sha256::digest(id).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::TokenHash;

    fn session(token: &str, ends_us: i64) -> Session {
        Session { holder: Holder::Token(TokenHash::of(token)), name: token.into(), ends_us }
    }

    #[test]
    fn a_session_ends_by_itself_or_when_it_is_ended() {
        let mut sessions = Sessions::default();
        sessions.begin("1", session("ci", 10), 0);
        sessions.begin("2", session("ci", 10), 0);
        assert_eq!(sessions.find("1", 9), Some(session("ci", 10)));
        assert_eq!((sessions.find("1", 10), sessions.find("", 9)), (None, None));
        assert_eq!((sessions.end("1"), sessions.end("1")), (Some(session("ci", 10)), None));
        assert!(sessions.find("1", 0).is_none() && sessions.find("2", 0).is_some());
        sessions.begin("3", session("ci", 20), 10);
        assert_eq!(sessions.0.len(), 1, "what has ended is forgotten");
    }

    #[test]
    fn many_sessions_take_little_memory_and_those_of_one_token_end_no_other() {
        let mut sessions = Sessions::default();
        sessions.begin("first", session("ci", 1), 0);
        for number in 0..MOST_OF_ONE as i64 + 1 {
            sessions.begin(&number.to_string(), session("busy", 2 + number), 0);
        }
        assert_eq!(sessions.0.len(), MOST_OF_ONE + 1);
        assert!(sessions.find("first", 0).is_some() && sessions.find("0", 0).is_none() && sessions.find("1", 0).is_some());
        for number in 0..MOST as i64 {
            sessions.begin(&format!("x{number}"), session(&number.to_string(), 1_000 + number), 0);
        }
        assert_eq!(sessions.0.len(), MOST);
        assert!(sessions.find("first", 0).is_none(), "it was the oldest");
    }
}
