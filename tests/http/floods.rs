//! Very many hostile clients at once: each is refused or hung up on by a limit, and others are served meanwhile.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use tokio::net::TcpSocket;

use crate::kit::{
    client::Client,
    machine,
    node::{Node, PATIENCE, node, wait_until},
};

/// Limits of time that end an attack soon.
const SHORT: &str = "[server]\nheader_timeout = \"2s\"\nbody_timeout = \"2s\"\nwrite_timeout = \"2s\"\n";
/// Fewer places than attackers, and no limit of time that would end an attack while a newcomer has patience.
const FEW: &str = "[server]\nmax_connections = 16\nheader_timeout = \"5m\"\nbody_timeout = \"5m\"\nwrite_timeout = \"5m\"\n";
const MANY: usize = 1_000;

/// Answers with 4 MB: more than the system keeps for a client that takes nothing.
const BIG: &str =
    "+++\n[limits]\nstring = \"16MiB\"\n+++\nlet s = \"x\"; for i in 0..19 { s += s; } let all = []; for i in 0..8 { all.push(s); } all";
const FILES: [(&str, &str); 3] = [("a.rhai", "1"), ("echo.post.rhai", "ctx.request.body"), ("big.rhai", BIG)];

const HALF_A_HEAD: &[u8] = b"GET /a HTTP/1.1\r\nhost: t\r\nx-slow: ";
const HALF_A_BODY: &[u8] = b"POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 100000\r\n\r\n";
const EXPECTING: &[u8] = b"POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 100000\r\nexpect: 100-continue\r\n\r\n";
const ASKS_MUCH: &[u8] = b"GET /big HTTP/1.1\r\nhost: t\r\n\r\n";
const ASKS_ONCE: &[u8] = b"GET /a HTTP/1.1\r\nhost: t\r\n\r\n";

/// Connections of one attacker.
struct Attack {
    node: SocketAddr,
    opening: Vec<u8>,
    streams: Vec<Option<TcpStream>>,
}

impl Attack {
    /// Opens so many connections, each of which begins with the same bytes.
    fn begin(node: &Node, count: usize, opening: &[u8]) -> Self {
        machine::open_many_files();
        let mut attack = Self { node: node.address(), opening: opening.into(), streams: Vec::new() };
        attack.streams.resize_with(count, || None);
        attack.replace_lost();
        attack
    }

    /// Opens those again that the node has ended.
    fn replace_lost(&mut self) {
        for stream in self.streams.iter_mut().filter(|stream| stream.is_none()) {
            // Little is taken from the node before it is read here.
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4_096).unwrap();
            let connecting = connect(socket, self.node);
            connecting.set_nonblocking(true).unwrap();
            // It may be hung up on already.
            if (&connecting).write_all(&self.opening).is_ok() {
                *stream = Some(connecting);
            }
        }
    }

    /// Sends one byte on each connection.
    fn dribble(&mut self) {
        for stream in &mut self.streams {
            if let Some(open) = stream
                && open.write(b"x").is_err_and(|error| error.kind() != ErrorKind::WouldBlock)
            {
                *stream = None;
            }
        }
    }

    /// Takes up to so many bytes from each connection.
    fn take(&mut self, bytes: usize) {
        let mut taken = vec![0; bytes];
        for stream in &mut self.streams {
            if let Some(open) = stream
                && match open.read(&mut taken) {
                    Ok(read) => read == 0,
                    Err(error) => error.kind() != ErrorKind::WouldBlock,
                }
            {
                *stream = None;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.streams.iter().all(Option::is_none)
    }
}

/// Connects a socket that has been prepared.
fn connect(socket: TcpSocket, address: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(socket.connect(address)).unwrap().into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream
}

/// A newcomer gets its answer.
#[track_caller]
fn a_newcomer_is_served(node: &Node) {
    assert_eq!(node.get("/a").text(), "1");
}

/// Sends more and more, until the node hangs up.
#[track_caller]
fn is_hung_up_on(client: &Client, more: &[u8]) {
    wait_until("the node hangs up", PATIENCE, || match client.socket().write_all(more) {
        Ok(()) => false,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
            true
        }
    });
}

