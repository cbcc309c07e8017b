//! From a name to addresses that may be connected to. A connection asks once, and goes to what was looked at.

use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::Arc,
};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use super::guard::Guard;
use crate::{blocking, function::grants::http::Naming};

/// Finds addresses.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// Returns the addresses of a name.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks the system, as every other program does.
pub struct SystemResolver(Arc<Semaphore>);

/// Names looked up at once. Each takes a thread, which nobody can stop.
const LOOKUPS: usize = 32;

impl Default for SystemResolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS)))
    }
}

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let place = self.0.clone().acquire_owned().await.map_err(io::Error::other)?;
        let host = host.to_owned();
        let look_up = move || {
            let found = (host.as_str(), 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect());
            drop(place);
            found
        };
        blocking::run(look_up).await.unwrap_or_else(|| Err(io::Error::other("the lookup failed")))
    }
}

/// A name without an address.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoAddress(String);

/// What a client asks, which then connects to nothing else.
#[derive(Clone)]
pub struct GuardedResolver {
    /// Who finds addresses.
    pub resolver: Arc<dyn Resolver>,
    /// Who looks at them; none where only the name of a proxy is asked for.
    pub guard: Option<(Arc<Guard>, Naming)>,
}

impl GuardedResolver {
    async fn addresses(self, host: &str) -> Result<Addrs, Box<dyn Error + Send + Sync>> {
        let found = self.resolver.resolve(host).await.map_err(|error| NoAddress(plain(&error)))?;
        if found.is_empty() {
            return Err(NoAddress("it has no address".into()).into());
        }
        if let Some((guard, named)) = &self.guard {
            // One that is not public may be meant to be reached in another try.
            found.iter().try_for_each(|address| guard.check(host, *address, *named))?;
        }
        // The port of the URL takes the place of 0.
        Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address.to_canonical(), 0))))
    }
}

/// What the system says begins with the name of its function.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("failed to lookup address information: ").map_or(text.clone(), str::to_owned)
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move { this.addresses(name.as_str()).await })
    }
}
