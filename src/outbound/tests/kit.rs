//! Servers, a resolver whose answers change, and a client that may reach this machine.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::super::{Outbound, OutboundSettings, resolve::Resolver};
use crate::{
    capability::http::{ErrorKind, HttpClient as _, OutboundError, OutboundRequest, OutboundResponse},
    function::{FunctionName, grants::http::AllowList},
};

/// A server on this machine, until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    /// Connections so far.
    pub connections: Arc<AtomicUsize>,
    /// Requests so far, with their bodies.
    pub requests: Requests,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Requests = Arc<Mutex<Vec<Request<Bytes>>>>;

pub type Reply = Response<Full<Bytes>>;

impl Server {
    /// Answers requests by HTTP/1.
    pub async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(Request<Bytes>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Reply> + Send + 'static,
    {
        let requests = Requests::default();
        let seen = requests.clone();
        Self::with(requests, move |stream| serve(stream, false, answer.clone(), seen.clone())).await
    }

    /// The same by TLS, with these protocols to choose from, for `a.test` and `b.test`.
    pub async fn tls<F, A>(protocols: &[&str], answer: F) -> Self
    where
        F: Fn(Request<Bytes>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Reply> + Send + 'static,
    {
        let acceptor = TlsAcceptor::from(Arc::new(server_config(protocols)));
        let requests = Requests::default();
        let seen = requests.clone();
        let handle = move |stream| {
            let (acceptor, answer, seen) = (acceptor.clone(), answer.clone(), seen.clone());
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let is_http_2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    serve(stream, is_http_2, answer, seen).await;
                }
            }
        };
        Self::with(requests, handle).await
    }

    /// Does with connections what a test likes.
    pub async fn raw<F, A>(handle: F) -> Self
    where
        F: Fn(TcpStream) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        Self::with(Requests::default(), handle).await
    }

    async fn with<F, A>(requests: Requests, handle: F) -> Self
    where
        F: Fn(TcpStream) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, connections) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let counted = connections.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(handle(stream));
            }
        });
        Self { address, connections, requests, task }
    }

    /// Returns a URL of it under this name or address.
    pub fn url(&self, scheme: &str, host: &str, path: &str) -> String {
        format!("{scheme}://{host}:{}{path}", self.address.port())
    }

    /// Returns a URL of it by its address.
    pub fn at(&self, path: &str) -> String {
        self.url("http", "127.0.0.1", path)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Returns the requests so far, in short: `GET /a`.
    pub fn lines(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|request| format!("{} {}", request.method(), request.uri().path())).collect()
    }
}

async fn serve<F, A>(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, is_http_2: bool, answer: F, seen: Requests)
where
    F: Fn(Request<Bytes>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Reply> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let (answer, seen) = (answer.clone(), seen.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let request = Request::from_parts(head, body);
            seen.lock().unwrap().push(request.clone());
            Ok::<_, hyper::Error>(answer(request).await)
        }
    });
    let stream = TokioIo::new(stream);
    let _ = match is_http_2 {
        true => http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await,
        false => http1::Builder::new().serve_connection(stream, service).await,
    };
}

fn server_config(protocols: &[&str]) -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("server.key")).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config
}

/// Trusts the authority of these servers.
pub fn our_authority() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(include_bytes!("authority.pem")).unwrap()).unwrap();
    roots
}

pub fn ok(body: impl Into<Bytes>) -> Reply {
    Response::new(Full::new(body.into()))
}

pub fn status(status: u16) -> Reply {
    Response::builder().status(status).body(Full::default()).unwrap()
}

pub fn redirect(code: u16, to: &str) -> Reply {
    Response::builder().status(code).header("location", to).body(Full::default()).unwrap()
}

/// Gives the answers that a test put in, one after the other; the last one stays.
#[derive(Default)]
pub struct Names {
    answers: Mutex<HashMap<&'static str, VecDeque<Vec<IpAddr>>>>,
    pub asked: AtomicUsize,
}

impl Names {
    /// An empty answer is an error.
    pub fn of<const N: usize>(answers: [(&'static str, &[&[&str]]); N]) -> Arc<Self> {
        let parsed = |answers: &[&[&str]]| answers.iter().map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect()).collect();
        let answers = answers.into_iter().map(|(name, answers)| (name, parsed(answers))).collect();
        Arc::new(Self { answers: Mutex::new(answers), asked: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let left = answers.get_mut(host).ok_or_else(|| io::Error::other("no such name"))?;
        let answer = if left.len() > 1 { left.pop_front() } else { left.front().cloned() };
        answer.filter(|answer| !answer.is_empty()).ok_or_else(|| io::Error::other("no such name"))
    }
}

/// A client that may reach 127.0.0.1 and no other address of this machine.
pub fn settings() -> OutboundSettings {
    OutboundSettings { private: vec!["127.0.0.1".parse().unwrap()], ..OutboundSettings::default() }
}

pub fn client() -> Outbound {
    with_names(settings(), Names::of([]))
}

pub fn with_names(settings: OutboundSettings, names: Arc<Names>) -> Outbound {
    Outbound::with(settings, names, our_authority)
}

pub fn request(method: &str, url: &str) -> OutboundRequest {
    OutboundRequest::new(method, url, Duration::from_secs(20), 1 << 20).unwrap()
}

pub fn allow(entries: &[&str]) -> AllowList {
    serde_json::from_value(entries.into()).unwrap()
}

/// Sends a request to a place that the function's list names, and nothing else.
pub async fn send(client: &Outbound, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
    let place = crate::function::grants::http::origin_of(request.url());
    send_if(client, &[&place], request).await
}

pub async fn send_if(client: &Outbound, entries: &[&str], request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
    client.send(&FunctionName::new("f"), &allow(entries), request).await
}

/// Asserts what went wrong, and that the message says so.
pub fn assert_fails(result: Result<OutboundResponse, OutboundError>, kind: ErrorKind, says: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind, kind, "{error}");
    assert!(error.message.contains(says), "{error}");
}

/// Waits until something is so.
pub async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it should be so by now");
}
