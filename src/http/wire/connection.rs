//! Connections: how many, how long their clients may take, and how they end when the node stops.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Request;
use http_body_util::Either;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Instant, Sleep},
};
use tokio_util::sync::CancellationToken;

use crate::http::{
    app::App,
    face::Face,
    service,
    settings::HttpSettings,
    wire::{
        nonsense::Nonsense,
        places::{ConnectionPlace, ConnectionPlaces, Progress, Received, Streamed},
        timer::Timer,
    },
};

/// After the system refused a connection (no more file handles, say), wait so long before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// It is over when connections were accepted for so long: each that is ended to make room lets just one in.
const REFUSED_FOR: Duration = Duration::from_secs(2);

/// A client that is answered before all of its request was read gets so long to notice. What arrives at a closed connection would have the
/// system throw away the answer that is under way.
const LINGER: Duration = Duration::from_secs(2);

/// A response up to this many bytes is sent as one part.
const SMALL: usize = 1024;

/// Headers that hyper reads without asking for memory.
const FREE_HEADERS: usize = 100;

/// Serves connections until told to stop. Then takes no more, lets each end what it is at, and returns; `app.connections` says when all have
/// ended.
pub async fn serve(listener: TcpListener, app: Arc<App>, face: Face, stop: CancellationToken) {
    let places = ConnectionPlaces::new(app.settings.max_connections);
    let nonsense = Arc::new(Nonsense::default());
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(app.settings.header_timeout)
        // Without `pipeline_flush`: it would hold back the answer to a malformed head as long as the rest of it is not read.
        .max_buf_size(app.settings.max_head_bytes.max(8 * 1024));
    if app.settings.max_headers != FREE_HEADERS {
        builder.max_headers(app.settings.max_headers);
    }
    let mut refused_at: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if refused_at.replace(Instant::now()).is_none() {
                    tracing::warn!("cannot accept connections, and tries again: {error}");
                }
                if [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error())) {
                    places.end_one();
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if refused_at.take_if(|at| at.elapsed() >= REFUSED_FOR).is_some() {
            tracing::info!("connections are accepted again");
        }
        let held = tokio::select! {
            () = stop.cancelled() => return,
            held = places.take(peer.ip()) => held,
        };
        let place = held.place();
        let connection = connection(builder.clone(), stream, peer, place.clone(), app.clone(), face, stop.clone());
        let nonsense = nonsense.clone();
        let task = app.connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("connection of {peer}: {error}");
                if error.is_parse() {
                    nonsense.came_from(peer, &error);
                }
            }
            drop(held);
        });
        place.ends_by(task.abort_handle());
    }
}

async fn connection(
    mut builder: http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    place: Arc<ConnectionPlace>,
    app: Arc<App>,
    face: Face,
    stop: CancellationToken,
) -> hyper::Result<()> {
    // Small answers must not wait for a full packet.
    let _ = stream.set_nodelay(true);
    let stream = Patient::new(stream, place.clone(), &app.settings);
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, place) = (app.clone(), place.clone());
        async move {
            let client = app.settings.proxies.client(peer, request.headers());
            let answer = service::answer(app, face, request.map(|body| Received::new(body, &place)), client).await;
            Ok::<_, Infallible>(answer.map(|body| match body {
                Either::Left(whole) => {
                    place.waits();
                    Either::Left(whole)
                }
                Either::Right(body) => Either::Right(axum::body::Body::new(Streamed::new(body, place))),
            }))
        }
    });
    let mut connection = std::pin::pin!(builder.timer(Timer::default()).serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

/// A connection whose client must take what it is sent, and not too slowly.
struct Patient {
    stream: TcpStream,
    progress: Progress,
    limit: Duration,
    /// The least that a client must take within `limit`.
    least_bytes: u64,
    /// From when a write had to wait for the client until all is taken.
    stuck: Option<Stuck>,
    /// From when all was said to a client that is still sending.
    lingers: Option<Pin<Box<Sleep>>>,
    place: Arc<ConnectionPlace>,
}

struct Stuck {
    timer: Pin<Box<Sleep>>,
    taken_bytes: u64,
}

impl Patient {
    fn new(stream: TcpStream, place: Arc<ConnectionPlace>, settings: &HttpSettings) -> Self {
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
        let stuck = self.stuck.get_or_insert_with(|| Stuck { timer: Box::pin(tokio::time::sleep(limit)), taken_bytes: 0 });
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

impl Drop for Patient {
    fn drop(&mut self) {
        // The system would go on for hours to bring away what the client did not take.
        if self.stuck.is_some() {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Patient {
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
            let mut nobody_s = [0; 16 * 1024];
            let mut buffer = ReadBuf::new(&mut nobody_s);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}
