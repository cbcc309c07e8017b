//! Bodies on their way: while one comes or goes, its connection's place knows who waits for whom.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::places::ConnectionPlace;

/// A client that has sent or taken so much is waited for from now on: it is at work, however long that takes as a whole.
const PROGRESS_BYTES: usize = 16 * 1024;

/// Counts what a client sends or takes.
pub struct Progress {
    place: Arc<ConnectionPlace>,
    bytes: usize,
}

impl Progress {
    /// Begins to count.
    pub fn of(place: Arc<ConnectionPlace>) -> Self {
        Self { place, bytes: 0 }
    }

    /// Counts more. Each large part is a step after which the client is waited for anew.
    pub fn count(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes >= PROGRESS_BYTES {
            self.bytes = 0;
            if self.place.is_waiting() {
                self.place.waits();
            }
        }
    }
}

/// A request's body. While it comes, the client is waited for.
pub struct RequestBody {
    body: Incoming,
    /// Until its end.
    progress: Option<Progress>,
}

impl RequestBody {
    /// Begins the work on a request, which may have to wait for its body.
    pub fn new(body: Incoming, place: &Arc<ConnectionPlace>) -> Self {
        if body.is_end_stream() {
            place.is_worked_for();
            return Self { body, progress: None };
        }
        place.waits();
        Self { body, progress: Some(Progress::of(place.clone())) }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(progress) = &self.progress {
            progress.place.leaves_unread();
        }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let has_ended = polled.is_ready() && (self.body.is_end_stream() || !matches!(polled, Poll::Ready(Some(Ok(_)))));
        if let (Poll::Ready(Some(Ok(frame))), Some(progress)) = (&polled, &mut self.progress) {
            progress.count(frame.data_ref().map_or(0, Bytes::len));
        }
        if has_ended && let Some(progress) = self.progress.take() {
            progress.place.is_worked_for();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer that is made while it is sent. Until its end the client is worked for.
pub struct StreamedBody {
    body: Body,
    place: Arc<ConnectionPlace>,
}

impl StreamedBody {
    /// Wraps an answer's body.
    pub fn new(body: Body, place: Arc<ConnectionPlace>) -> Self {
        Self { body, place }
    }
}

impl http_body::Body for StreamedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for StreamedBody {
    fn drop(&mut self) {
        self.place.waits();
    }
}
