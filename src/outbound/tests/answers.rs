use std::{io::Write as _, time::Duration};

use flate2::{Compression, write::GzEncoder};
use http::{Response, header};
use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::kit::{Server, assert_fails, client, ok, request, send, status};
use crate::capability::http::ErrorKind;

#[tokio::test]
async fn a_request_goes_out_as_it_was_put_together_and_its_answer_comes_back() {
    let server = Server::start(async |_| {
        let answer = Response::builder().status(201).header("x-a", "1").header("x-a", "2");
        answer.body(Full::from("körper")).unwrap()
    })
    .await;
    let sent = request("put", &server.at("/a b?x=1")).parameter("key", "s e").unwrap().header("X-Key", "sesame").unwrap();
    let answer = send(&client(), sent.text("body".into()).unwrap()).await.unwrap();
    assert_eq!((answer.status, answer.is_ok(), &answer.body[..]), (201, true, "körper".as_bytes()));
    assert_eq!(answer.headers.iter().filter(|(name, _)| name == "x-a").count(), 2);
    assert_eq!(answer.url, server.at("/a%20b?x=1"), "what may be a secret is not in it");
    let seen = server.requests.lock().unwrap()[0].clone();
    assert_eq!((seen.method().as_str(), seen.uri().to_string().as_str(), &seen.body()[..]), ("PUT", "/a%20b?x=1&key=s+e", &b"body"[..]));
    let header = |name: &str| seen.headers()[name].to_str().unwrap().to_owned();
    assert_eq!([header("x-key"), header("content-type"), header("content-length")], ["sesame", "text/plain; charset=utf-8", "4"]);
    assert_eq!(header("host"), server.address.to_string());
    assert!(header("user-agent").starts_with("picloud/"));
    assert_eq!(header("accept-encoding"), "gzip");
}

#[tokio::test]
async fn no_status_is_an_error() {
    let server = Server::start(async |request| status(request.uri().path()[1..].parse().unwrap())).await;
    let client = client();
    for code in [204, 304, 400, 404, 500, 503] {
        let answer = send(&client, request("GET", &server.at(&format!("/{code}")))).await.unwrap();
        assert_eq!((answer.status, answer.is_ok()), (code, code == 204));
    }
}

#[tokio::test]
async fn a_head_and_an_answer_that_says_so_have_no_body() {
    let server = Server::start(async |request| {
        let code = if request.method() == "HEAD" { 200 } else { 304 };
        let gzip = Response::builder().status(code).header("content-encoding", "gzip").header("content-length", "1000000000");
        gzip.body(Full::default()).unwrap()
    })
    .await;
    for (method, status) in [("HEAD", 200), ("GET", 304)] {
        let answer = send(&client(), request(method, &server.at("/"))).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (status, 0));
    }
}

