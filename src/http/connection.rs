//! Connections: how many, how long their clients may take, and how they end when the node stops.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, Sleep},
};
use tokio_util::sync::CancellationToken;

use super::{App, Face};

/// After the system refused a connection (no more file handles, say), wait so long before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves connections until told to stop. Then takes no more, lets each end what it is at, and returns; `app.connections` says when all have
/// ended.
pub async fn serve(listener: TcpListener, app: Arc<App>, face: Face, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(app.settings.max_connections));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(app.settings.header_timeout)
        // Without `pipeline_flush`: it would hold back the answer to a malformed head as long as the rest of it is not read.
        .max_buf_size(app.settings.max_head_bytes.max(8 * 1024));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            place = places.clone().acquire_owned() => tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted.map(|connection| (connection, place)),
            },
        };
        match accepted {
            Ok(((stream, peer), place)) => {
                let connection = connection(builder.clone(), stream, peer, app.clone(), face, stop.clone());
                app.connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(builder: http1::Builder, stream: TcpStream, peer: SocketAddr, app: Arc<App>, face: Face, stop: CancellationToken) {
    // Small answers must not wait for a full packet.
    let _ = stream.set_nodelay(true);
    let stream = Patient { stream, limit: app.settings.write_timeout, stuck: None };
    let service = service_fn(move |request| app.clone().answer(face, request, peer));
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("connection of {peer}: {error}");
    }
}

/// A connection whose client must take what it is sent within a limit.
struct Patient {
    stream: TcpStream,
    limit: Duration,
    /// Runs while a write waits for the client.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    /// Starts the timer when a write has to wait, and forgets it when one gets through.
    fn watch<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let limit = self.limit;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limit)));
        match stuck.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
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
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
