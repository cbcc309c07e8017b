use std::sync::atomic::Ordering;

use http::{Response, header};
use http_body_util::Full;

use super::kit::{Names, Server, assert_fails, client, ok, request, send, send_if, settings, with_names};
use crate::{
    capability::http::ErrorKind,
    outbound::{Outbound, OutboundSettings},
};

#[tokio::test]
async fn a_place_that_the_list_does_not_name_is_not_connected_to() {
    let server = Server::start(async |_| ok("")).await;
    let client = client();
    for entries in [&[][..], &["https://127.0.0.1"], &["http://127.0.0.1"], &["http://localhost:9", "https://*.example.org"]] {
        let result = send_if(&client, entries, request("GET", &server.at("/?key=sesame"))).await;
        let place = format!("`http://{}` is not in `allow` of `[http]`; add", server.address);
        assert_fails(result, ErrorKind::Blocked, &place);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn an_address_that_is_not_public_is_not_connected_to_unless_the_node_allows_it() {
    let server = Server::start(async |_| ok("")).await;
    let names = [("a.test", &[&["127.0.0.1"][..]][..])];
    let closed = with_names(OutboundSettings::default(), Names::of(names));
    let says = "which this node does not allow; its operator can: `private = [\"127.0.0.1\"]`";
    assert_fails(send(&closed, request("GET", &server.at("/"))).await, ErrorKind::Blocked, says);
    assert_fails(send(&closed, request("GET", &server.url("http", "a.test", "/"))).await, ErrorKind::Blocked, says);
    assert_eq!(server.connections(), 0);
    let open = with_names(settings(), Names::of(names));
    assert!(send(&open, request("GET", &server.at("/"))).await.is_ok());
    assert!(send(&open, request("GET", &server.url("http", "a.test", "/"))).await.is_ok());
}

#[tokio::test]
async fn every_address_of_a_name_is_looked_at() {
    let server = Server::start(async |_| ok("")).await;
    for inside in
        ["10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001::1", "100.64.0.1", "0.0.0.0"]
    {
        let names = Names::of([("a.test", &[&["127.0.0.1", inside]])]);
        let result = send(&with_names(settings(), names), request("GET", &server.url("http", "a.test", "/"))).await;
        assert_fails(result, ErrorKind::Blocked, "`a.test` is ");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_address_leads_nowhere_else() {
    let server = Server::start(async |_| {
        // Each request needs a connection of its own.
        let answer = Response::builder().header(header::CONNECTION, "close");
        answer.body(Full::from("outside")).unwrap()
    })
    .await;
    // Asked once for a connection: a second answer would lead to where nothing listens.
    let names = Names::of([("a.test", &[&["127.0.0.1"], &["10.0.0.1"]])]);
    let client = with_names(settings(), names.clone());
    let url = server.url("http", "a.test", "/");
    assert_eq!(&send(&client, request("GET", &url)).await.unwrap().body[..], b"outside");
    assert_eq!(names.asked.load(Ordering::SeqCst), 1);
    assert_fails(send(&client, request("GET", &url)).await, ErrorKind::Blocked, "`a.test` is 10.0.0.1, a private address");
    assert_eq!((names.asked.load(Ordering::SeqCst), server.connections()), (2, 1));
}

#[tokio::test]
async fn a_wildcard_finds_no_way_inside_and_no_connection_that_another_entry_opened() {
    let server = Server::start(async |_| ok("")).await;
    let client = with_names(settings(), Names::of([("a.b.test", &[&["127.0.0.1"]])]));
    let url = server.url("http", "a.b.test", "/");
    let wildcard = server.url("http", "*.b.test", "");
    assert!(send(&client, request("GET", &url)).await.is_ok());
    let says = "an entry of `allow` with a `*` does not reach";
    assert_fails(send_if(&client, &[&wildcard], request("GET", &url)).await, ErrorKind::Blocked, says);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_name_without_an_address_says_so() {
    let client = with_names(settings(), Names::of([("empty.test", &[&[]])]));
    for host in ["empty.test", "unknown.test"] {
        let result = send(&client, request("GET", &format!("http://{host}/?key=sesame"))).await;
        assert_fails(result, ErrorKind::Dns, &format!("`{host}` has no address: no such name"));
    }
}

#[tokio::test]
async fn the_system_is_asked_for_addresses() {
    let server = Server::start(async |_| ok("")).await;
    let open = Outbound::new(OutboundSettings { private: vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()], ..settings() });
    assert!(send(&open, request("GET", &server.url("http", "localhost", "/"))).await.is_ok());
    let closed = Outbound::new(OutboundSettings::default());
    let result = send(&closed, request("GET", &server.url("http", "localhost", "/"))).await;
    assert_fails(result, ErrorKind::Blocked, "an address of this machine");
}

#[tokio::test]
async fn a_proxy_gets_what_the_list_allows_and_finds_the_address_itself() {
    let proxy = Server::start(async |request| ok(request.uri().to_string())).await;
    let url = format!("http://ann:sesame@127.0.0.1:{}", proxy.address.port());
    let settings = OutboundSettings { proxy: Some(url.parse().unwrap()), ..OutboundSettings::default() };
    let client = with_names(settings, Names::of([]));
    let answer = send(&client, request("GET", "http://a.test/b?c")).await.unwrap();
    assert_eq!(&answer.body[..], b"http://a.test/b?c");
    assert!(proxy.requests.lock().unwrap()[0].headers().contains_key("proxy-authorization"));
    assert_fails(send_if(&client, &[], request("GET", "http://a.test/")).await, ErrorKind::Blocked, "not in `allow`");
    // An address needs no resolving.
    assert_fails(send(&client, request("GET", "http://10.0.0.1/")).await, ErrorKind::Blocked, "`10.0.0.1` is a private address");
    assert_eq!(proxy.requests.lock().unwrap().len(), 1);
}
