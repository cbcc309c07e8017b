//! The hosted repository over HTTP: git's smart protocol. What git shows its user is plain text.

use std::{
    io::{Error, ErrorKind},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use async_compression::tokio::bufread::GzipDecoder;
use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead};
use tokio_util::io::StreamReader;

use crate::{
    clock::monotonic,
    function::reserved::REPOSITORY,
    http::{
        app::App,
        auth::Way,
        caller::{Anybody, Caller, Deploy, Grant, GuardedApp, Read},
        problem::{Problem, git::GitRefusal},
        settings::HttpSettings,
        wire::body::BodyError,
    },
    source::git::backend::{Client, Service},
};

/// A problem as git shows it.
struct GitProblem(Problem);

impl<P: Into<Problem>> From<P> for GitProblem {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for GitProblem {
    fn into_response(self) -> Response {
        self.0.answer_git().map(Body::new)
    }
}

/// The URLs of the repository.
pub fn routes() -> Router<GuardedApp> {
    let serves = |service| {
        post(move |Anybody(app): Anybody, ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request<Body>| {
            serve(app, peer, service, request)
        })
    };
    let url = |rest: &str| format!("{REPOSITORY}{rest}");
    Router::new()
        .route(&url("/info/refs"), get(advertise))
        .route(&url("/git-upload-pack"), serves(Service::UploadPack))
        .route(&url("/git-receive-pack"), serves(Service::ReceivePack))
        .route(&url("/info/lfs/{*order}"), any(without_lfs))
}

/// What clients of Git LFS show their users.
const NO_LFS: &str = "this node keeps no files of Git LFS: name another server for them (`git config -f .lfsconfig lfs.url URL`), or push without \
                      them (`GIT_LFS_SKIP_PUSH=1 git push …`)";

/// Answers Git LFS, which would otherwise take the repository for missing. It reads JSON of this kind, and no problems.
async fn without_lfs(Anybody(app): Anybody) -> Result<Response, GitProblem> {
    app.git.as_ref().ok_or(GitRefusal::NotHosted)?;
    let body = serde_json::json!({ "message": NO_LFS }).to_string();
    Ok((StatusCode::NOT_IMPLEMENTED, [(header::CONTENT_TYPE, "application/vnd.git-lfs+json")], body).into_response())
}

/// Tells which references there are, and what else can be asked.
async fn advertise(
    Anybody(app): Anybody,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, GitProblem> {
    let hosted = app.git.as_ref().ok_or(GitRefusal::NotHosted)?;
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let service = query.into_iter().find(|(name, _)| name == "service").and_then(|(_, name)| Service::parse(&name));
    let service = service.ok_or(GitRefusal::NoService)?;
    let grant = authorise(&app, service, &headers, peer).await?;
    let protocol = protocol(&headers);
    let references = hosted.advertise(service, Client { name: grant.name(), protocol }).await.map_err(GitRefusal::from)?;
    let mut body = Vec::new();
    // The second version of the protocol, which only fetches speak, begins without the name of the service.
    let is_second = service == Service::UploadPack && protocol.is_some_and(|protocol| protocol.split(':').any(|part| part == "version=2"));
    if !is_second {
        let line = format!("# service={}\n", service.name());
        body = format!("{:04x}{line}0000", line.len() + 4).into_bytes();
    }
    body.extend(references);
    Ok(answer(service, "advertisement", Body::from(body)))
}

/// Runs a service on what the request's body asks for.
async fn serve(app: Arc<App>, peer: SocketAddr, service: Service, request: Request<Body>) -> Result<Response, GitProblem> {
    let hosted = app.git.as_ref().ok_or(GitRefusal::NotHosted)?;
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    let grant = authorise(&app, service, &headers, peer).await?;
    let expected = format!("application/x-{}-request", service.name());
    if headers.get(header::CONTENT_TYPE).is_none_or(|sent| sent.as_bytes() != expected.as_bytes()) {
        return Err(GitRefusal::MediaType { expected }.into());
    }
    let input = input(&headers, body, Pace::new(&app.settings)).await?;
    if headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "4") {
        // Nothing but the mark of an end: before a large body git tries whether it would be let in.
        return Ok(answer(service, "result", Body::empty()));
    }
    let client = Client { name: grant.name(), protocol: protocol(&headers) };
    let answered = hosted.run(service, client, input).await.map_err(GitRefusal::from)?;
    // From here on the status is said: what goes wrong git tells inside its protocol.
    let parts = stream::unfold(answered, async |mut answered| Some((Ok::<Bytes, Error>(answered.recv().await?), answered)));
    Ok(answer(service, "result", Body::from_stream(parts)))
}

/// Which scope it takes depends on the service, and a token may come as a password: so the caller is no argument of these handlers.
async fn authorise(app: &Arc<App>, service: Service, headers: &HeaderMap, peer: SocketAddr) -> Result<Grant, GitProblem> {
    let (app, address) = (app.clone(), peer.ip());
    Ok(match service {
        Service::UploadPack => Caller::<Read>::identify(app, Way::Password, headers, address).await?.for_node()?,
        Service::ReceivePack => Caller::<Deploy>::identify(app, Way::Password, headers, address).await?.for_node()?,
    })
}

/// Returns the wish for a version of the protocol, if it can be one: it becomes a variable in the child's environment.
fn protocol(headers: &HeaderMap) -> Option<&str> {
    let wish = headers.get("git-protocol")?.to_str().ok()?;
    let is_sane = wish.len() <= 256 && wish.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=:.-_".contains(&byte));
    is_sane.then_some(wish)
}

/// Returns the body's bytes, decompressed, once the first have come. A client that waits to be told to send them must hear that before it
/// hears the status. They break off where the client sends too little for so long.
async fn input(headers: &HeaderMap, body: Body, pace: Pace) -> Result<Pin<Box<dyn AsyncRead + Send>>, GitProblem> {
    let parts = stream::try_unfold((body, pace), move |(mut body, mut pace)| async move {
        let frame = pace.next(&mut body).await?;
        // What is no data are trailers.
        Ok::<_, Error>(frame.map(|frame| (frame.into_data().unwrap_or_default(), (body, pace))))
    });
    let mut plain = Box::pin(StreamReader::new(parts));
    plain.fill_buf().await.map_err(|error| match error.kind() {
        ErrorKind::TimedOut => BodyError::Timeout,
        _ => BodyError::Broken,
    })?;
    match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(plain),
        Some(b"gzip" | b"x-gzip") => Ok(Box::pin(GzipDecoder::new(plain))),
        Some(_) => Err(GitRefusal::Encoding.into()),
    }
}

/// Waits for parts of a body as long as enough of them come. The time that git takes for them does not count.
struct Pace {
    limit: Duration,
    least_bytes: u64,
    waited: Duration,
    came_bytes: u64,
}

impl Pace {
    fn new(settings: &HttpSettings) -> Self {
        let limit = settings.body_timeout;
        Self { limit, least_bytes: settings.least_bytes_within(limit), waited: Duration::ZERO, came_bytes: 0 }
    }

    async fn next(&mut self, body: &mut Body) -> Result<Option<Frame<Bytes>>, Error> {
        let began = monotonic();
        let came = tokio::time::timeout(self.limit.saturating_sub(self.waited), body.frame()).await;
        let Some(frame) = came.map_err(|_| Error::from(ErrorKind::TimedOut))?.transpose().map_err(Error::other)? else { return Ok(None) };
        self.waited += began.elapsed();
        self.came_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        if self.came_bytes >= self.least_bytes {
            (self.waited, self.came_bytes) = (Duration::ZERO, 0);
        }
        Ok(Some(frame))
    }
}

fn answer(service: Service, kind: &str, body: Body) -> Response {
    let content_type = format!("application/x-{}-{kind}", service.name());
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache".into())], body).into_response()
}
