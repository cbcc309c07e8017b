//! A collector of traces, as far as a node sees one: it takes requests, keeps what they bring, and answers as it is told.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::Value;

use crate::kit::node::{Node, PATIENCE, Setup, wait_until};

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It takes the spans.
    Takes,
    /// It answers with this status.
    Answers(u16),
    /// It never answers.
    Hangs,
}

/// A collector. It lives as long as the process of the tests.
pub struct Collector {
    pub address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    mood: Mood,
    /// How many requests came.
    requests: usize,
    spans: Vec<Span>,
}

/// A span that came.
#[derive(Debug, Clone)]
pub struct Span(pub Value);

impl Span {
    pub fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// Returns the value of an attribute, whatever its kind.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        let attribute = self.0["attributes"].as_array()?.iter().find(|attribute| attribute["key"] == key)?;
        attribute["value"].as_object()?.values().next()?.as_str()
    }

    /// When it began and ended, in nanoseconds.
    pub fn times(&self) -> (u64, u64) {
        let time = |key| self.text(key).parse().unwrap();
        (time("startTimeUnixNano"), time("endTimeUnixNano"))
    }
}

impl Collector {
    /// Starts one at a port of its own.
    pub fn start(mood: Mood) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), mood)
    }

    pub fn at(address: SocketAddr, mood: Mood) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared { mood, requests: 0, spans: Vec::new() }));
        let theirs = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = theirs.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, shared }
    }

    /// A node that sends its traces here, with more keys of `[traces]`.
    pub fn of(&self, setup: Setup, keys: &str) -> Setup {
        tracing_to(self.address, setup, keys)
    }

    pub fn becomes(&self, mood: Mood) {
        self.shared.lock().unwrap().mood = mood;
    }

    pub fn requests(&self) -> usize {
        self.shared.lock().unwrap().requests
    }

    pub fn spans(&self) -> Vec<Span> {
        self.shared.lock().unwrap().spans.clone()
    }

    /// Waits until as many spans are there, and returns them all.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Span> {
        wait_until(&format!("{count} spans come"), PATIENCE, || self.spans().len() >= count);
        self.spans()
    }

    /// Waits until the spans of a request to this path are there, and returns them by their names: the request's own comes first.
    #[track_caller]
    pub fn wait_for_request(&self, path: &str, count: usize) -> Vec<Span> {
        let mut found = Vec::new();
        wait_until(&format!("{count} spans of {path} come"), PATIENCE, || {
            let spans = self.spans();
            let Some(request) = spans.iter().find(|span| span.attribute("url.path") == Some(path)) else { return false };
            let parts = spans.iter().filter(|span| span.text("parentSpanId") == request.text("spanId"));
            found = [request].into_iter().chain(parts).cloned().collect();
            found.len() >= count
        });
        found[1..].sort_by_key(|span| span.times());
        found
    }
}

/// A node that sends its traces to an address.
pub fn tracing_to(address: SocketAddr, setup: Setup, keys: &str) -> Setup {
    setup.config(&format!("[traces]\nendpoint = \"http://{address}\"\n{keys}"))
}

/// Stops a node, so that what it has not sent yet is sent, or lost.
pub fn stop(mut node: Node) {
    node.stop();
}

fn serve(stream: TcpStream, shared: &Mutex<Shared>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some((head, body)) = read(&mut reader) {
        let mood = {
            let mut shared = shared.lock().unwrap();
            shared.requests += 1;
            if shared.mood == Mood::Takes {
                assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n") && head.contains("content-type: application/json\r\n"), "{head}");
                let sent: Value = serde_json::from_slice(&body).unwrap();
                let resource = &sent["resourceSpans"][0];
                assert_eq!(resource["resource"]["attributes"][0]["key"], "service.name");
                shared.spans.extend(resource["scopeSpans"][0]["spans"].as_array().unwrap().iter().cloned().map(Span));
            }
            shared.mood
        };
        let status = match mood {
            Mood::Takes => 200,
            Mood::Answers(status) => status,
            Mood::Hangs => return std::thread::park(),
        };
        let answer = format!("HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}");
        if (&stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads a request, if the connection has another.
fn read(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let lower = head.to_lowercase();
    let length = lower.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}