#[tokio::test]
async fn cookies_are_not_kept() {
    let server = Server::start(async |_| {
        let mut answer = ok("");
        answer.headers_mut().insert(header::SET_COOKIE, "id=1".parse().unwrap());
        answer
    })
    .await;
    let client = client();
    for _ in 0..2 {
        send(&client, request("GET", &server.at("/"))).await.unwrap();
    }
    assert!(server.requests.lock().unwrap().iter().all(|request| !request.headers().contains_key(header::COOKIE)));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_packed_body_is_unpacked_and_bounded_by_what_it_unpacks_to() {
    let server = Server::start(async |request| {
        let body = match request.uri().path() {
            "/small" => gzip(b"unpacked"),
            // A thousand times as large as it comes.
            "/bomb" => gzip(&vec![0; 64 << 20]),
            "/empty" => Vec::new(),
            "/cut" => gzip(b"unpacked")[..12].to_vec(),
            _ => b"not packed".to_vec(),
        };
        Response::builder().header("content-encoding", "gzip").body(Full::from(body)).unwrap()
    })
    .await;
    let client = client();
    let get = |path| send(&client, request("GET", &server.at(path)));
    let small = get("/small").await.unwrap();
    assert_eq!(&small.body[..], b"unpacked");
    assert!(!small.headers.iter().any(|(name, _)| name == "content-encoding" || name == "content-length"));
    assert_eq!(get("/empty").await.unwrap().body.len(), 0);
    assert_fails(get("/bomb").await, ErrorKind::TooLarge, "larger than 1048576 bytes");
    assert_fails(get("/cut").await, ErrorKind::Protocol, "cannot be read");
    assert_fails(get("/wrong").await, ErrorKind::Protocol, "cannot be read");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_held() {
    let server = Server::raw(async |stream| {
        let (mut reads, mut writes) = stream.into_split();
        let mut head = [0; 1024];
        let read = reads.read(&mut head).await.unwrap();
        let answer = match head[..read].starts_with(b"GET /announced") {
            true => &b"HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n"[..],
            false => &b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"[..],
        };
        let mut written = writes.write_all(answer).await;
        let chunk = [b"10000\r\n".to_vec(), vec![b'a'; 0x10000], b"\r\n".to_vec()].concat();
        // For ever, as far as the client takes it.
        while written.is_ok() {
            written = writes.write_all(&chunk).await;
        }
    })
    .await;
    let client = client();
    assert_fails(send(&client, request("GET", &server.at("/announced"))).await, ErrorKind::TooLarge, "larger than 1048576 bytes");
    assert_fails(send(&client, request("GET", &server.at("/endless"))).await, ErrorKind::TooLarge, "larger than 1048576 bytes");
}

#[tokio::test]
async fn headers_count_as_part_of_an_answer() {
    let server = Server::start(async |_| {
        let mut answer = ok(vec![b'a'; 1_000]);
        answer.headers_mut().insert("x-large", "a".repeat(5_000).parse().unwrap());
        answer
    })
    .await;
    let with = |max_response_bytes| {
        let mut request = request("GET", &server.at("/"));
        request.max_response_bytes = max_response_bytes;
        request
    };
    let client = client();
    assert_fails(send(&client, with(4_000)).await, ErrorKind::TooLarge, "larger than 4000 bytes");
    assert_fails(send(&client, with(6_000)).await, ErrorKind::TooLarge, "larger than 6000 bytes");
    assert_eq!(send(&client, with(8_000)).await.unwrap().body.len(), 1_000);
}

/// Reads a request, answers this, and closes the connection.
async fn answer(mut stream: TcpStream, bytes: &[u8]) {
    let _ = stream.read(&mut [0; 1024]).await;
    let _ = stream.write_all(bytes).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_is_none_is_an_error_of_the_protocol() {
    for bytes in [
        &b""[..],
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnothing\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"220 mail.example.org ESMTP\r\n",
    ] {
        let server = Server::raw(move |stream| answer(stream, bytes)).await;
        let result = send(&client(), request("GET", &server.at("/secret?key=sesame"))).await;
        let error = result.expect_err(&String::from_utf8_lossy(bytes));
        assert_eq!(error.kind, ErrorKind::Protocol, "{error}");
        assert!(error.message.starts_with("`127.0.0.1` sent no whole answer") && !error.message.contains("sesame"), "{error}");
    }
}

#[tokio::test]
async fn a_slow_server_is_waited_for_only_as_long_as_there_is_time() {
    let server = Server::raw(async |mut stream| {
        let mut head = [0; 1024];
        let read = stream.read(&mut head).await.unwrap();
        if head[..read].starts_with(b"GET /body") {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
        }
        // Until the client hangs up.
        let _ = stream.read(&mut head).await;
    })
    .await;
    let client = client();
    for path in ["/head", "/body"] {
        let mut request = request("GET", &server.at(path));
        request.timeout = Duration::from_millis(50);
        assert_fails(send(&client, request).await, ErrorKind::Timeout, "`127.0.0.1` gave no whole answer within 50ms");
    }
}
