use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::join_all;
use http::Version;
use rustls::RootCertStore;
use tokio::{io::AsyncReadExt as _, sync::Semaphore};

use super::kit::{Names, Server, assert_fails, client, ok, our_authority, request, send, settings, until, with_names};
use crate::{
    capability::http::{ErrorKind, HttpClient as _},
    function::FunctionName,
    outbound::{Outbound, OutboundSettings},
};

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::start(async |_| ok("body")).await;
    let client = client();
    for _ in 0..5 {
        send(&client, request("POST", &server.at("/")).text("body".into()).unwrap()).await.unwrap();
    }
    assert_eq!((server.connections(), server.lines().len()), (1, 5));
}

fn names() -> Arc<Names> {
    Names::of([("a.test", &[&["127.0.0.1"]]), ("other.test", &[&["127.0.0.1"]])])
}

#[tokio::test]
async fn many_requests_share_one_connection_by_http_2() {
    let server = Server::tls(&["h2", "http/1.1"], async |_| ok("body")).await;
    let client = with_names(settings(), names());
    let url = server.url("https", "a.test", "/");
    send(&client, request("GET", &url)).await.unwrap();
    let answers = join_all((0..20).map(|_| send(&client, request("GET", &url)))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap().body == "body"));
    assert_eq!(server.connections(), 1);
    assert!(server.requests.lock().unwrap().iter().all(|request| request.version() == Version::HTTP_2));
}

#[tokio::test]
async fn a_server_without_http_2_is_asked_by_http_1() {
    let server = Server::tls(&["http/1.1"], async |_| ok("body")).await;
    send(&with_names(settings(), names()), request("GET", &server.url("https", "a.test", "/"))).await.unwrap();
    assert_eq!(server.requests.lock().unwrap()[0].version(), Version::HTTP_11);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_or_of_another_name_is_refused() {
    let server = Server::tls(&["h2"], async |_| ok("")).await;
    let nobody = Outbound::with(settings(), names(), RootCertStore::empty);
    let sent = |host| request("GET", &server.url("https", host, "/")).header("authorization", "sesame").unwrap();
    assert_fails(
        send(&nobody, sent("a.test")).await,
        ErrorKind::Tls,
        "no safe connection to `a.test`: invalid peer certificate: UnknownIssuer",
    );
    let ours = Outbound::with(settings(), names(), our_authority);
    assert_fails(send(&ours, sent("other.test")).await, ErrorKind::Tls, "certificate not valid for name");
    let plain = Server::start(async |_| ok("")).await;
    assert_fails(send(&ours, request("GET", &plain.url("https", "a.test", "/"))).await, ErrorKind::Tls, "no safe connection");
    assert!(server.lines().is_empty() && plain.lines().is_empty());
}

#[tokio::test]
async fn a_request_that_is_dropped_ends_at_once() {
    let ended = Arc::new(Semaphore::new(0));
    let theirs = ended.clone();
    let server = Server::raw(move |mut stream| {
        let ended = theirs.clone();
        async move {
            // To the end of the connection.
            while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
            ended.add_permits(1);
        }
    })
    .await;
    let client = Arc::new(client());
    let url = server.at("/");
    let theirs = client.clone();
    let task = tokio::spawn(async move { send(&theirs, request("GET", &url)).await });
    until(|| server.connections() == 1).await;
    task.abort();
    ended.acquire().await.unwrap().forget();
}

/// A server that keeps requests until it is told, and the most that it kept at once.
struct Keeper {
    server: Server,
    kept: Arc<AtomicUsize>,
    go: Arc<Semaphore>,
}

async fn keeper() -> Keeper {
    let (kept, go) = (Arc::<AtomicUsize>::default(), Arc::new(Semaphore::new(0)));
    let (counted, told) = (kept.clone(), go.clone());
    let server = Server::start(move |_| {
        let (counted, told) = (counted.clone(), told.clone());
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            told.acquire().await.unwrap().forget();
            counted.fetch_sub(1, Ordering::SeqCst);
            ok("")
        }
    })
    .await;
    Keeper { server, kept, go }
}

#[tokio::test]
async fn more_requests_than_a_function_or_the_node_may_have_wait() {
    let Keeper { server, kept, go } = keeper().await;
    let client = Arc::new(with_names(OutboundSettings { max_requests: 3, max_requests_per_function: 2, ..settings() }, Names::of([])));
    let start = |function: &str| {
        let (client, url, function) = (client.clone(), server.at("/"), FunctionName::new(function));
        let place = server.at("");
        tokio::spawn(async move { client.send(&function, &super::kit::allow(&[&place]), request("GET", &url)).await })
    };
    let mut tasks = vec![start("a"), start("a")];
    until(|| kept.load(Ordering::SeqCst) == 2).await;
    tasks.push(start("a"));
    tasks.push(start("b"));
    until(|| kept.load(Ordering::SeqCst) == 3).await;
    // The third of `a` waits for a place of its function, a second of `b` for one of the node.
    let mut late = request("GET", &server.at("/"));
    late.timeout = std::time::Duration::from_millis(50);
    let result = client.send(&FunctionName::new("b"), &super::kit::allow(&[&server.at("")]), late).await;
    assert_fails(result, ErrorKind::Timeout, "no place within 50ms for another request: 2 of the function or 3 of the node are under way");
    assert_eq!(kept.load(Ordering::SeqCst), 3);
    go.add_permits(tasks.len());
    for task in tasks {
        assert!(task.await.unwrap().unwrap().is_ok());
    }
    assert_eq!(server.lines().len(), 4);
}
