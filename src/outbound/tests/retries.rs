use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::net::TcpSocket;

use super::kit::{Names, Server, assert_fails, client, ok, request, send, settings, status, with_names};
use crate::capability::http::{ErrorKind, OutboundRequest};

/// A server that is not ready for the first two requests.
async fn busy_at_first() -> Server {
    let count = Arc::<AtomicUsize>::default();
    Server::start(move |_| {
        let at = count.fetch_add(1, Ordering::SeqCst);
        async move { if at < 2 { status(503) } else { ok("ready") } }
    })
    .await
}

fn with_retries(method: &str, url: &str, retries: u32) -> OutboundRequest {
    request(method, url).retries(retries).unwrap()
}

#[tokio::test]
async fn a_request_that_may_be_repeated_is_sent_again_while_the_server_is_busy() {
    let server = busy_at_first().await;
    let answer = send(&client(), with_retries("GET", &server.at("/"), 2)).await.unwrap();
    assert_eq!((answer.status, server.lines().len()), (200, 3));
    let server = busy_at_first().await;
    let answer = send(&client(), with_retries("PUT", &server.at("/"), 1)).await.unwrap();
    assert_eq!((answer.status, server.lines().len()), (503, 2));
}

#[tokio::test]
async fn a_request_that_may_have_done_something_is_not_sent_again() {
    let server = busy_at_first().await;
    let answer = send(&client(), with_retries("POST", &server.at("/"), 5)).await.unwrap();
    assert_eq!((answer.status, server.lines().len()), (503, 1));
    let server = Server::raw(async |mut stream| {
        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1024]).await;
    })
    .await;
    assert_fails(send(&client(), with_retries("POST", &server.at("/"), 5)).await, ErrorKind::Protocol, "no whole answer");
    assert_eq!(server.connections(), 1);
    assert_fails(send(&client(), with_retries("GET", &server.at("/"), 1)).await, ErrorKind::Protocol, "no whole answer");
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_request_of_which_nothing_was_sent_is_sent_again() {
    let server = Server::start(async |_| ok("")).await;
    let client = with_names(settings(), Names::of([("a.test", &[&[], &[], &["127.0.0.1"]])]));
    let url = server.url("http", "a.test", "/");
    assert_fails(send(&client, with_retries("POST", &url, 0)).await, ErrorKind::Dns, "no address");
    assert!(send(&client, with_retries("POST", &url, 1)).await.unwrap().is_ok());
    assert_eq!(server.lines(), ["POST /"]);
}

#[tokio::test]
async fn a_wait_that_the_time_does_not_allow_is_not_begun() {
    let server = Server::start(async |_| {
        let mut answer = status(429);
        answer.headers_mut().insert("retry-after", "3600".parse().unwrap());
        answer
    })
    .await;
    let answer = send(&client(), with_retries("GET", &server.at("/"), 5)).await.unwrap();
    assert_eq!((answer.status, server.lines().len()), (429, 1));
}

#[tokio::test]
async fn a_port_where_nobody_listens_says_so() {
    // Nobody else gets the port.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let result = send(&client(), request("GET", &format!("http://{address}/?key=sesame"))).await;
    assert_fails(result, ErrorKind::Connect, "no connection to `127.0.0.1`: connection refused");
}
