//! One run: the invocation in, the reply and the record of it out.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use rhai::{Dynamic, EvalAltResult, Scope};

use super::{
    Engine, MalformedBody, Program, Wait, body,
    code::{self, Library},
    context::{self, Run, effects::Effects, log::Log, outbox::Outbox},
    failure,
    meter::{
        self,
        limits::{Allowance, CpuLimit, Stop, Usage},
        share,
    },
    own::{self, Value},
    reply::{self, ReplyError},
    room::RunEngine,
    script::Script,
    value::sizes::Sizes,
};
use crate::{
    cancel::CancelFlag,
    execution::{Execution, Failure, Finished, Invocation, Outcome, Reply, Verdict},
    function::{FilePath, Limits},
};

/// What evaluates the scripts of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Evaluator {
    /// The fast one, with values of its own.
    #[default]
    Own,
    /// Rhai's, which says what every result has to be.
    Rhai,
}

/// How the executor holds on to a run.
#[derive(Clone, Default)]
pub struct Control {
    /// What evaluates its scripts.
    pub evaluator: Evaluator,
    /// Stops the run when set.
    pub cancel: Option<CancelFlag>,
    /// How the run waits for something outside; none: it cannot.
    pub waiter: Option<Arc<dyn Wait>>,
}

/// What became of a run that may use little CPU time.
#[derive(Debug)]
pub enum ShortRun {
    /// It ended.
    Finished(Finished),
    /// It was not over after the CPU time that it was given, and may begin again elsewhere.
    TooLong {
        /// As it was.
        invocation: Box<Invocation>,
        /// Bytes that the attempt left behind.
        leaked_bytes: i64,
    },
}

/// What the scripts of a run come to, before the limits have spoken.
enum Evaluation {
    Replied(Reply),
    Failed(Outcome, Box<Failure>),
}

/// How a run ended.
struct Ending {
    outcome: Outcome,
    reply: Option<Reply>,
    failure: Option<Box<Failure>>,
}

impl Engine {
    /// Runs a program on this thread. The stack must be at least four times as large as the memory limit. A script can build a chain of
    /// values as deep as its memory allows, and dropping such a chain recurses.
    pub fn run(&self, program: &Program, invocation: Box<Invocation>, control: Control) -> Result<Finished, MalformedBody> {
        match execute(program, invocation, None, control)? {
            ShortRun::Finished(finished) => Ok(finished),
            ShortRun::TooLong { .. } => unreachable!("nobody limited its CPU time"),
        }
    }

    /// The same, unless it takes more CPU time than this.
    pub fn run_short(&self, program: &Program, invocation: Box<Invocation>, limit: Duration) -> Result<ShortRun, MalformedBody> {
        execute(program, invocation, Some(limit), Control::default())
    }
}

/// The steps of every run. The meter needs their order: it counts from the first of them until the last value of the run is dropped.
fn execute(program: &Program, invocation: Box<Invocation>, cpu: Option<Duration>, control: Control) -> Result<ShortRun, MalformedBody> {
    let Control { evaluator, cancel, waiter } = control;
    start_meter(&program.function.manifest.limits, cpu, cancel);
    let body = read_body(&invocation)?;
    let has_body = body.is_some();
    let rhai = enter(program, invocation, body.unwrap_or_default(), waiter);
    let evaluation = if has_body { evaluate(program, &rhai, evaluator) } else { no_memory_for_body(program) };
    let usage = meter::usage();
    code::enter(None);
    let Run { invocation, log, effects, outbox, .. } = context::leave().expect("entered above, and nothing else leaves");
    drop(rhai);
    own::end_run();
    // Of the run there is only what goes out.
    let leaked_bytes = meter::leaked() as i64;
    share::give_back();
    if usage.stop == Some(Stop::CpuTime) {
        return Ok(ShortRun::TooLong { invocation, leaked_bytes });
    }
    let departure = effects.as_ref().and_then(|effects| effects.departure.clone());
    let departure = departure.or_else(|| outbox.as_ref()?.verdict.as_ref().map(Verdict::to_string));
    let departure = departure.or_else(|| cut_short(usage.stop, &invocation));
    let ending = ending(program, usage.stop, departure, evaluation);
    Ok(ShortRun::Finished(finish(program, invocation, (log, effects, outbox), &usage, ending, leaked_bytes)))
}

