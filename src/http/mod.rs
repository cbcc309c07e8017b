//! Requests in, responses out: connections with their limits, the functions' own URLs, and the reserved ones. Knows nothing of Rhai.

mod admin;
mod admission;
mod archive;
mod audit;
mod auth;
mod connection;
mod control;
mod function;
mod git;
mod places;
mod preview;
mod problem;
mod timer;
mod tokens;
mod webhook;

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{Either, Full};
use serde::Deserialize;

pub use auth::Auth;
pub use connection::serve;
pub use function::record_abandoned;
use places::Received;
use problem::Problem;
pub use webhook::Webhook;

use crate::{
    clock::Ids,
    executor::SharedExecutor,
    live::Live,
    source::git::serve::Hosted,
    store::journal::Journal,
    sync::{archive::Archive, orders::SyncHandle},
};

/// How requests come in.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Shows authors what went wrong in their script, in the response.
    pub dev: bool,
    /// Earlier deployments and other branches answer anybody, and not only those with a token.
    pub previews_open: bool,
    /// A host name with `{branch}` in it, under which other branches answer at the functions' own paths.
    pub preview_host: Option<String>,
    /// Connections at the same time; beyond it a newcomer gets the place of the client that is waited for longest.
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
}

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
        }
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

/// What requests need of the node.
pub struct App {
    /// How requests come in.
    pub settings: Settings,
    /// What is live.
    pub live: Arc<Live>,
    /// What was live.
    pub archive: Archive,
    /// Who runs functions.
    pub executor: SharedExecutor,
    /// Where executions are recorded.
    pub journal: Journal,
    /// Which of them.
    pub recording: Recording,
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
    /// Who may say from outside that the source has changed, if anybody may.
    pub webhook: Option<Webhook>,
}

/// An answer: whole bytes from functions, anything from the reserved URLs.
pub type Answer = Response<Either<Full<Bytes>, Body>>;

const REQUEST_ID: http::HeaderName = http::HeaderName::from_static("x-request-id");

impl App {
    /// Answers one request.
    async fn answer(self: Arc<Self>, request: Request<Received>, peer: SocketAddr) -> Result<Answer, Infallible> {
        let path = request.uri().path();
        if control::is_reserved(path) {
            Ok(control::answer(self, request, peer).await)
        } else if let Some(label) = preview::label(&self, &request) {
            Ok(preview::answer_at(&self, &label, request, peer).await)
        } else {
            Ok(function::answer(&self, request, peer).await)
        }
    }
}

/// Returns the caller's id for the request if it sent a sane one: up to 128 visible ASCII characters.
fn request_id(headers: &http::HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(&REQUEST_ID)?;
    let sane = (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
    sane.then(|| id.clone())
}
