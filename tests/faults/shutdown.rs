//! SIGTERM under load: what was begun is ended, and everything that was answered is recorded.

use std::{collections::BTreeSet, io::ErrorKind, time::Duration};

use picloud::clock::monotonic;

use crate::{
    kit::Load,
    node::{PATIENCE, Signal, executions, node},
};

/// Some are short and run where connections are served, some take a while on the pool.
const MIXED: &str = "if ctx.execution_id.len() > 0 { let n = 0; for i in 0..3_000 { n += i } n }";

#[test]
fn what_was_begun_is_answered_and_what_was_answered_is_recorded() {
    for signal in [Signal::TERM, Signal::INT] {
        let slow = "let n = 0; for i in 0..60_000 { n += i } n";
        let mut node = node(&[("short.rhai", "1"), ("mixed.rhai", MIXED), ("slow.rhai", slow)]).start();
        let loads: Vec<(Load, &str)> = ["/short", "/mixed", "/slow"].map(|path| (Load::default(), path)).into();
        let mut began = monotonic();
        std::thread::scope(|scope| {
            let clients: Vec<_> = loads.iter().flat_map(|(load, path)| load.start(scope, &node, 4, path)).collect();
            for (load, _) in &loads {
                load.during(|| load.wait_for_more(20));
            }
            node.signal(signal);
            began = monotonic();
            for client in clients {
                // A kept connection ends between two requests: at most the next one finds it closed, and no part of an answer came.
                let Err(error) = client.join().unwrap() else { continue };
                let is_closed = matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
                assert!(is_closed, "{error:?}");
            }
        });
        assert_eq!(node.ended().code(), Some(0), "{}", node.log());
        assert!(began.elapsed() < Duration::from_secs(20).min(PATIENCE), "within the grace period: {:?}", began.elapsed());
        let answered: BTreeSet<String> = loads.into_iter().flat_map(|(load, _)| load.answered()).map(|answered| answered.id).collect();
        let recorded: BTreeSet<String> = executions(&node.data()).into_iter().map(|execution| execution.id.to_string()).collect();
        let (unrecorded, unanswered) = (answered.difference(&recorded).count(), recorded.difference(&answered).count());
        assert_eq!((unrecorded, unanswered), (0, 0), "of {} answered and {} recorded", answered.len(), recorded.len());
    }
}