/// Goes on with an attack until the node has ended all of it; others are served in every round.
#[track_caller]
fn is_outlived(node: &Node, attack: &mut Attack, mut step: impl FnMut(&mut Attack)) {
    wait_until("the node ends every connection", 2 * PATIENCE, || {
        step(attack);
        a_newcomer_is_served(node);
        attack.is_over()
    });
}

/// Goes on with an attack that takes every place again as soon as it loses one; others are served all the time.
#[track_caller]
fn is_borne(node: &Node, opening: &[u8], mut step: impl FnMut(&mut Attack)) {
    let mut attack = Attack::begin(node, 24, opening);
    for _ in 0..10 {
        step(&mut attack);
        attack.replace_lost();
        a_newcomer_is_served(node);
    }
    node.wait_for_line(&["all 16 places for connections are taken"]);
}

#[test]
fn a_thousand_dribbled_heads_are_cut() {
    let node = node(&FILES).config(SHORT).start();
    let mut attack = Attack::begin(&node, MANY, HALF_A_HEAD);
    is_outlived(&node, &mut attack, |attack| {
        attack.dribble();
        attack.take(1_000);
    });
}

#[test]
fn a_thousand_dribbled_bodies_are_cut() {
    let node = node(&FILES).config(SHORT).start();
    let mut attack = Attack::begin(&node, MANY, HALF_A_BODY);
    is_outlived(&node, &mut attack, |attack| {
        attack.dribble();
        attack.take(1_000);
    });
}

#[test]
fn a_thousand_bodies_that_were_announced_and_never_come_are_not_waited_for() {
    let node = node(&FILES).config(SHORT).start();
    let mut client = node.client();
    client.write(EXPECTING).unwrap();
    assert_eq!(client.read("HEAD").unwrap().status, 100);
    assert_eq!(client.read("POST").unwrap().status, 408);
    let mut attack = Attack::begin(&node, MANY, EXPECTING);
    is_outlived(&node, &mut attack, |attack| attack.take(1_000));
}

#[test]
fn a_thousand_idle_connections_are_ended() {
    let node = node(&FILES).config(SHORT).start();
    let mut attack = Attack::begin(&node, MANY, ASKS_ONCE);
    is_outlived(&node, &mut attack, |attack| attack.take(1_000));
}

#[test]
fn answers_that_are_read_a_few_bytes_at_a_time_are_cut() {
    let node = node(&FILES).config(SHORT).start();
    let mut attack = Attack::begin(&node, 24, ASKS_MUCH);
    is_outlived(&node, &mut attack, |attack| attack.take(64));
}

#[test]
fn an_answer_that_is_taken_slower_than_the_least_rate_is_cut_and_a_faster_one_is_not() {
    let huge = BIG.replace("[limits]", "[limits]\nresponse = \"16MiB\"").replace("0..8", "0..30");
    let rated =
        |rate: &str| node(&[("huge.rhai", &huge)]).config(&format!("[server]\nwrite_timeout = \"2s\"\nmin_rate = \"{rate}\"\n")).start();
    let take_all = |node: &Node| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut stream = connect(socket, node.address());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /huge HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").unwrap();
        let (mut taken, mut part) = (0, vec![0; 64 * 1024]);
        loop {
            let read = match stream.read(&mut part) {
                Ok(0) | Err(_) => return taken,
                Ok(read) => read,
            };
            taken += read;
            // At most 3 MB a second. The system tells a writer of progress when a third of what it keeps, up to 4 MB, has gone: that happens
            // several times within the limit, and all of it takes longer.
            std::thread::sleep(Duration::from_secs_f64(read as f64 / 3e6));
        }
    };
    let (fast, slow) = (rated("1KiB"), rated("1GiB"));
    let (of_fast, of_slow) = std::thread::scope(|scope| {
        let of_fast = scope.spawn(|| take_all(&fast));
        let of_slow = take_all(&slow);
        (of_fast.join().unwrap(), of_slow)
    });
    assert!(of_fast > 15_000_000, "{of_fast} bytes came");
    assert!(of_slow < 15_000_000, "{of_slow} bytes came");
}

