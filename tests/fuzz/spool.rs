//! The spool: whatever its file holds after a crash, every line is an execution or counted as torn, and what was read can be written again.

use std::fs;

use picloud::{execution::Execution, store::journal::spool::Spool};

use crate::harness::fuzz;

#[test]
fn spool() {
    fuzz("spool", |input| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("00000001.jsonl"), input).unwrap();
        let mut spool = Spool::open(folder.path(), 1 << 20).unwrap();
        let executions = drain(&mut spool);
        let lines = input.split_inclusive(|byte| *byte == b'\n').count();
        assert_eq!(executions.len() as u64 + spool.lost().torn, lines as u64);
        spool.append(&executions).unwrap();
        assert_eq!(drain(&mut spool), executions, "what was read reads otherwise when it is written again");
        assert!(spool.is_empty());
        format!("{} {}", executions.len(), spool.lost().torn.min(4)) + executions.first().map_or("", |first| first.outcome.as_str())
    });
}

fn drain(spool: &mut Spool) -> Vec<Execution> {
    let mut executions = Vec::new();
    while let Some(batch) = spool.oldest(3).unwrap() {
        spool.advance(&batch).unwrap();
        executions.extend(batch.executions);
    }
    executions
}
