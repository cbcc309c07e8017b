//! One tree of files, run by both evaluators, and all that can be seen of the two runs, compared.
//!
//! Operations, times and memory are not compared: they are each evaluator's own. For the same reason a run that a limit of them stops is
//! compared by its outcome and message alone.

use std::{
    env, fmt, fs,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use picloud::{
    engine::{Control, Engine, Evaluator, Program, Wait},
    execution::{Finished, Invocation, Outcome},
    function::{LimitPolicy, Limits},
};

use crate::{
    kit::script::{STACK, function, invocation, tree},
    outside::{Here, capabilities},
};

/// Files by their paths; the function is `f.rhai`.
pub type Files<'a> = &'a [(&'a str, &'a str)];

/// Longest that one comparison may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What comparing two runs came to.
#[derive(Debug)]
pub enum Verdict {
    /// Nothing that can be seen tells them apart.
    Same,
    /// The check does not let it run.
    Refused(String),
    /// They differ.
    Differ(Box<Difference>),
}

/// Two runs that differ, and where first.
#[derive(Debug)]
pub struct Difference {
    /// The files, as text.
    pub files: String,
    /// What Rhai's evaluator did.
    pub rhai: Seen,
    /// What ours did.
    pub own: Seen,
}

/// What can be seen of a run: one line for each thing, with its name ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen(pub Vec<String>);

/// Both evaluators, on one thread.
pub struct Both {
    engine: Engine,
    /// A function that is asked after each run.
    next: Arc<Program>,
    waiter: Arc<dyn Wait>,
    /// Told of every comparison; `last` has the script that runs now, for a stack that overflows ends the process.
    alive: Sender<()>,
    last: PathBuf,
}

const NEXT: &str = "let m = #{a: [1, 2, `${1 + 2}`]}; m.a.map(|x| `<${x}>`).reduce(|all, x| all + x, ctx.request.method)";
const NEXT_ANSWERS: &str = "GET<1><2><3>";

impl Both {
    fn new(name: &str, limits: Limits, alive: Sender<()>) -> Self {
        let engine = Engine::new(LimitPolicy { default: limits, ..LimitPolicy::default() });
        engine.offer(capabilities());
        let next = engine.program(&function(&engine, &tree(&[("f.rhai", NEXT)])).unwrap()).unwrap();
        Self { engine, next, waiter: Arc::new(Here::new()), alive, last: last(name) }
    }

    /// Runs these files with the usual request.
    pub fn compare(&self, files: Files<'_>) -> Verdict {
        self.compare_with(files, &usual())
    }

    /// Runs these files with a request of their own.
    pub fn compare_with(&self, files: Files<'_>, invocation: &Invocation) -> Verdict {
        let program = match self.program(files) {
            Ok(program) => program,
            Err(why) => return Verdict::Refused(why),
        };
        let rhai = self.run(&program, Evaluator::Rhai, invocation);
        let own = self.run(&program, Evaluator::Own, invocation);
        match rhai.is_as(&own) {
            true => Verdict::Same,
            false => Verdict::Differ(Box::new(Difference { files: text(files), rhai, own })),
        }
    }

    /// Returns the program of these files, or what the check says against them.
    pub fn program(&self, files: Files<'_>) -> Result<Arc<Program>, String> {
        fs::write(&self.last, text(files)).unwrap();
        let _ = self.alive.send(());
        let program = function(&self.engine, &tree(files)).and_then(|function| self.engine.program(&function));
        self.engine.forget_unheld();
        program.map_err(|found| found[0].to_string())
    }

    /// Runs a program once, and one more after it.
    pub fn run(&self, program: &Program, evaluator: Evaluator, invocation: &Invocation) -> Seen {
        let mut seen = Seen::of(self.finished(program, evaluator, Box::new(invocation.clone())));
        seen.0.extend(self.hurt(evaluator));
        seen
    }

    fn finished(&self, program: &Program, evaluator: Evaluator, invocation: Box<Invocation>) -> Finished {
        let control = Control { evaluator, waiter: Some(self.waiter.clone()), ..Control::default() };
        self.engine.run(program, invocation, control).unwrap()
    }

    /// Says what is wrong with the next run on the same thread.
    fn hurt(&self, evaluator: Evaluator) -> Option<String> {
        let Finished { reply, execution, leaked_bytes, .. } = self.finished(&self.next, evaluator, invocation("/f", &[], ""));
        let is_well = reply.is_some_and(|reply| reply.body == NEXT_ANSWERS) && leaked_bytes == 0;
        (!is_well).then(|| format!("the next run: {:?}, {leaked_bytes} bytes leaked", execution.failure))
    }
}

/// A request with a bit of everything.
pub fn usual() -> Invocation {
    const BODY: &str = r#"{"name":"Ada","items":[{"sku":"a","count":2,"price":1.5},{"sku":"b","count":1,"price":10}],"none":null,
        "nested":{"z":[1,[2,{"y":true}]],"a":"é"},"big":9007199254740993,"list":[3,1,2]}"#;
    *invocation("/f?name=Ada&tag=a&tag=b", &[("content-type", "application/json"), ("x-one", "1")], BODY)
}

impl Seen {
    /// Returns whether the run hurt neither the engine nor the next run.
    pub fn is_well(&self) -> bool {
        !self.0.iter().any(|line| line.starts_with("the next run: ") || line.contains("please report it"))
    }

