//! What goes on for ever, as server-sent events: how much of it there is, and when it ends.

pub mod executions;
pub mod status;

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse as _, Response},
};
use futures_util::{Stream, StreamExt as _};
use http::header;
use serde::Serialize;
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::sleep_until,
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::monotonic,
    http::{caller::Grant, problem::Problem},
};

/// Where nothing happens something is sent so often, so that both sides notice when the other has gone.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After so long a client has to come again, so that a token that was revoked elsewhere is good for no longer than this.
const LIFETIME: Duration = Duration::from_secs(900);
/// What is sent at first: a comment, and after how many milliseconds a browser comes again.
const BEGIN: &str = ": following\nretry: 1000\n\n";

/// The place of somebody who follows, and what ends it.
pub struct Hold {
    ends_at: Instant,
    stop: CancellationToken,
    /// Tells when this node revokes a token or ends a session. Everybody has to come again then: that is seldom, and nobody is forgotten.
    revocations: watch::Receiver<()>,
    _place: OwnedSemaphorePermit,
}

impl Hold {
    /// Takes a place, if there is one.
    pub fn take(grant: &Grant) -> Result<Self, Problem> {
        let app = &grant.app;
        let place = app.tails.clone().try_acquire_owned().map_err(|_| Problem::TailsBusy { limit: app.settings.max_tails })?;
        let remaining = |ends_us: i64| Duration::from_micros(ends_us.saturating_sub(app.ids.now_us()).max(0).unsigned_abs());
        let lifetime = grant.ends_us().map_or(LIFETIME, |ends_us| remaining(ends_us).min(LIFETIME));
        let (stop, revocations) = (app.stop.clone(), app.auth.revocations());
        Ok(Self { ends_at: monotonic() + lifetime, stop, revocations, _place: place })
    }

    /// Waits until it is over, and returns why.
    async fn over(&mut self) -> &'static str {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => "the node stops",
            Ok(()) = self.revocations.changed() => "come again: a token was revoked, or somebody signed out",
            () = sleep_until(self.ends_at.into()) => "come again: a token is looked at every 15 minutes, and when it expires",
        }
    }
}

/// Writes an event without an id.
fn event(name: &str, data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).expect("plain data with text keys always is JSON");
    format!("event: {name}\ndata: {data}\n\n")
}

/// Answers with events. They are made when the client's connection takes more.
pub fn answer(texts: impl Stream<Item = String> + Send + 'static) -> Response {
    let body = Body::from_stream(texts.map(|text| Ok::<_, Infallible>(Bytes::from(text))));
    ([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")], body).into_response()
}
