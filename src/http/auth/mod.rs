//! From a request's headers to who sent it: a bearer token, or the password of Basic authentication, which is what git sends.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header};
use tokio::sync::watch;

use crate::{
    access::{self, Principal, Scope, TokenHash},
    clock::{SharedClock, monotonic},
    secret::Secret,
    store::Store,
};

/// Wrong tokens that an address may send within `WINDOW`.
const MAX_WRONG: u32 = 10;
/// After so long an address's wrong tokens are forgotten.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses, and tokens that were right, that are kept in memory; past it they are forgotten.
const REMEMBERED: usize = 10_000;

/// Why a request may not do what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// It brings no token.
    NoToken {
        /// What is needed.
        needed: Scope,
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
    /// The database that knows the tokens does not answer.
    DatabaseAway,
}

/// Knows who may do what.
pub struct Auth {
    /// The token in the data folder: works without a database. One that was emptied matches nothing, because nothing is no token.
    admin: Secret,
    /// Where the other tokens are, once it has been reached.
    store: watch::Receiver<Option<Store>>,
    clock: SharedClock,
    tries: Mutex<Tries>,
}

impl Auth {
    /// Knows this token of the data folder, and those of the store.
    pub fn new(admin: Secret, store: watch::Receiver<Option<Store>>, clock: SharedClock) -> Self {
        Self { admin, store, clock, tries: Mutex::default() }
    }

    /// Returns who sent a request, if that one may do to the whole node what needs this scope.
    pub async fn require(&self, needed: Scope, headers: &HeaderMap, address: IpAddr) -> Result<Principal, Denied> {
        let principal = self.identify(needed, headers, address).await?;
        if principal.functions.is_some() { Err(Denied::OnlySomeFunctions { principal }) } else { Ok(principal) }
    }

    /// The same for orders: only a bearer token gives them.
    pub async fn require_bearer(&self, needed: Scope, headers: &HeaderMap, address: IpAddr) -> Result<Principal, Denied> {
        only_bearer(needed, headers)?;
        self.require(needed, headers, address).await
    }

    /// The same for what is about one function.
    pub async fn require_for(&self, function: &str, needed: Scope, headers: &HeaderMap, address: IpAddr) -> Result<Principal, Denied> {
        let principal = self.identify_bearer(needed, headers, address).await?;
        if principal.may_touch(function) { Ok(principal) } else { Err(Denied::OtherFunction { principal }) }
    }

    /// Returns who sent a request with a bearer token, if its scope allows this. The caller must ask about which functions that one
    /// [may touch](Principal::may_touch).
    pub async fn identify_bearer(&self, needed: Scope, headers: &HeaderMap, address: IpAddr) -> Result<Principal, Denied> {
        only_bearer(needed, headers)?;
        self.identify(needed, headers, address).await
    }

    async fn identify(&self, needed: Scope, headers: &HeaderMap, address: IpAddr) -> Result<Principal, Denied> {
        let principal = match headers.get(header::AUTHORIZATION) {
            None => return Err(Denied::NoToken { needed }),
            Some(sent) => self.recognise(&credentials(sent), address).await?,
        };
        if principal.scope < needed { Err(Denied::ScopeTooSmall { principal, needed }) } else { Ok(principal) }
    }

    /// Returns whether an `authorization` holds what can be a token of ours, right or wrong.
    pub fn is_ours(&self, authorization: &HeaderValue) -> bool {
        credentials(authorization).iter().any(|text| access::is_secret(text) || self.admin.matches(text.as_bytes()))
    }

    async fn recognise(&self, candidates: &[String], address: IpAddr) -> Result<Principal, Denied> {
        if candidates.iter().any(|candidate| self.admin.matches(candidate.as_bytes())) {
            return Ok(Principal { name: access::ADMIN.into(), scope: Scope::Admin, functions: None });
        }
        let hashes: Vec<TokenHash> = candidates.iter().filter(|text| access::is_secret(text)).map(|text| TokenHash::of(text)).collect();
        // What was right before is looked up whatever else comes from there: behind a proxy that is not trusted everybody has one address.
        let has_worked = self.tries().has_worked(&hashes);
        if !has_worked && let Some(retry_after) = self.tries().blocked(address, monotonic()) {
            return Err(Denied::TooManyTries { retry_after });
        }
        for hash in &hashes {
            if let Some(principal) = self.look_up(hash).await? {
                self.tries().worked(hash.clone());
                return Ok(principal);
            }
        }
        self.tries().failed(address, &hashes, monotonic());
        Err(Denied::WrongToken)
    }

