//! Functions through Caddy: their answers, who asks them, and when they stop.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::Stdio,
};

use picloud::execution::Outcome;

use crate::{
    caddy::proxy::{BEHIND, Caddy, INSIDE, OUTSIDE},
    kit::{
        machine::{Need, needs},
        node::{PATIENCE, node, wait_until},
    },
};

#[test]
fn a_function_answers_and_knows_who_asks() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    let files =
        [("who.rhai", "ctx.request.remote_addr"), ("host.rhai", "ctx.request.headers.host"), ("echo.post.rhai", "ctx.request.body")];
    let node = node(&files).config(BEHIND).start();
    let caddy = Caddy::before(&node);
    for from in [INSIDE, OUTSIDE] {
        let answer = caddy.ask(from, "/who", &[]);
        assert_eq!((answer.status, answer.text().as_str()), (200, from));
        assert!(answer.header("x-picloud-execution").is_some());
        // What a caller says of itself is believed by nobody on the way.
        for header in ["x-forwarded-for: 198.51.100.1", "forwarded: for=198.51.100.1"] {
            assert_eq!(caddy.ask(from, "/who", &["--header", header]).text(), from, "{header}");
        }
    }
    assert!(caddy.url("/").starts_with(&format!("https://{}/", caddy.ask(OUTSIDE, "/host", &[]).text())));
    assert_eq!(caddy.ask(OUTSIDE, "/echo", &["--json", "[1,2]"]).text(), "[1,2]");
    assert_eq!(caddy.ask(OUTSIDE, "/none", &[]).status, 404);
    let large = format!("[{}1]", "1,".repeat(900_000));
    let sent = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(sent.path(), large).unwrap();
    assert_eq!(caddy.ask(OUTSIDE, "/echo", &["--json", &format!("@{}", sent.path().display())]).status, 413, "limits are the node's");
}

#[test]
fn answers_are_compressed_for_those_who_ask_for_it() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    let script = "let list = []; for i in 0..2_000 { list.push(i); } list";
    let node = node(&[("list.rhai", script), ("short.rhai", "\"short\""), ("blob.rhai", "blob(4_000)")]).config(BEHIND).start();
    let caddy = Caddy::before(&node);
    let plain = caddy.ask(OUTSIDE, "/list", &[]);
    assert_eq!(plain.header("content-encoding"), None);
    for kind in ["gzip", "zstd"] {
        let arguments = ["--compressed", "--header", &format!("accept-encoding: {kind}")];
        let packed = caddy.ask(OUTSIDE, "/list", &arguments);
        assert_eq!((packed.header("content-encoding"), packed.body == plain.body), (Some(kind), true));
        for path in ["/short", "/blob"] {
            assert_eq!(caddy.ask(OUTSIDE, path, &arguments).header("content-encoding"), None, "{path}");
        }
    }
}

#[test]
fn a_run_ends_when_its_caller_leaves() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    let endless = "+++\ntimeout = \"120s\"\n[limits]\noperations = 5_000_000_000\n+++\nloop {}";
    let node = node(&[("endless.rhai", endless)]).config(BEHIND).start();
    let caddy = Caddy::before(&node);
    let before = node.ticks_of_runs();
    let mut caller = caddy.curl(OUTSIDE).arg(caddy.url("/endless")).stdout(Stdio::null()).spawn().unwrap();
    wait_until("it runs", PATIENCE, || node.ticks_of_runs() > before + 2);
    caller.kill().unwrap();
    caller.wait().unwrap();
    node.wait_for_execution("the cancelled run", |execution| execution.outcome == Outcome::Cancelled);
}

#[test]
fn events_pass_as_they_come() {
    needs!(Need::Program("caddy"), Need::Program("curl"));
    let source = TcpListener::bind("127.0.0.1:0").unwrap();
    source.set_nonblocking(true).unwrap();
    let caddy = Caddy::with(source.local_addr().unwrap(), &[]);
    let mut command = caddy.curl(INSIDE);
    command.args(["--no-buffer", "--compressed", "--header", "accept-encoding: gzip", &caddy.url("/api/admin/executions/tail")]);
    let mut reader = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines();
    // Caddy asks after the node's health, too, on a connection of its own.
    let mut tail = loop {
        let mut accepted = None;
        wait_until("Caddy asks", PATIENCE, || {
            accepted = source.accept().ok();
            accepted.is_some()
        });
        let (mut connection, _) = accepted.unwrap();
        connection.set_nonblocking(false).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        if head.starts_with(b"GET /api/admin/executions/tail ") {
            break connection;
        }
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    };
    tail.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n").unwrap();
    for number in 0..3 {
        // The next is sent when the last has been read.
        tail.write_all(format!("data: {number}\n\n").as_bytes()).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), format!("data: {number}"));
        assert_eq!(lines.next().unwrap().unwrap(), "");
    }
    drop(tail);
    assert!(lines.next().is_none());
    assert!(reader.wait().unwrap().success());
}
