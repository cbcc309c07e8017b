//! Requests of functions to other services. Each hop of each request goes through the same: the function's list, the address, a place, a time.

mod failure;
mod guard;
mod hop;
mod places;
mod pools;
mod redirect;
mod resolve;
mod retry;
mod settings;
#[cfg(test)]
mod tests;
mod tls;

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rustls::RootCertStore;
use tokio::time::timeout;

use crate::{
    blocking::as_task,
    capability::http::{ErrorKind, HttpClient, OutboundError, OutboundRequest, OutboundResponse},
    clock::monotonic,
    function::{FunctionName, grants::http::AllowList, quantity::Span},
};
use guard::Guard;
use hop::{Answer, Hop};
use places::Places;
use pools::Pools;
use resolve::{Resolver, SystemResolver};
pub use settings::{OutboundSettings, ProxyUrl};

/// Sends requests of functions.
pub struct Outbound(Arc<Client>);

struct Client {
    settings: OutboundSettings,
    guard: Arc<Guard>,
    resolver: Arc<dyn Resolver>,
    roots: fn() -> RootCertStore,
    /// Made by the first request: a node whose functions send none reads no certificates.
    pools: OnceLock<Result<Pools, String>>,
    places: Places,
}

impl Outbound {
    /// Makes a client that asks the system for addresses, and trusts whom the system trusts.
    pub fn new(settings: OutboundSettings) -> Self {
        Self::with(settings, Arc::new(SystemResolver::default()), tls::native_roots)
    }

    fn with(settings: OutboundSettings, resolver: Arc<dyn Resolver>, roots: fn() -> RootCertStore) -> Self {
        Self(Arc::new(Client {
            guard: Arc::new(Guard::new(settings.private.clone())),
            places: Places::new(settings.max_requests, settings.max_requests_per_function),
            pools: OnceLock::new(),
            settings,
            resolver,
            roots,
        }))
    }
}

impl Client {
    fn pools(&self) -> Result<&Pools, OutboundError> {
        let make = || {
            let tls = tls::client_config((self.roots)());
            Pools::new(&self.settings, &self.guard, &self.resolver, &tls).map_err(|error| error.to_string())
        };
        let made = self.pools.get_or_init(make).as_ref();
        made.map_err(|why| OutboundError::new(ErrorKind::Connect, format!("this node can send no requests: {why}")))
    }

    /// Sends a request, and what redirects ask for.
    async fn follow(&self, allowed: &AllowList, request: &OutboundRequest, began: Instant) -> Result<(Hop, Answer), OutboundError> {
        let (mut hop, mut redirects, mut retries) = (Hop::first(request), 0, 0);
        loop {
            let answer = self.deliver(allowed, request, &hop, &mut retries, began).await?;
            let Some(location) = answer.location().filter(|_| request.redirects > 0) else { return Ok((hop, answer)) };
            if redirects == request.redirects {
                let message = format!("`{}` redirects once more, after {redirects} redirects", host_of(&hop));
                return Err(OutboundError::new(ErrorKind::Redirect, message));
            }
            redirects += 1;
            hop = redirect::next(&hop, &answer, location)?;
        }
    }

    /// Sends one hop, again where that is asked for and safe. All hops of a request share its further tries.
    async fn deliver(
        &self,
        allowed: &AllowList,
        request: &OutboundRequest,
        hop: &Hop,
        retries: &mut u32,
        began: Instant,
    ) -> Result<Answer, OutboundError> {
        let max_bytes = request.max_response_bytes.min(self.settings.max_response_bytes);
        loop {
            let result = self.send_hop(allowed, hop, max_bytes, request.redirects > 0).await;
            let wait = retry::wait(&hop.method, &result, *retries);
            // What cannot come in time is not waited for.
            let wait = wait.filter(|wait| *retries < request.retries && *wait < left(request, began));
            let Some(wait) = wait else { return result };
            *retries += 1;
            tokio::time::sleep(wait).await;
        }
    }

    async fn send_hop(&self, allowed: &AllowList, hop: &Hop, max_bytes: usize, follows: bool) -> Result<Answer, OutboundError> {
        let blocked = |why: String| OutboundError::new(ErrorKind::Blocked, why);
        let named = allowed.find(&hop.url).map_err(|why| blocked(format!("{why}; {}", why.hint())))?;
        self.guard.check_literal(&hop.url, named).map_err(|why| blocked(why.to_string()))?;
        hop.send(self.pools()?.client(named), max_bytes, follows).await
    }

    async fn send(
        &self,
        function: &FunctionName,
        allowed: &AllowList,
        request: OutboundRequest,
    ) -> Result<OutboundResponse, OutboundError> {
        let began = monotonic();
        let _place = timeout(request.timeout, self.places.take(function)).await.map_err(|_| self.no_place(request.timeout))?;
        let late = |_| {
            let host = request.url().host_str().unwrap_or_default();
            OutboundError::new(ErrorKind::Timeout, format!("`{host}` gave no whole answer within {}", Span(request.timeout)))
        };
        let (hop, answer) = timeout(left(&request, began), self.follow(allowed, &request, began)).await.map_err(late)??;
        let headers = answer.headers.iter();
        Ok(OutboundResponse {
            status: answer.status.as_u16(),
            headers: headers.map(|(name, value)| (name.as_str().into(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect(),
            body: answer.body,
            url: hop.shown.into(),
            ms: began.elapsed().as_millis() as u64,
        })
    }

    fn no_place(&self, waited: Duration) -> OutboundError {
        let OutboundSettings { max_requests, max_requests_per_function, .. } = self.settings;
        let message = format!(
            "no place within {} for another request: {max_requests_per_function} of the function or {max_requests} of the node are under way",
            Span(waited)
        );
        OutboundError::new(ErrorKind::Timeout, message)
    }
}

#[async_trait]
impl HttpClient for Outbound {
    async fn send(
        &self,
        function: &FunctionName,
        allowed: &AllowList,
        request: OutboundRequest,
    ) -> Result<OutboundResponse, OutboundError> {
        let (client, function, allowed) = (self.0.clone(), function.clone(), allowed.clone());
        as_task(async move { client.send(&function, &allowed, request).await }).await
    }
}

/// Returns the time that a request has left.
fn left(request: &OutboundRequest, began: Instant) -> Duration {
    request.timeout.saturating_sub(began.elapsed())
}

fn host_of(hop: &Hop) -> &str {
    hop.url.host_str().unwrap_or_default()
}