    async fn look_up(&self, hash: &TokenHash) -> Result<Option<Principal>, Denied> {
        let store = self.store.borrow().clone().ok_or(Denied::DatabaseAway)?;
        store.token_by_hash(hash, self.clock.now_us()).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot tell whose token it is: {error}");
            Denied::DatabaseAway
        })
    }

    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.tries.lock().expect("nothing panics while it holds the lock")
    }
}

/// Browsers keep the password of Basic authentication, which previews ask for, and send it along with whatever the page of somebody else, or
/// of a function, has them send.
fn only_bearer(needed: Scope, headers: &HeaderMap) -> Result<(), Denied> {
    let is_basic = |sent: &HeaderValue| sent.as_bytes().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "));
    match headers.get(header::AUTHORIZATION) {
        Some(sent) if is_basic(sent) => Err(Denied::NoToken { needed }),
        _ => Ok(()),
    }
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

/// What was tried lately. It is there to spare the database: a secret of 256 bits is not guessed anyway.
#[derive(Default)]
struct Tries {
    /// When the first wrong token came from an address, and how many since.
    wrong: HashMap<IpAddr, (Instant, u32)>,
    /// Tokens that were right.
    right: HashSet<TokenHash>,
}

impl Tries {
    /// Returns how long nothing from there is looked at, if that is so.
    fn blocked(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let (first, count) = self.wrong.get(&network(address))?;
        let remaining = WINDOW.checked_sub(now.duration_since(*first)).filter(|remaining| !remaining.is_zero());
        remaining.filter(|_| *count >= MAX_WRONG)
    }

    fn failed(&mut self, address: IpAddr, hashes: &[TokenHash], now: Instant) {
        for hash in hashes {
            self.right.remove(hash);
        }
        let is_recent = |first: &Instant| now.duration_since(*first) < WINDOW;
        if self.wrong.len() >= REMEMBERED {
            self.wrong.retain(|_, (first, _)| is_recent(first));
        }
        if self.wrong.len() >= REMEMBERED {
            self.wrong.clear();
        }
        let (first, count) = self.wrong.entry(network(address)).or_insert((now, 0));
        if !is_recent(first) {
            (*first, *count) = (now, 0);
        }
        *count += 1;
    }

    fn has_worked(&self, hashes: &[TokenHash]) -> bool {
        hashes.iter().any(|hash| self.right.contains(hash))
    }

    fn worked(&mut self, hash: TokenHash) {
        if self.right.len() >= REMEMBERED {
            self.right.clear();
        }
        self.right.insert(hash);
    }
}

/// Returns what one sender has: an address, or the 64-bit network of IPv6 within which anyone takes any address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
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

    #[test]
    fn an_address_is_blocked_for_a_while_after_too_many_wrong_tokens() {
        let (mut tries, now) = (Tries::default(), monotonic());
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        for _ in 0..MAX_WRONG {
            assert_eq!(tries.blocked(one, now), None);
            tries.failed(one, &[], now);
        }
        assert_eq!(tries.blocked(one, now + WINDOW / 2), Some(WINDOW / 2));
        assert_eq!(tries.blocked("::ffff:10.0.0.1".parse().unwrap(), now), Some(WINDOW));
        assert_eq!(tries.blocked(other, now), None);
        assert_eq!(tries.blocked(one, now + WINDOW), None);
        tries.failed(one, &[], now + WINDOW);
        assert_eq!(tries.blocked(one, now + WINDOW), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one_sender_and_many_senders_take_little_memory() {
        let (mut tries, now) = (Tries::default(), monotonic());
        for host in 0..u64::from(MAX_WRONG) {
            tries.failed(IpAddr::V6(Ipv6Addr::from_bits(u128::from(host))), &[], now);
        }
        assert!(tries.blocked("::ffff:ffff:ffff:ffff".parse().unwrap(), now).is_some());
        for network in 0..3 * REMEMBERED as u128 {
            tries.failed(IpAddr::V6(Ipv6Addr::from_bits(network << 64)), &[], now);
            assert!(tries.wrong.len() <= REMEMBERED);
        }
    }
}
