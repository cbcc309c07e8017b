//! From a request's headers to who sent it: a bearer token, or the password of Basic authentication, which is what git sends. Here it ends with
//! whose token it is. What that one may do is asked in two places: [`super::caller`] for orders, [`super::call::admission`] for runs of functions.

mod identity;
mod known;
mod memory;
mod sessions;
mod tries;

use std::{
    io,
    net::IpAddr,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header, request::Parts};
use tokio::sync::watch;

use identity::Holder;
pub use identity::Identity;
use known::{KnownTokens, NoAnswer};
pub use sessions::Session;
use sessions::Sessions;
use tries::Tries;

use crate::{
    access::{self, Principal, Scope, Token, TokenHash, admin::AdminToken},
    clock::{SharedClock, monotonic},
    function::topic::Topic,
    hex::Hex,
    http::{cookie, origin::Page},
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
    /// Nobody is signed in by the session that it brings, or nobody is any more.
    SessionEnded,
    /// It brings a session, and no page of this node sent it.
    OtherOrigin,
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
    admin: AdminToken,
    /// Where the other tokens are, once it has been reached.
    store: watch::Receiver<Option<Store>>,
    clock: SharedClock,
    known: KnownTokens,
    tries: Mutex<Tries>,
    sessions: Mutex<Sessions>,
    /// Tells that this node has revoked a token or drawn another admin token, or that somebody has signed out.
    revocations: watch::Sender<()>,
}

/// How long a session lasts.
pub const SESSION: Duration = Duration::from_secs(12 * 3600);
/// Bytes of randomness in the id of one.
const ID_BYTES: usize = 32;

impl Auth {
    /// Knows this token of the data folder, and those of the store.
    pub fn new(admin: AdminToken, store: watch::Receiver<Option<Store>>, clock: SharedClock) -> Self {
        let (known, tries, sessions) = Default::default();
        Self { admin, store, clock, known, tries, sessions, revocations: watch::Sender::default() }
    }

    /// Returns who sent a request with a token, if its scope is large enough. Whether that one may do what the request is about is not asked yet.
    pub(super) async fn identify(&self, needed: Scope, way: Way, headers: &HeaderMap, address: IpAddr) -> Result<Identity, Denial> {
        let sent = headers.get(header::AUTHORIZATION).filter(|sent| way == Way::Password || !is_basic(sent));
        let sent = sent.ok_or(Denial::NoToken { needed, way })?;
        large_enough(self.recognise(&credentials(sent), address).await?.1, needed)
    }

    /// The same of a request with a bearer token or a session. A password that the browser adds is not looked at.
    pub(super) async fn identify_caller(&self, needed: Scope, head: &Parts, address: IpAddr) -> Result<Identity, Denial> {
        let has_token = head.headers.get(header::AUTHORIZATION).is_some_and(|sent| !is_basic(sent));
        let Some(sent) = cookie::all(&head.headers).next().filter(|_| !has_token) else {
            return self.identify(needed, Way::Bearer, &head.headers, address).await;
        };
        if !Page::of(&head.headers).may_use_session(&head.method) {
            return Err(Denial::OtherOrigin);
        }
        large_enough(self.signed_in(sent.id).await?, needed)
    }

    async fn signed_in(&self, id: &str) -> Result<Identity, Denial> {
        let session = self.sessions().find(id, self.clock.now_us()).ok_or(Denial::SessionEnded)?;
        match self.resolve(&session.holder).await {
            Ok(Some(identity)) => Ok(identity.signed_in(session.ends_us)),
            Ok(None) => {
                self.sessions().end(id);
                Err(Denial::SessionEnded)
            }
            Err(NoAnswer) => Err(Denial::DatabaseAway),
        }
    }

    /// Begins a session by a token, and returns its id.
    pub(super) async fn sign_in(&self, token: &Secret, address: IpAddr) -> Result<(Secret, Principal), Denial> {
        let (holder, Identity { principal, .. }) = self.recognise(&[token.expose().to_owned()], address).await?;
        let mut bytes = [0; ID_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| {
            tracing::error!("the system gives no random bytes: {error}");
            Denial::DatabaseAway
        })?;
        let (id, now_us) = (Secret::new(Hex(&bytes).to_string()), self.clock.now_us());
        let session = Session { holder, name: principal.name.clone(), ends_us: now_us.saturating_add(SESSION.as_micros() as i64) };
        self.sessions().begin(id.expose(), session, now_us);
        Ok((id, principal))
    }

    /// Ends a session, and returns whose it was.
    pub(super) fn sign_out(&self, id: &str) -> Option<Session> {
        let ended = self.sessions().end(id)?;
        self.revocations.send_replace(());
        Some(ended)
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

    /// Draws another admin token. Whoever came with the one before has to come again.
    pub fn rotate_admin(&self) -> io::Result<()> {
        self.admin.rotate()?;
        self.sessions().end_all_of(&Holder::Admin);
        self.revocations.send_replace(());
        Ok(())
    }

    /// Tells when this node revokes a token, or somebody signs out, for answers that last.
    pub fn revocations(&self) -> watch::Receiver<()> {
        self.revocations.subscribe()
    }

    /// Returns whether an `authorization` holds what can be a token of ours, right or wrong.
    pub(super) fn is_ours(&self, authorization: &HeaderValue) -> bool {
        credentials(authorization).iter().any(|text| access::is_secret(text) || self.admin.matches(text.as_bytes()))
    }

    /// Returns whose one of these texts is.
    async fn recognise(&self, candidates: &[String], address: IpAddr) -> Result<(Holder, Identity), Denial> {
        if candidates.iter().any(|candidate| self.admin.matches(candidate.as_bytes())) {
            return Ok((Holder::Admin, Identity::admin()));
        }
        let hashes: Vec<TokenHash> = candidates.iter().filter(|text| access::is_secret(text)).map(|text| TokenHash::of(text)).collect();
        // What may be right is looked up whatever else comes from there: behind a proxy that is not trusted everybody has one address.
        let blocked = self.tries().blocked(address, monotonic());
        if let Some(retry_after) = blocked {
            let store = self.store.borrow().clone();
            if !self.known.holds_one(&hashes, store.as_ref()).await {
                return Err(Denial::TooManyTries { retry_after });
            }
        }
        for holder in hashes.into_iter().map(Holder::Token) {
            if let Some(identity) = self.resolve(&holder).await.map_err(|NoAnswer| Denial::DatabaseAway)? {
                return Ok((holder, identity));
            }
        }
        self.tries().failed(address, monotonic());
        Err(Denial::WrongToken)
    }

    /// Returns who has this token now; nobody if it has been revoked or has expired.
    async fn resolve(&self, holder: &Holder) -> Result<Option<Identity>, NoAnswer> {
        let Holder::Token(hash) = holder else { return Ok(Some(Identity::admin())) };
        let store = self.store.borrow().clone();
        let token = self.known.find(hash, store.as_ref(), self.clock.now_us()).await?;
        Ok(token.map(Identity::from))
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().expect("nothing panics while it holds the lock")
    }

    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.tries.lock().expect("nothing panics while it holds the lock")
    }
}

fn large_enough(identity: Identity, needed: Scope) -> Result<Identity, Denial> {
    let Identity { principal, .. } = &identity;
    if principal.scope < needed { Err(Denial::ScopeTooSmall { principal: principal.clone(), needed }) } else { Ok(identity) }
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