fn start_meter(limits: &Limits, cpu: Option<Duration>, cancel: Option<CancelFlag>) {
    meter::start(&Allowance {
        time: limits.timeout.0,
        operations: limits.operations,
        memory: limits.memory.bytes(),
        cpu: cpu.map(|limit| CpuLimit { limit, since: None }),
        cancel,
    });
}

/// Reads the body; none if there was no memory to read it.
fn read_body(invocation: &Invocation) -> Result<Option<Value>, MalformedBody> {
    match body::read(&invocation.request.headers, &invocation.request.body) {
        Ok(body) => Ok(Some(body)),
        // It may be good: there was no memory to see.
        Err(_) if meter::is_stopped() => Ok(None),
        Err(malformed) => {
            share::give_back();
            Err(malformed)
        }
    }
}

/// Puts a run and its modules on this thread. Returns the engine that has room for its request.
fn enter(program: &Program, invocation: Box<Invocation>, body: Value, waiter: Option<Arc<dyn Wait>>) -> RunEngine<'_> {
    let mut run = Run::new(invocation, program.function.clone(), body, program.copies_body);
    run.waiter = waiter;
    run.capabilities.clone_from(&program.capabilities);
    run.templates.clone_from(&program.templates);
    let rhai = program.class.engine_for(run.sizes(Sizes::allowed_by(&program.function.manifest.limits)));
    context::enter(run);
    code::enter(program.imports.clone().map(|imports| imports as Arc<dyn Library>));
    rhai
}

/// Runs the scripts. Rhai has panicked on odd input before; one more must not take the server with it.
fn evaluate(program: &Program, rhai: &rhai::Engine, evaluator: Evaluator) -> Evaluation {
    catch_unwind(AssertUnwindSafe(|| run_scripts(program, rhai, evaluator))).unwrap_or_else(|_| {
        let message = "the engine failed on this script; please report it";
        Evaluation::Failed(Outcome::Failed, failed_in(&program.script.file, message.into()))
    })
}

fn no_memory_for_body(program: &Program) -> Evaluation {
    let message = "the body needs more memory than there is for it";
    Evaluation::Failed(Outcome::MemoryExceeded, failed_in(&program.script.file, message.into()))
}

/// Says why a run was cancelled that has no caller who could have left.
fn cut_short(stop: Option<Stop>, invocation: &Invocation) -> Option<String> {
    let is_so = stop == Some(Stop::Cancelled) && invocation.event.is_some();
    is_so.then(|| "it was cancelled: the next due time replaced it (`overlap`), or the node stopped".into())
}

/// Says how a run ended. A script can swallow the error of a stop, the stop itself it cannot.
fn ending(program: &Program, stop: Option<Stop>, departure: Option<String>, evaluation: Evaluation) -> Ending {
    let Some(stop) = stop else {
        return match evaluation {
            Evaluation::Replied(reply) => Ending { outcome: Outcome::Ok, reply: Some(reply), failure: None },
            Evaluation::Failed(outcome, failure) => Ending { outcome, reply: None, failure: Some(failure) },
        };
    };
    let (outcome, message) = failure::stopped(stop, &program.function.manifest.limits);
    let message = departure.unwrap_or(message);
    let failure = match evaluation {
        Evaluation::Failed(_, failure) => Box::new(Failure { message, ..*failure }),
        Evaluation::Replied(_) => failed_in(&program.script.file, message),
    };
    Ending { outcome, reply: None, failure: Some(failure) }
}

