//! The stream of a connection, with what its client owes: to take what it is sent, and to hear the end of it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};

use super::{places::ConnectionPlace, progress::Progress};
use crate::http::settings::HttpSettings;

/// A client that is answered before all of its request was read gets so long to notice. What arrives at a closed connection would have the
/// system throw away the answer that is under way.
const LINGER: Duration = Duration::from_secs(2);

/// A response up to this many bytes is sent as one part.
const SMALL: usize = 1024;

/// A connection whose client must take what it is sent, and not too slowly.
pub struct ClientStream {
    stream: TcpStream,
    progress: Progress,
    limit: Duration,
    /// The least that a client must take within `limit`.
    least_bytes: u64,
    /// From when a write had to wait for the client until all is taken.
    stuck: Option<StuckWrite>,
    /// From when all was said to a client that is still sending.
    lingers: Option<Pin<Box<Sleep>>>,
    place: Arc<ConnectionPlace>,
}

/// A write that has to wait for the client.
struct StuckWrite {
    timer: Pin<Box<Sleep>>,
    taken_bytes: u64,
}

impl ClientStream {
    /// Wraps the stream of a connection that has this place.
    pub fn new(stream: TcpStream, place: Arc<ConnectionPlace>, settings: &HttpSettings) -> Self {
        let limit = settings.write_timeout;
        let (progress, least_bytes) = (Progress::of(place.clone()), settings.least_bytes_within(limit));
        Self { stream, progress, limit, least_bytes, stuck: None, lingers: None, place }
    }

    /// Starts the timer when a write has to wait. What gets through starts it anew only if it is enough.
    fn watch(&mut self, written: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            self.progress.count(bytes);
            if let Some(stuck) = &mut self.stuck {
                stuck.taken_bytes += bytes as u64;
            }
        }
        if written.is_ready() {
            return written;
        }
        let limit = self.limit;
        let stuck = self.stuck.get_or_insert_with(|| StuckWrite { timer: Box::pin(tokio::time::sleep(limit)), taken_bytes: 0 });
        while stuck.timer.as_mut().poll(context).is_ready() {
            if stuck.taken_bytes < self.least_bytes {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            stuck.taken_bytes = 0;
            stuck.timer.as_mut().reset(Instant::now() + limit);
        }
        Poll::Pending
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        // The system would go on for hours to bring away what the client did not take.
        if self.stuck.is_some() {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(written, context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut small = [0; SMALL];
        let written = match small.get_mut(..length) {
            // For the system one part is less work than two, by more than their copy takes.
            Some(whole) if parts.len() > 1 => {
                let mut rest = &mut *whole;
                for part in parts {
                    let (start, after) = rest.split_at_mut(part.len());
                    start.copy_from_slice(part);
                    rest = after;
                }
                Pin::new(&mut self.stream).poll_write(context, whole)
            }
            _ => Pin::new(&mut self.stream).poll_write_vectored(context, parts),
        };
        self.watch(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It is asked for when everything has been written.
        self.stuck = None;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingers.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            if !self.place.has_unread() {
                return Poll::Ready(Ok(()));
            }
        }
        let this = &mut *self;
        let timer = this.lingers.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        while timer.as_mut().poll(context).is_pending() {
            let mut discarded = [0; 16 * 1024];
            let mut buffer = ReadBuf::new(&mut discarded);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}
