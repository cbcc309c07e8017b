//! From a request's headers to who sent it: a bearer token, or the password of Basic authentication, which is what git sends. Here it ends with
//! whose token it is. What that one may do is asked in two places: [`super::caller`] for orders, [`super::call::admission`] for runs of functions.

mod known;
mod memory;
mod tries;

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header};
use tokio::sync::watch;

use known::{KnownTokens, NoAnswer};
use tries::Tries;

use crate::{
    access::{self, Principal, Scope, Token, TokenHash},
    clock::{SharedClock, monotonic},
    function::topic::Topic,
    runner::PermissionError,
    secret::Secret,
    store::Store,
};

/// How a token may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As a bearer token, and in no other way. Browsers keep the password of Basic authentication, which previews ask for. They send it
    /// along with whatever the page of somebody else, or of a function, has them send.
    Bearer,
    /// Also as the password of Basic authentication.
    Password,
}

/// Why a request may not do what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// It brings no token, or not in the way that is taken.
    NoToken {
        /// What is needed.
        needed: Scope,
        /// How it is taken.
        way: Way,
    },
    /// It brings one that is none of ours, or no longer.
    WrongToken,
    /// Too many wrong ones came from its address.
    TooManyTries {
        /// When the next one is looked at.
        retry_after: Duration,
    },
    /// Its token does not allow this.
    ScopeTooSmall {
        /// Whose token it is.
        principal: Principal,
        /// What is needed.
        needed: Scope,
    },
    /// Its token is good for some functions, and this is about the whole node.
    OnlySomeFunctions {
        /// Whose token it is.
        principal: Principal,
    },
    /// Its token is good for other functions.
    OtherFunction {
        /// Whose token it is.
        principal: Principal,
    },
    /// Its token is good for some functions, and this topic is not theirs.
    OtherTopic {
        /// Whose token it is.
        principal: Principal,
        /// What the request is about.
        topic: Topic,
    },
    /// Its token is good for some functions, and a list of more is asked for.
    ListTooLarge {
        /// Whose token it is.
        principal: Principal,
    },
    /// The database that knows the tokens does not answer.
    DatabaseAway,
}

impl From<PermissionError> for Denial {
    fn from(why: PermissionError) -> Self {
        match why {
            PermissionError::ScopeTooSmall { principal, needed } => Self::ScopeTooSmall { principal, needed },
            PermissionError::OtherFunction { principal } => Self::OtherFunction { principal },
        }
    }
}

/// Knows whose a token is.
pub struct Auth {
    /// The token in the data folder: works without a database. One that was emptied matches nothing, because nothing is no token.
    admin: Secret,
    /// Where the other tokens are, once it has been reached.
    store: watch::Receiver<Option<Store>>,
    clock: SharedClock,
    known: KnownTokens,
    tries: Mutex<Tries>,
    /// Tells that this node has revoked a token.
    revocations: watch::Sender<()>,
}

impl Auth {
    /// Knows this token of the data folder, and those of the store.
    pub fn new(admin: Secret, store: watch::Receiver<Option<Store>>, clock: SharedClock) -> Self {
        Self { admin, store, clock, known: KnownTokens::default(), tries: Mutex::default(), revocations: watch::Sender::default() }
    }

    /// Returns who sent a request, if its scope is large enough. Whether that one may do what the request is about is not asked yet.
    pub(super) async fn identify(&self, needed: Scope, way: Way, headers: &HeaderMap, address: IpAddr) -> Result<Principal, Denial> {
        let sent = headers.get(header::AUTHORIZATION).filter(|sent| way == Way::Password || !is_basic(sent));
        let sent = sent.ok_or(Denial::NoToken { needed, way })?;
        let principal = self.recognise(&credentials(sent), address).await?;
        if principal.scope < needed { Err(Denial::ScopeTooSmall { principal, needed }) } else { Ok(principal) }
    }

    /// Takes notice of a token that this node has made.
    pub fn made(&self, hash: &TokenHash, token: &Token) {
        self.known.made(hash, token);
    }

    /// Takes notice that this node has revoked a token.
    pub fn revoked(&self, name: &str) {
        self.known.revoked(name);
        self.revocations.send_replace(());
    }

    /// Tells when this node revokes a token, for answers that last.
    pub fn revocations(&self) -> watch::Receiver<()> {
        self.revocations.subscribe()
    }

    /// Returns whether an `authorization` holds what can be a token of ours, right or wrong.
    pub(super) fn is_ours(&self, authorization: &HeaderValue) -> bool {
        credentials(authorization).iter().any(|text| access::is_secret(text) || self.admin.matches(text.as_bytes()))
    }

    async fn recognise(&self, candidates: &[String], address: IpAddr) -> Result<Principal, Denial> {
        if candidates.iter().any(|candidate| self.admin.matches(candidate.as_bytes())) {
            return Ok(Principal { name: access::ADMIN.into(), scope: Scope::Admin, functions: None });
        }
        let hashes: Vec<TokenHash> = candidates.iter().filter(|text| access::is_secret(text)).map(|text| TokenHash::of(text)).collect();
        let store = self.store.borrow().clone();
        // What may be right is looked up whatever else comes from there: behind a proxy that is not trusted everybody has one address.
        let blocked = self.tries().blocked(address, monotonic());
        if let Some(retry_after) = blocked
            && !self.known.holds_one(&hashes, store.as_ref()).await
        {
            return Err(Denial::TooManyTries { retry_after });
        }
        for hash in &hashes {
            let found = self.known.find(hash, store.as_ref(), self.clock.now_us()).await;
            if let Some(token) = found.map_err(|NoAnswer| Denial::DatabaseAway)? {
                return Ok(token.principal());
            }
        }
        self.tries().failed(address, monotonic());
        Err(Denial::WrongToken)
    }

    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.tries.lock().expect("nothing panics while it holds the lock")
    }
}

fn is_basic(sent: &HeaderValue) -> bool {
    sent.as_bytes().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
}

/// Returns the texts of which one should be a token. What cannot be read is a wrong token.
fn credentials(authorization: &HeaderValue) -> Vec<String> {
    let sent = authorization.to_str().unwrap_or_default();
    let (scheme, value) = sent.split_once(' ').unwrap_or_default();
    let candidates = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => vec![value.trim().to_owned()],
        "basic" => basic(value.trim()).unwrap_or_default(),
        _ => Vec::new(),
    };
    candidates.into_iter().filter(|text| !text.is_empty()).collect()
}

/// Returns password and user name: people put a token into either.
fn basic(value: &str) -> Option<Vec<String>> {
    let text = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(vec![password.to_owned(), user.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_bearer_or_either_half_of_basic() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (header, texts) in [
            ("Bearer a", &["a"][..]),
            ("bearer  a ", &["a"]),
            (&basic("x:a:b"), &["a:b", "x"]),
            (&basic("a:"), &["a"]),
            (&basic(":"), &[]),
            (&basic("a"), &[]),
            ("Basic ?", &[]),
            ("Digest a", &[]),
            ("a", &[]),
            ("", &[]),
        ] {
            assert_eq!(credentials(&header.parse().unwrap()), texts, "{header}");
        }
    }
}