/// Makes the record of a run that ended, beside its reply.
fn finish(
    program: &Program,
    mut invocation: Box<Invocation>,
    (log, effects, outbox): (Log, Option<Box<Effects>>, Option<Box<Outbox>>),
    usage: &Usage,
    ending: Ending,
    leaked_bytes: i64,
) -> Finished {
    let Ending { outcome, reply, failure } = ending;
    let Effects { list, dropped, kept, .. } = effects.map_or_else(Effects::default, |effects| *effects);
    if let (Some(capture), Some(kept)) = (&mut invocation.capture, kept) {
        capture.put_results(kept);
    }
    let outbox = outbox.map_or_else(Outbox::default, |outbox| *outbox);
    let emitted = outbox.emitted();
    let Outbox { mut events, verdict, .. } = outbox;
    if outcome != Outcome::Ok {
        events.clear();
    }
    let execution = Box::new(Execution {
        id: invocation.execution_id,
        function: program.function.name.clone(),
        version: program.function.version,
        deployment: invocation.deployment,
        trigger: invocation.trigger,
        replay_of: invocation.replay_of,
        request_id: invocation.request_id.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned()),
        method: invocation.request.method.as_str().into(),
        path: invocation.request.uri.path().into(),
        status: reply.as_ref().map_or(0, |reply| reply.status.as_u16()),
        response_type: reply.as_ref().and_then(Reply::recorded_type),
        response_bytes: reply.as_ref().map(|reply| reply.body.len() as u64),
        outcome,
        duration_us: usage.duration.as_micros() as u64,
        operations: usage.operations,
        peak_memory_bytes: usage.peak_memory,
        logs: log.lines,
        logs_dropped: log.dropped,
        effects: list,
        effects_dropped: dropped,
        events: emitted,
        failure,
        captured: invocation.capture.is_some(),
        capture: invocation.capture,
    });
    Finished { reply, emitted: events, verdict, execution, leaked_bytes }
}

/// Runs the guards, and the function's own script unless one of them answers.
fn run_scripts(program: &Program, rhai: &rhai::Engine, evaluator: Evaluator) -> Evaluation {
    // A guard holds callers back, and an event has none.
    let has_caller = context::with(|run| run.invocation.event.is_none()).unwrap_or(true);
    for guard in program.guards.iter().filter(|_| has_caller) {
        match run_script(program, rhai, guard, evaluator) {
            Ok(result) if result.is_unit() => {}
            Ok(result) => return reply_of(program, &guard.file, &result),
            Err(error) => return failed(program, error, &guard.file),
        }
    }
    match run_script(program, rhai, &program.script, evaluator) {
        Ok(result) => reply_of(program, &program.script.file, &result),
        Err(error) => failed(program, error, &program.script.file),
    }
}

/// Runs one script.
fn run_script(program: &Program, rhai: &rhai::Engine, script: &Script, evaluator: Evaluator) -> Result<Value, Box<EvalAltResult>> {
    if program.capabilities.is_some() {
        context::with(|run| run.grants.clone_from(&script.grants));
    }
    match script.code().filter(|_| evaluator == Evaluator::Own) {
        Some(code) => code::run(code, rhai),
        None => rhai.eval_ast_with_scope::<Dynamic>(&mut Scope::new(), script.tree()).map(|result| Value::of(result.flatten())),
    }
}

fn reply_of(program: &Program, file: &FilePath, result: &Value) -> Evaluation {
    meter::keep(|| match reply::from_value(result, program.function.manifest.limits.response.bytes()) {
        Ok(reply) => Evaluation::Replied(reply),
        Err(why @ ReplyError::TooLarge { .. }) => Evaluation::Failed(Outcome::SizeExceeded, failed_in(file, why.to_string())),
        Err(why @ ReplyError::Invalid(_)) => Evaluation::Failed(Outcome::Failed, failed_in(file, why.to_string())),
    })
}

fn failed(program: &Program, mut error: Box<EvalAltResult>, file: &FilePath) -> Evaluation {
    meter::keep(|| {
        let (outcome, failure) = failure::explain(&mut error, file, |file| program.script_of(file));
        Evaluation::Failed(outcome, Box::new(failure))
    })
}

fn failed_in(file: &FilePath, message: String) -> Box<Failure> {
    Box::new(Failure { message, file: file.clone(), position: None, calls: Vec::new() })
}