    /// Whether the run of ours shows what Rhai's does. Of a value that is shared Rhai may tell the type of its container.
    pub fn is_as(&self, own: &Self) -> bool {
        self.0.len() == own.0.len() && self.0.iter().zip(&own.0).all(|(rhai, own)| is_told_as(rhai, own))
    }

    fn of(finished: Finished) -> Self {
        let Finished { reply, mut emitted, verdict, execution, leaked_bytes } = finished;
        let mut seen = vec![format!("outcome: {}", execution.outcome.as_str())];
        let failure = execution.failure.map(|failure| *failure);
        if matches!(execution.outcome, Outcome::TimedOut | Outcome::OperationsExceeded | Outcome::MemoryExceeded) {
            seen.extend(failure.map(|failure| format!("failure: {}", failure.message)));
            return Self(seen);
        }
        if let Some(reply) = reply {
            seen.push(format!("status: {}", reply.status));
            seen.extend(reply.headers.iter().map(|(name, value)| format!("header: {name}: {value:?}")));
            seen.push(format!("body: {}", String::from_utf8_lossy(&reply.body).escape_debug()));
        }
        if let Some(failure) = failure {
            seen.push(format!("failure: {}", failure.message));
            seen.push(format!("at: {}{}", failure.file, place(failure.position)));
            seen.extend(failure.calls.iter().map(|call| format!("called: {} in {}{}", call.function, call.file, place(call.position))));
        }
        seen.extend(execution.logs.iter().map(|line| format!("log: {:?}: {}", line.level, line.message)));
        seen.push(format!("log lines that did not fit: {}", execution.logs_dropped));
        for event in &mut emitted {
            if !event.is_named {
                event.id.clear();
            }
            seen.push(format!("emitted: {event:?}"));
        }
        seen.extend(execution.events.iter().map(|event| format!("event: {} {:?} {}", event.topic, event.key, event.sent)));
        seen.extend(verdict.map(|verdict| format!("verdict: {verdict}")));
        seen.extend(execution.effects.iter().map(|effect| {
            let picloud::execution::Effect { kind, target, outcome, failed, sent_bytes, received_bytes, .. } = effect;
            format!("effect: {kind:?} {target}: {outcome}, failed: {failed}, sent {sent_bytes}, received {received_bytes}")
        }));
        // What is outside frees on other threads.
        if execution.effects.is_empty() {
            seen.push(format!("leaks: {}", leaked_bytes > 0));
        }
        Self(seen)
    }
}

/// Whether two lines say the same.
fn is_told_as(rhai: &str, own: &str) -> bool {
    const CONTAINERS: [&str; 2] = ["a Dynamic>>", "alloc::sync::Arc<std::sync::poison::rwlock::RwLock<rhai::types::dynamic::Dynamic>>"];
    if rhai == own {
        return true;
    }
    CONTAINERS.iter().any(|container| {
        let found = rhai.split_once(container).and_then(|(start, end)| Some((own.strip_prefix(start)?, end)));
        // What holds a value says nothing of it.
        found.is_some_and(|(rest, end)| (0..=rest.len()).any(|at| rest.is_char_boundary(at) && is_told_as(end, &rest[at..])))
    })
}

fn place(position: Option<picloud::function::Position>) -> String {
    position.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column))
}

/// Returns files as one text.
pub fn text(files: Files<'_>) -> String {
    match files {
        [(_, only)] => (*only).to_owned(),
        _ => files.iter().map(|(path, text)| format!("// file {path}\n{text}\n")).collect(),
    }
}

impl fmt::Display for Seen {
    /// Shows its first lines: the outcome, and what came of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_told = |line: &&String| ["outcome: ", "body: ", "failure: ", "at: "].iter().any(|start| line.starts_with(start));
        let told: Vec<_> = self.0.iter().filter(is_told).map(String::as_str).collect();
        f.write_str(&told.join(", "))
    }
}

impl Difference {
    /// Returns the first lines that differ, Rhai's and ours.
    pub fn first(&self) -> (&str, &str) {
        let (rhai, own) = (&self.rhai.0, &self.own.0);
        let at = rhai.iter().zip(own).take_while(|(rhai, own)| rhai == own).count();
        (rhai.get(at).map_or("(nothing more)", String::as_str), own.get(at).map_or("(nothing more)", String::as_str))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rhai, own) = self.first();
        writeln!(f, "{}\n  Rhai: {rhai}\n  own:  {own}", self.files)?;
        // A log of hundreds of lines would hide what there is to see.
        if self.rhai.0.len().max(self.own.0.len()) < 30 {
            writeln!(f, "  all of Rhai's: {:#?}\n  all of ours: {:#?}", self.rhai.0, self.own.0)?;
        }
        Ok(())
    }
}

/// Where the script is that runs now.
fn last(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("rhai-{name}"))
}

/// Does work with both evaluators, on a thread with a node's stack and with these limits.
#[track_caller]
pub fn with_both<T: Send + 'static>(name: &'static str, limits: Limits, work: impl FnOnce(&Both) -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new().stack_size(STACK).spawn(move || work(&Both::new(name, limits, sender))).unwrap();
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("this does not end: {}", fs::read_to_string(last(name)).unwrap()),
        }
    }
    match thread.join() {
        Ok(result) => {
            let _ = fs::remove_file(last(name));
            result
        }
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
