//! How long a function takes to answer, asked at a fixed rate.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use super::now;

/// Requests a second on each connection; few, so that an answer of some milliseconds does not delay the next request.
const RATE: u32 = 25;
const CONNECTIONS: u32 = 24;

/// Asks a path for so long, and returns how long each answer took, in milliseconds.
pub fn ask(address: &str, path: &str, span: Duration) -> Vec<f64> {
    thread::scope(|scope| {
        let askers: Vec<_> = (0..CONNECTIONS).map(|at| scope.spawn(move || ask_on_one(address, path, span, at))).collect();
        askers.into_iter().flat_map(|asker| asker.join().unwrap()).collect()
    })
}

/// An answer that is late for the next request makes that one late, too: it counts from when it was due.
fn ask_on_one(address: &str, path: &str, span: Duration, at: u32) -> Vec<f64> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    let period = Duration::from_secs(1) / RATE;
    let began = now() + period * at / CONNECTIONS;
    let mut times = Vec::new();
    let mut answer = [0; 4_096];
    for number in 0..(span.as_secs_f64() * f64::from(RATE)) as u32 {
        let due = began + period * number;
        let from = match due.checked_duration_since(now()) {
            Some(early) => {
                thread::sleep(early);
                now()
            }
            None => due,
        };
        stream.write_all(request.as_bytes()).unwrap();
        let read = stream.read(&mut answer).unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
        times.push(from.elapsed().as_secs_f64() * 1e3);
    }
    times
}

/// Returns the figure that this part of them does not pass.
pub fn percentile(times: &mut [f64], part: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * part).round() as usize]
}
