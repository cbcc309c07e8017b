//! Scripts: what passes the check runs to an end within its limits, and the engine beneath does not panic.

use std::time::Duration;

use picloud::{
    engine::{Control, Engine},
    execution::Outcome,
    function::{
        LimitPolicy, Limits,
        quantity::{Size, Span},
    },
};
use rustix::time::{ClockId, clock_gettime};

use crate::{
    harness::{fuzz, kind},
    kit::script::{function, invocation, tree},
};

/// The time limit, and what may pass between it and the end of the run: of the thread's own time, which a busy machine does not change.
const TIME: Duration = Duration::from_millis(50);
const GRACE: Duration = Duration::from_millis(1000);
/// The memory limit, and what one native call may pass it by.
const MEMORY: u64 = 16 << 20;
const SLACK: u64 = 16 << 20;

#[test]
fn script() {
    let limits = Limits { timeout: Span(TIME), memory: Size(MEMORY), ..Limits::DEFAULT };
    let engine = Engine::new(LimitPolicy { default: limits, ..LimitPolicy::default() });
    fuzz("script", move |input| {
        let tree = tree(&[("f.rhai", &String::from_utf8_lossy(input))]);
        let linked = function(&engine, &tree).and_then(|function| engine.program(&function));
        engine.forget_unheld();
        let program = match linked {
            Ok(program) => program,
            Err(found) => return kind(&found[0].message),
        };
        let own = program.function.manifest.limits.clone();
        let before = used();
        let execution = engine.run(&program, invocation("/f?a=1", &[], ""), Control::default()).unwrap().execution;
        let (took, peak) = (used() - before, execution.peak_memory_bytes);
        assert!(took <= own.timeout.0 + GRACE, "it ran {took:?}");
        assert!(peak <= own.memory.0 + SLACK, "it held {} MiB", peak >> 20);
        match execution.failure {
            Some(failure) => {
                assert!(!failure.message.contains("please report it"), "the engine panicked");
                format!("{} {}", execution.outcome.as_str(), kind(&failure.message))
            }
            None => {
                assert_eq!(execution.outcome, Outcome::Ok);
                format!("ok {} {}", execution.status, execution.operations.checked_ilog2().unwrap_or(0))
            }
        }
    });
}

fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
