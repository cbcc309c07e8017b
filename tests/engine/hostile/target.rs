//! Runs scripts and holds them to their limits.

use std::{
    env, fs,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use picloud::{
    clock::monotonic,
    engine::{Control, Engine, Program, Wait},
    execution::{EventInfo, Execution, Finished, Outcome},
    function::{LimitPolicy, Limits},
};
use rustix::time::{ClockId, clock_gettime};

use crate::hostile::outside::{Here, PAGE, capabilities};
use crate::kit::script::{STACK, function, invocation, tree};

/// What may pass between the end of a run's time and the end of the run.
pub const GRACE: Duration = Duration::from_millis(250);
/// What one native call may pass the memory limit by.
pub const SLACK: u64 = 16 << 20;
/// Longest that one script may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Cycles of closures are never freed. When so much is lost it is time to end.
const MOST_LEAKED: i64 = 1 << 30;

/// What this thread has used since it began.
struct Used {
    cpu: Duration,
    wall: Duration,
    /// The time that it waited for a processor.
    waited: Duration,
    /// How often it gave up its processor by itself.
    pauses: u32,
}

/// The engine sleeps in steps of 10 ms when a value is locked, which CPU time does not show.
const PAUSE: Duration = Duration::from_millis(10);

impl Used {
    fn now() -> Self {
        let read = |clock| {
            let time = clock_gettime(clock);
            Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
        };
        let schedule = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let pauses = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        Self {
            cpu: read(ClockId::ThreadCPUTime),
            wall: read(ClockId::Monotonic),
            waited: Duration::from_nanos(schedule.split(' ').nth(1).and_then(|nanos| nanos.parse().ok()).unwrap_or_default()),
            pauses: pauses.and_then(|count| count.trim().parse().ok()).unwrap_or_default(),
        }
    }

    /// Returns what the thread computed or slept since then. What a busy machine takes from it is not its own.
    fn since(&self, before: &Self) -> Duration {
        let cpu = self.cpu - before.cpu;
        let still = (self.wall - before.wall).saturating_sub(self.waited.saturating_sub(before.waited)).saturating_sub(cpu);
        cpu + still.min(PAUSE * (self.pauses - before.pauses))
    }
}

/// Does work, and returns what it gave with the time that it took of its thread.
pub fn measured<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let before = Used::now();
    let result = work();
    (result, Used::now().since(&before))
}

/// An engine that scripts are tried on, one after the other, on one thread.
pub struct Target {
    engine: Engine,
    /// A function that is asked after each attack.
    next: Arc<Program>,
    waiter: Arc<dyn Wait>,
    /// What all runs so far allocated and did not free.
    pub leaked_bytes: i64,
    /// Told of every script, and where the script is while it runs: a stack that overflows ends the process.
    alive: Sender<()>,
    last: PathBuf,
}

const NEXT: &str =
    "+++\ntimeout = \"60s\"\n+++\nlet m = #{a: [1, 2, `${1 + 2}`]}; m.a.map(|x| `<${x}>`).reduce(|all, x| all + x, ctx.request.method)";
const EVENT: &str = r#"{"type":"event","topic":"a","attempt":1,"payload":[1,{"a":"x"}]}"#;
const NEXT_ANSWERS: &str = "GET<1><2><3>";

impl Target {
    fn new(name: &str, limits: Limits, alive: Sender<()>) -> Self {
        let engine = Engine::new(LimitPolicy { default: limits, ..LimitPolicy::default() });
        let next = engine.program(&function(&engine, &tree(&[("f.rhai", NEXT)])).unwrap()).unwrap();
        engine.offer(capabilities());
        Self { engine, next, waiter: Arc::new(Here::new()), leaked_bytes: 0, alive, last: last(name) }
    }

    /// Runs a script and holds it to its limits. Returns what it came to, or nothing if the check refuses it.
    pub fn attack(&mut self, script: &str) -> Option<Execution> {
        fs::write(&self.last, script).unwrap();
        self.alive.send(()).unwrap();
        let program = function(&self.engine, &tree(&[("f.rhai", script), PAGE])).and_then(|function| self.engine.program(&function));
        self.engine.forget_unheld();
        let program = program.ok()?;
        let limits = program.function.manifest.limits.clone();
        let (finished, took) = measured(|| self.run(&program));
        let Finished { execution, leaked_bytes, .. } = finished;
        assert!(took <= limits.timeout.0 + GRACE, "ran {took:?} of {}: {script}", limits.timeout);
        let peak = execution.peak_memory_bytes;
        assert!(peak <= limits.memory.0 + SLACK, "held {} MiB of {}: {script}", peak >> 20, limits.memory);
        if let Some(failure) = &execution.failure {
            assert!(!failure.message.contains("please report it"), "the engine panics: {script}");
        }
        self.leaked_bytes += leaked_bytes;
        self.is_unhurt(script);
        Some(*execution)
    }

    /// An event has started it, so that it may say what becomes of that.
    fn run(&self, program: &Program) -> Finished {
        let mut invocation = invocation("/f?a=1", &[], "");
        invocation.event = Some(EventInfo { json: EVENT.into(), depth: 1 });
        self.engine.run(program, invocation, Control { waiter: Some(self.waiter.clone()), ..Control::default() }).unwrap()
    }

    /// The next run on the same thread.
    fn is_unhurt(&self, script: &str) {
        let Finished { reply, execution, leaked_bytes, .. } = self.run(&self.next);
        assert_eq!(execution.outcome, Outcome::Ok, "{:?} after {script}", execution.failure);
        assert_eq!(reply.unwrap().body, NEXT_ANSWERS, "after {script}");
        assert_eq!((leaked_bytes, execution.peak_memory_bytes < 64 << 10), (0, true), "after {script}");
    }

    /// Does rounds of work until its time is over, at least one. Returns how many.
    pub fn rounds(&mut self, seconds: u64, mut round: impl FnMut(&mut Self)) -> u64 {
        let limit = Duration::from_secs(number("PICLOUD_FUZZ_SECONDS").unwrap_or(seconds));
        let (began, mut done) = (monotonic(), 0);
        while done == 0 || began.elapsed() < limit && self.leaked_bytes < MOST_LEAKED {
            round(self);
            done += 1;
        }
        println!("{} MiB lost to cycles", self.leaked_bytes >> 20);
        done
    }
}

/// Where the script is that runs now.
fn last(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile-{name}"))
}

/// Does work with a target, on a thread with a node's stack.
#[track_caller]
pub fn with_target<T: Send + 'static>(name: &'static str, limits: Limits, work: impl FnOnce(&mut Target) -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new().stack_size(STACK).spawn(move || work(&mut Target::new(name, limits, sender))).unwrap();
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("this does not end: {}", fs::read_to_string(last(name)).unwrap()),
        }
    }
    match thread.join() {
        Ok(result) => {
            fs::remove_file(last(name)).unwrap();
            result
        }
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not `{text}`")))
}

/// The seed of what is tried.
pub fn seed() -> u64 {
    number("PICLOUD_FUZZ_SEED").unwrap_or_default()
}
