//! Requests in, responses out: connections with their limits, the functions' own URLs, and the reserved ones. Knows nothing of Rhai.

mod api;
mod auth;
mod call;
mod git;
mod metrics;
mod problem;
mod reserved;
mod webhook;
mod wire;

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{Either, Full};
use serde::Deserialize;
use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use auth::Auth;
use call::preview;
pub use call::{admission::Runner, record_abandoned};
pub use metrics::Counts;
use problem::Problem;
pub use webhook::Webhook;
pub use wire::{
    connection::serve,
    forwarded::{ForwardedHeader, Network, Proxies},
};
use wire::{head, places::Received};

use crate::{
    clock::Ids,
    execution::{Execution, Outcome},
    function::{Cors, Limits, reserved::is_reserved},
    live::Live,
    source::git::{PreviewHost, serve::Hosted},
    store::{Store, journal::Journal},
    sync::{archive::Archive, orders::SyncHandle},
    trace::Tracer,
};

/// How requests come in.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Whose word about clients is taken.
    pub proxies: Proxies,
    /// Where the control plane is, if it has an address of its own.
    pub admin_listen: Option<SocketAddr>,
    /// The metrics are told to anybody, and not only to those with a token.
    pub metrics_open: bool,
    /// Shows authors what went wrong in their script, in the response.
    pub dev: bool,
    /// Earlier deployments and other branches answer anybody, and not only those with a token.
    pub previews_open: bool,
    /// A host name with `{branch}` in it, under which other branches answer at the functions' own paths.
    pub preview_host: Option<PreviewHost>,
    /// Connections at the same time, at each address; beyond it a newcomer gets the place of the client that is waited for longest.
    pub max_connections: usize,
    /// Bytes of a request's line and headers.
    pub max_head_bytes: usize,
    /// Headers of a request.
    pub max_headers: usize,
    /// From the first byte of a connection, or the end of its last response, to the end of the next request's headers.
    pub header_timeout: Duration,
    /// From the headers to the end of the body.
    pub body_timeout: Duration,
    /// For a client to take the next part of a response.
    pub write_timeout: Duration,
    /// What a client must send of a push, or take of a response, on average over each of these times, in bytes a second.
    pub min_rate_bytes: u64,
    /// Those who follow executions at the same time.
    pub max_tails: usize,
    /// Executions a second that one of them is told; more are counted.
    pub tail_rate: u32,
    /// Which pages of other origins may call functions that say nothing of it.
    pub cors: Option<Cors>,
}

/// The most headers that a configuration may allow; a [`http::HeaderMap`] panics at some 24,000.
pub const MOST_HEADERS: u64 = 10_000;

impl Settings {
    /// Returns what a client must send or take in such a time, so that it is waited for longer.
    fn least_bytes_within(&self, time: Duration) -> u64 {
        ((self.min_rate_bytes as f64 * time.as_secs_f64()) as u64).max(1)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            proxies: Proxies::default(),
            admin_listen: None,
            metrics_open: false,
            dev: false,
            previews_open: false,
            preview_host: None,
            max_connections: 4_096,
            max_head_bytes: 64 * 1024,
            max_headers: 100,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            min_rate_bytes: 1_024,
            max_tails: 64,
            tail_rate: 100,
            cors: None,
        }
    }
}

/// Which of its URLs a node answers at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// All of them: it has one address.
    Whole,
    /// Those of functions, and of its own those that ask for no token. The others are as if they did not exist.
    Public,
    /// Its own, but none that runs what is live.
    Control,
}

impl Face {
    /// Returns whether earlier deployments and other branches answer here. They ask for a token, unless they are open.
    fn has_previews(self, settings: &Settings) -> bool {
        self != Self::Public || settings.previews_open
    }
}

/// Which executions are handed to the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recording {
    /// Every one.
    #[default]
    All,
    /// Those that failed.
    Failed,
    /// None.
    None,
}

impl Recording {
    /// Returns whether this one is among them.
    fn takes(self, execution: &Execution) -> bool {
        match self {
            Self::All => true,
            Self::Failed => execution.outcome != Outcome::Ok || execution.status >= 500,
            Self::None => false,
        }
    }
}

/// Which requests are kept with their executions, to be run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capturing {
    /// Those of every function that does not say otherwise.
    pub all: bool,
    /// Bytes of the largest body that is kept.
    pub max_body_bytes: usize,
}

impl Default for Capturing {
    fn default() -> Self {
        Self { all: false, max_body_bytes: 64 * 1024 }
    }
}

/// What requests need of the node.
pub struct App {
    /// How requests come in.
    pub settings: Settings,
    /// What is live.
    pub live: Arc<Live>,
    /// What was live.
    pub archive: Archive,
    /// Who runs functions.
    pub executor: Runner,
    /// Where executions are recorded.
    pub journal: Journal,
    /// Which of them.
    pub recording: Recording,
    /// Which requests are kept to be run again.
    pub capturing: Capturing,
    /// What a run may use where a front-matter is silent.
    pub limits: Limits,
    /// Makes execution ids.
    pub ids: Arc<Ids>,
    /// Decides what is live.
    pub sync: SyncHandle,
    /// Knows who may do what.
    pub auth: Auth,
    /// The repository that is pushed to here.
    pub git: Option<Arc<Hosted>>,
    /// Where functions come from, for people.
    pub source: String,
    /// Where deployments and executions are kept, for people; without a password.
    pub database: String,
    /// The same, once it has been reached.
    pub store: watch::Receiver<Option<Store>>,
    /// Bytes of one function file.
    pub max_file_bytes: usize,
    /// Places for those who follow executions.
    pub tails: Arc<Semaphore>,
    /// The node stops: what has no end of its own ends.
    pub stop: CancellationToken,
    /// Who may say from outside that the source has changed, if anybody may.
    pub webhook: Option<Webhook>,
    /// What is counted of the node as a whole.
    pub counts: Counts,
    /// The connections that are open, at every address.
    pub connections: TaskTracker,
    /// Traces requests, if anybody wants them traced.
    pub tracer: Option<Tracer>,
}

/// An answer: whole bytes from functions, anything from the reserved URLs.
pub type Answer = Response<Either<Full<Bytes>, Body>>;

const REQUEST_ID: http::HeaderName = http::HeaderName::from_static("x-request-id");

impl App {
    /// Answers one request.
    async fn answer(self: Arc<Self>, face: Face, request: Request<Received>, peer: SocketAddr) -> Result<Answer, Infallible> {
        if let Some(answer) = head::answer(&request) {
            return Ok(answer);
        }
        let path = request.uri().path();
        if is_reserved(path) {
            return Ok(reserved::answer(self, face, request, peer).await);
        }
        Ok(match preview::label(&self, &request) {
            Some(label) if face.has_previews(&self.settings) => preview::answer_at(&self, &label, request, peer).await,
            None if face != Face::Control => call::answer(&self, request, peer).await,
            _ => Problem::NotFound.answer(None, false),
        })
    }
}

/// Returns the caller's id for the request if it sent a sane one: up to 128 visible ASCII characters.
fn request_id(headers: &http::HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(&REQUEST_ID)?;
    let sane = (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
    sane.then(|| id.clone())
}
