use std::future::ready;

use bytes::Bytes;
use http::Request;

use super::kit::{Names, Server, assert_fails, client, ok, redirect, request, send, send_if, settings, with_names};
use crate::capability::http::ErrorKind;

#[tokio::test]
async fn redirects_are_followed_as_often_as_asked_for() {
    let server = Server::start(async |request| match request.uri().path() {
        "/3" => redirect(301, "/2"),
        "/2" => redirect(302, "1?x=y#z"),
        "/1" => redirect(307, "/0"),
        _ => ok("there"),
    })
    .await;
    let client = client();
    let answer = send(&client, request("GET", &server.at("/3"))).await.unwrap();
    assert_eq!((answer.status, answer.url, &answer.body[..]), (200, server.at("/0"), &b"there"[..]));
    assert_eq!(server.lines(), ["GET /3", "GET /2", "GET /1", "GET /0"]);
    let with = |redirects| request("GET", &server.at("/3")).redirects(redirects).unwrap();
    assert_fails(send(&client, with(2)).await, ErrorKind::Redirect, "`127.0.0.1` redirects once more, after 2 redirects");
    let answer = send(&client, with(0)).await.unwrap();
    assert_eq!((answer.status, answer.url), (301, server.at("/3")));
}

#[tokio::test]
async fn a_redirect_goes_only_where_the_function_could_have_gone_itself() {
    let inside = Server::start(async |_| ok("inside")).await;
    let inside_port = inside.address.port();
    let outside = Server::start(move |request: Request<Bytes>| {
        ready(match request.uri().path() {
            "/unlisted" => redirect(302, &format!("http://127.0.0.1:{inside_port}/")),
            "/address" => redirect(302, &format!("http://127.0.0.2:{inside_port}/")),
            "/number" => redirect(307, &format!("http://2130706434:{inside_port}/")),
            "/name" => redirect(308, &format!("http://inside.test:{inside_port}/")),
            "/metadata" => redirect(302, "http://169.254.169.254/latest/meta-data/"),
            "/chain" => redirect(302, "/chain2"),
            "/chain2" => redirect(302, &format!("http://inside.test:{inside_port}/")),
            _ => redirect(302, "file:///etc/passwd"),
        })
    })
    .await;
    let client = with_names(settings(), Names::of([("inside.test", &[&["10.0.0.1"]])]));
    let entries =
        [outside.at(""), inside.url("http", "127.0.0.2", ""), inside.url("http", "inside.test", ""), "http://169.254.169.254".into()];
    let entries = entries.each_ref().map(String::as_str);
    for (path, kind, says) in [
        ("/unlisted", ErrorKind::Blocked, "is not in `allow`"),
        ("/address", ErrorKind::Blocked, "`127.0.0.2` is an address of this machine"),
        ("/number", ErrorKind::Blocked, "`127.0.0.2` is an address of this machine"),
        ("/name", ErrorKind::Blocked, "`inside.test` is 10.0.0.1, a private address"),
        ("/metadata", ErrorKind::Blocked, "`169.254.169.254` is an address of cloud metadata"),
        ("/chain", ErrorKind::Blocked, "`inside.test` is 10.0.0.1, a private address"),
        ("/file", ErrorKind::Redirect, "begins with `file:`"),
    ] {
        assert_fails(send_if(&client, &entries, request("GET", &outside.at(path))).await, kind, says);
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn a_redirect_that_keeps_the_method_keeps_the_body() {
    let server = Server::start(async |request| match request.uri().path() {
        "/307" => redirect(307, "/end"),
        "/303" => redirect(303, "/end"),
        _ => ok(format!("{} {}", request.method(), String::from_utf8_lossy(request.body()))),
    })
    .await;
    let client = client();
    for (path, end) in [("/307", "POST body"), ("/303", "GET ")] {
        let sent = request("POST", &server.at(path)).text("body".into()).unwrap();
        assert_eq!(send(&client, sent).await.unwrap().body, end);
    }
}

#[tokio::test]
async fn credentials_stay_with_the_origin_that_they_were_meant_for() {
    let other = Server::start(async |_| ok("")).await;
    let to = other.at("/other");
    let first = Server::start(move |request: Request<Bytes>| {
        ready(match request.uri().path() {
            "/away" => redirect(307, &to),
            "/stay" => redirect(307, "/end"),
            _ => ok(""),
        })
    })
    .await;
    let client = client();
    let sent = |path| {
        let headers = [("authorization", "Bearer sesame"), ("x-api-key", "sesame"), ("cookie", "sesame"), ("accept", "text/plain")];
        let request = headers.iter().try_fold(request("POST", &first.at(path)), |request, (name, value)| request.header(name, value));
        request.unwrap().parameter("key", "sesame").unwrap().text("body".into()).unwrap()
    };
    let entries = [first.at(""), other.at("")];
    let entries = entries.each_ref().map(String::as_str);
    for path in ["/stay", "/away"] {
        assert!(send_if(&client, &entries, sent(path)).await.unwrap().is_ok());
    }
    let kept = first.requests.lock().unwrap()[1].headers().clone();
    assert!(["authorization", "x-api-key", "cookie"].iter().all(|name| kept.contains_key(*name)));
    let away = other.requests.lock().unwrap()[0].clone();
    assert!(!format!("{away:?}").contains("sesame"), "{away:?}");
    assert_eq!((&away.headers()["accept"], &away.body()[..]), (&"text/plain".parse().unwrap(), &b"body"[..]));
}
