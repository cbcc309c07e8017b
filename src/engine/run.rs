//! One run: the invocation in, the reply and the record of it out.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use rhai::{Dynamic, EvalAltResult, Scope};

use super::{
    CancelFlag, Engine, MalformedBody, Program, body,
    context::{self, Run},
    failure,
    meter::{
        self,
        limits::{Allowance, CpuLimit, Stop},
        share,
    },
    module,
    plan::run::PlanOutcome,
    reply::{self, BadReply},
    script::Script,
    value::sizes::Sizes,
};
use crate::{
    execution::{Execution, Failure, Finished, Invocation, Outcome, Reply},
    function::FilePath,
};

/// How the executor holds on to a run.
#[derive(Debug, Clone, Default)]
pub struct Control {
    /// Stops the run when set.
    pub cancel: Option<CancelFlag>,
}

/// What became of a run that was to be brief.
#[derive(Debug)]
pub enum Brief {
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

/// What the script part of a run came to, before the limits have spoken.
enum Ran {
    Replied(Reply),
    Failed(Outcome, Failure),
}

impl Engine {
    /// Runs a program on this thread. The stack must be at least four times as large as the memory limit. A script can build a chain of
    /// values as deep as its memory allows, and dropping such a chain recurses.
    pub fn run(&self, program: &Program, invocation: Box<Invocation>, control: Control) -> Result<Finished, MalformedBody> {
        match self.run_within(program, invocation, None, control)? {
            Brief::Finished(finished) => Ok(finished),
            Brief::TooLong { .. } => unreachable!("nobody limited its CPU time"),
        }
    }

    /// The same, unless it takes more CPU time than this.
    pub fn run_briefly(&self, program: &Program, invocation: Box<Invocation>, limit: Duration) -> Result<Brief, MalformedBody> {
        self.run_within(program, invocation, Some(limit), Control::default())
    }

    fn run_within(
        &self,
        program: &Program,
        invocation: Box<Invocation>,
        cpu: Option<Duration>,
        control: Control,
    ) -> Result<Brief, MalformedBody> {
        let limits = &program.function.manifest.limits;
        meter::start(&Allowance {
            time: limits.timeout.0,
            operations: limits.operations,
            memory: limits.memory.bytes(),
            cpu: cpu.map(|limit| CpuLimit { limit, since: None }),
            cancel: control.cancel,
        });
        let body = match body::read(&invocation.request.headers, &invocation.request.body) {
            Ok(body) => Some(body),
            // It may be good: there was no memory to see.
            Err(_) if meter::is_stopped() => None,
            Err(malformed) => {
                share::give_back();
                return Err(malformed);
            }
        };
        let is_read = body.is_some();
        let body = body.unwrap_or_default();
        let run = Run::new(invocation, program.function.clone(), body, program.copies_body);
        let rhai = program.class.engine_for(run.sizes(Sizes::allowed_by(limits)));
        context::enter(run);
        module::enter(program.imports.clone());
        let file = &program.script.file;
        // Rhai has panicked on odd input before; one more must not take the server with it.
        let ran = catch_unwind(AssertUnwindSafe(|| match is_read {
            true => answer(program, &rhai),
            false => Ran::Failed(Outcome::MemoryExceeded, failed_in(file, "the body needs more memory than there is for it".into())),
        }))
        .unwrap_or_else(|_| Ran::Failed(Outcome::Failed, failed_in(file, "the engine failed on this script; please report it".into())));
        let usage = meter::usage();
        module::enter(None);
        let Run { invocation, log, .. } = context::leave().expect("entered above, and nothing else leaves");
        drop(rhai);
        // Of the run there is only what goes out.
        let leaked_bytes = meter::leaked() as i64;
        share::give_back();
        if usage.stop == Some(Stop::CpuTime) {
            return Ok(Brief::TooLong { invocation, leaked_bytes });
        }
        // A script can swallow the error of a stop, the stop itself it cannot.
        let (outcome, reply, failure) = match (usage.stop, ran) {
            (Some(stop), ran) => {
                let (outcome, message) = failure::stopped(stop, limits);
                let failure = match ran {
                    Ran::Failed(_, failure) => Failure { message, ..failure },
                    Ran::Replied(_) => failed_in(file, message),
                };
                (outcome, None, Some(failure))
            }
            (None, Ran::Replied(reply)) => (Outcome::Ok, Some(reply), None),
            (None, Ran::Failed(outcome, failure)) => (outcome, None, Some(failure)),
        };
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
            outcome,
            duration_us: usage.duration.as_micros() as u64,
            operations: usage.operations,
            peak_memory_bytes: usage.peak_memory,
            logs: log.lines,
            logs_dropped: log.dropped,
            failure,
            capture: invocation.capture,
        });
        Ok(Brief::Finished(Finished { reply, execution, leaked_bytes }))
    }
}

fn answer(program: &Program, rhai: &rhai::Engine) -> Ran {
    for guard in &program.guards {
        match evaluate(program, rhai, guard) {
            Ok(result) if result.is_unit() => {}
            Ok(result) => return reply_of(program, &guard.file, &result),
            Err(error) => return failed(program, error, &guard.file),
        }
    }
    match evaluate(program, rhai, &program.script) {
        Ok(result) => reply_of(program, &program.script.file, &result),
        Err(error) => failed(program, error, &program.script.file),
    }
}

fn evaluate(program: &Program, rhai: &rhai::Engine, script: &Script) -> Result<Dynamic, Box<EvalAltResult>> {
    match script.plan().map_or(PlanOutcome::GaveUp, |plan| plan.run(rhai, &program.class.global)) {
        PlanOutcome::Done(result) => return Ok(result),
        PlanOutcome::Stopped(at) => return Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, at).into()),
        PlanOutcome::GaveUp => {}
    }
    rhai.eval_ast_with_scope(&mut Scope::new(), &script.ast)
}

fn reply_of(program: &Program, file: &FilePath, result: &Dynamic) -> Ran {
    meter::keep(|| match reply::from_value(result, program.function.manifest.limits.response.bytes()) {
        Ok(reply) => Ran::Replied(reply),
        Err(why @ BadReply::TooLarge { .. }) => Ran::Failed(Outcome::SizeExceeded, failed_in(file, why.to_string())),
        Err(why @ BadReply::Invalid(_)) => Ran::Failed(Outcome::Failed, failed_in(file, why.to_string())),
    })
}

fn failed(program: &Program, mut error: Box<EvalAltResult>, file: &FilePath) -> Ran {
    let (outcome, failure) = meter::keep(|| failure::explain(&mut error, file, |file| program.script_of(file)));
    Ran::Failed(outcome, failure)
}

fn failed_in(file: &FilePath, message: String) -> Failure {
    Failure { message, file: file.clone(), position: None, calls: Vec::new() }
}
