//! The socket of the gate: whatever a hook says, the node answers with one verdict, and accepts nothing that it does not understand.

use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    time::Duration,
};

use picloud::gate::{Push, Verdict};

use crate::{
    harness::{fuzz, kind},
    kit::node,
};

#[test]
fn gate() {
    let node = node::node(&[]).config("[source]\nkind = \"git\"\nrepository = \"hosted\"\n").start();
    let socket = node.data().join("functions.git/picloud.sock");
    fuzz("gate", move |input| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let _ = stream.write_all(input).and_then(|()| stream.shutdown(Shutdown::Write));
        let mut answered = Vec::new();
        let read = stream.read_to_end(&mut answered);
        assert!(!node.log().contains("panicked"), "{}", node.log());
        if answered.is_empty() {
            // It is no text, or the node stopped reading.
            return format!("nothing {}", read.is_err());
        }
        let verdict: Verdict = serde_json::from_slice(&answered).unwrap();
        let line = input.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let Ok(push) = serde_json::from_slice::<Push>(line) else {
            assert!(!verdict.is_accepted, "what it does not understand it accepts");
            return verdict.say.first().map_or_else(String::new, |said| kind(said));
        };
        let again: Push = serde_json::from_slice(&serde_json::to_vec(&push).unwrap()).unwrap();
        assert_eq!(again, push);
        format!("{:?} {} {}", push.stage, verdict.is_accepted, verdict.say.iter().map(|said| kind(said)).take(3).collect::<String>())
    });
}