#[test]
fn halves_of_connections_are_ended_at_once() {
    let node = node(&FILES).start();
    a_newcomer_is_served(&node);
    for opening in [&b""[..], HALF_A_HEAD, HALF_A_BODY] {
        let mut attack = Attack::begin(&node, MANY / 2, opening);
        for stream in attack.streams.iter().flatten() {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        is_outlived(&node, &mut attack, |attack| attack.take(1_000));
    }
}

#[test]
fn newcomers_get_the_places_of_idle_connections() {
    let node = node(&FILES).config(FEW).start();
    is_borne(&node, b"", |attack| attack.take(1));
}

#[test]
fn newcomers_get_the_places_of_dribbled_heads() {
    let node = node(&FILES).config(FEW).start();
    is_borne(&node, HALF_A_HEAD, |attack| {
        attack.dribble();
        attack.take(1);
    });
}

#[test]
fn newcomers_get_the_places_of_dribbled_bodies() {
    let node = node(&FILES).config(FEW).start();
    is_borne(&node, HALF_A_BODY, |attack| {
        attack.dribble();
        attack.take(1);
    });
}

#[test]
fn newcomers_get_the_places_of_answers_that_are_not_taken() {
    let node = node(&FILES).config(FEW).start();
    is_borne(&node, ASKS_MUCH, |attack| attack.take(1));
}

#[test]
fn a_request_that_is_worked_on_never_ends_for_a_newcomer() {
    // Beyond the operations of a fast one, so that it runs on the pool and its connection has nothing to do.
    let long = "+++\ntimeout = \"120s\"\n[limits]\noperations = 5_000_000_000\n+++\nlet i = 0; while i < 3_000_000 { i += 1; } \"done\"";
    let node = node(&[("a.rhai", "1"), ("long.rhai", long)]).config(FEW).start();
    let mut client = node.client();
    client.begin("/long");
    is_borne(&node, b"", |attack| attack.take(1));
    assert_eq!(client.read("GET").unwrap().text(), "done");
}

#[test]
fn an_address_with_few_connections_keeps_them_beside_one_with_many() {
    let node = node(&FILES).config(FEW).start();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
    let mut quiet = connect(socket, node.address());
    quiet.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut ask = || {
        quiet.write_all(ASKS_ONCE).unwrap();
        let mut answer = [0; 4_096];
        let read = quiet.read(&mut answer).unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
    };
    ask();
    // Waited for longer than any of these.
    is_borne(&node, b"", |attack| attack.take(1));
    ask();
}

#[test]
fn a_client_at_work_keeps_its_connection_beside_idle_ones() {
    let node = node(&FILES).config(FEW).start();
    let mut client = node.client();
    let mut attack = Attack::begin(&node, 15, b"");
    for _ in 0..10 {
        assert_eq!(client.get("/a").unwrap().text(), "1");
        drop(node.client());
    }
    attack.replace_lost();
    assert_eq!(client.get("/a").unwrap().text(), "1");
}

#[test]
fn a_system_that_allows_few_files_gets_few_connections_and_the_node_goes_on() {
    let mut node = node(&FILES).after("ulimit -n 160").start();
    node.wait_for_line(&["only 160 files may be open, so at most 80 connections are taken instead of 4096"]);
    let _attack = Attack::begin(&node, 300, b"");
    a_newcomer_is_served(&node);
    node.write("a.rhai", "2");
    node.wait_for("/a", "2");
    assert!(!node.log().contains("Too many open files"), "{}", node.log());
    node.stop();
}

#[test]
fn a_low_limit_of_open_files_is_raised() {
    let node = node(&FILES).after("ulimit -Sn 160").start();
    let mut clients: Vec<Client> = (0..300).map(|_| node.client()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/a").unwrap().text(), "1");
    }
    assert!(!node.log().contains("files may be open"), "{}", node.log());
}

#[test]
fn more_headers_than_the_limit_are_refused() {
    for (config, limit) in [("", 100), ("[server]\nmax_headers = 10\n", 10), ("[server]\nmax_headers = 500\n", 500)] {
        let node = node(&FILES).config(config).start();
        let status = |count: usize| {
            let names: Vec<String> = (0..count).map(|number| format!("x-{number}")).collect();
            let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
            node.send("GET", "/a", &headers, b"").status
        };
        // With `host`.
        assert_eq!((status(limit - 1), status(limit)), (200, 431), "{config}");
    }
}

#[test]
fn heads_without_end_are_refused() {
    let node = node(&FILES).config("[server]\nmax_head = \"16KiB\"\n").start();
    for (opening, endless) in [("GET /", "a"), ("GET /a?q=", "%20"), ("GET /a HTTP/1.1\r\nx: ", "y"), ("GET /a HTTP/1.1\r\n", "x: y\r\n")] {
        let mut client = node.client();
        client.write(opening.as_bytes()).unwrap();
        is_hung_up_on(&client, endless.repeat(1_000).as_bytes());
        a_newcomer_is_served(&node);
    }
    let long = format!("/a?q={}", "x".repeat(30_000));
    let answer = node.client().send("GET", &long, &[], b"").unwrap();
    assert_eq!(answer.status, 431);
}

#[test]
fn thousands_of_pipelined_requests_are_answered_in_order() {
    let node = node(&[("a.rhai", "1"), ("number.rhai", "ctx.request.query.n")]).start();
    let mut client = node.client();
    let mut sender = client.socket().try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let requests: String = (0..5_000).map(|n| format!("GET /number?n={n} HTTP/1.1\r\nhost: t\r\n\r\n")).collect();
            sender.write_all(requests.as_bytes()).unwrap();
        });
        for n in 0..5_000 {
            assert_eq!(client.read("GET").unwrap().text(), n.to_string());
            if n % 500 == 0 {
                a_newcomer_is_served(&node);
            }
        }
    });
}

