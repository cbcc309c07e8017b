//! Connections: how many, how long their clients may take, and how they end when the node stops.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use http::Request;
use http_body_util::Either;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::http::{
    app::App,
    face::Face,
    service,
    settings::HttpSettings,
    wire::{
        nonsense::Nonsense,
        places::{ConnectionPlace, ConnectionPlaces},
        progress::{RequestBody, StreamedBody},
        stream::ClientStream,
        timer::Timer,
    },
};

/// After the system refused a connection (no more file handles, say), wait so long before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// It is over when connections were accepted for so long: each that is ended to make room lets just one in.
const REFUSED_FOR: Duration = Duration::from_secs(2);

/// Headers that hyper reads without asking for memory.
const FREE_HEADERS: usize = 100;

/// Serves connections until told to stop. Then takes no more, lets each end what it is at, and returns; `app.connections` says when all have
/// ended.
pub async fn serve(listener: TcpListener, app: Arc<App>, face: Face, stop: CancellationToken) {
    let places = ConnectionPlaces::new(app.settings.max_connections);
    let nonsense = Arc::new(Nonsense::default());
    let builder = builder(&app.settings);
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
                if lacks_files(&error) {
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

/// Returns how requests are read within the limits of the node.
fn builder(settings: &HttpSettings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(settings.header_timeout)
        // Without `pipeline_flush`: it would hold back the answer to a malformed head as long as the rest of it is not read.
        .max_buf_size(settings.max_head_bytes.max(8 * 1024));
    if settings.max_headers != FREE_HEADERS {
        builder.max_headers(settings.max_headers);
    }
    builder
}

/// Returns whether there are too many open files, so that ending a connection helps.
fn lacks_files(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
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
    let stream = ClientStream::new(stream, place.clone(), &app.settings);
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, place) = (app.clone(), place.clone());
        async move {
            let client = app.settings.proxies.client(peer, request.headers());
            let answer = service::answer(app, face, request.map(|body| RequestBody::new(body, &place)), client).await;
            Ok::<_, Infallible>(answer.map(|body| match body {
                Either::Left(whole) => {
                    place.waits();
                    Either::Left(whole)
                }
                Either::Right(body) => Either::Right(axum::body::Body::new(StreamedBody::new(body, place))),
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