#[test]
fn pipelined_requests_whose_answers_are_not_taken_are_not_read() {
    let node = node(&FILES).config("[server]\nwrite_timeout = \"1s\"\n").start();
    is_hung_up_on(&node.client(), &ASKS_ONCE.repeat(1_000));
    a_newcomer_is_served(&node);
}

#[test]
fn tiny_chunks_cost_no_more_than_what_is_in_them() {
    let node = node(&FILES).start();
    let mut client = node.client();
    client.write(b"POST /a HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    client.write("1\r\nx\r\n".repeat(10_000).as_bytes()).unwrap();
    client.write(b"0\r\n\r\n").unwrap();
    assert_eq!(client.read("POST").unwrap().text(), "1");
    let before = node.rss_mib();
    let chunks = "1\r\nx\r\n".repeat(100_000);
    let mut clients: Vec<Client> = (0..8).map(|_| node.client()).collect();
    for client in &mut clients {
        client.write(b"POST /a HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        client.write(chunks.as_bytes()).unwrap();
    }
    // The end of the first comes after what the others have sent.
    clients[0].write(b"0\r\n\r\n").unwrap();
    assert_eq!(clients[0].read("POST").unwrap().text(), "1");
    let grown = node.rss_mib().saturating_sub(before);
    assert!(grown < 16, "8 bodies of 100 kB hold {grown} MiB");
}

#[test]
fn chunks_with_absurd_extensions_are_refused() {
    let node = node(&FILES).start();
    let mut client = node.client();
    client.write(b"POST /a HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    is_hung_up_on(&client, format!("1;{}\r\nx\r\n", "e".repeat(4_000)).as_bytes());
    let mut client = node.client();
    client.write(b"POST /a HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n1;").unwrap();
    is_hung_up_on(&client, &[b'e'; 4_000]);
    a_newcomer_is_served(&node);
}
