//! The spans of a request to a function's URL: the request itself, and as parts of it finding its route, and the run. The part that the journal
//! takes ends after the answer, so the tracer is told of it there.

use std::{borrow::Cow, time::Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, request::Parts};

use super::{
    Target,
    effect_span::{self, MAX_EFFECT_SPANS},
    record::CLIENT_WENT_AWAY,
};
use crate::{
    clock::monotonic,
    execution::{Execution, ExecutionId, Finished, Outcome, Trigger},
    executor::ExecuteError,
    trace::{Context, Span, SpanKind, Tracer, Value, cut},
};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request that is traced. Its spans are handed on when it is dropped, with what the caller got; without an answer, its client left.
pub struct RequestTrace {
    tracer: Tracer,
    context: Context,
    caller: Option<u64>,
    began: Instant,
    began_ns: u64,
    name: Cow<'static, str>,
    attributes: Vec<(&'static str, Value)>,
    /// The run that is under way.
    running: Option<(Context, u64)>,
    /// The parts that have ended.
    parts: Vec<Span>,
    /// What the caller got.
    pub(super) status: u16,
}

impl RequestTrace {
    /// Begins, if the request is one to be traced.
    pub(super) fn begin(tracer: &Tracer, request: &Parts) -> Option<Box<Self>> {
        let caller = caller(&request.headers);
        let context = tracer.begin(caller.as_ref())?;
        Some(Box::new(Self {
            tracer: tracer.clone(),
            context,
            caller: caller.map(|caller| caller.span_id),
            began: monotonic(),
            began_ns: tracer.now_ns(),
            name: name_of(&request.method),
            attributes: vec![("http.request.method", Value::text(request.method.as_str())), ("url.path", Value::text(request.uri.path()))],
            running: None,
            parts: Vec::new(),
            status: CLIENT_WENT_AWAY,
        }))
    }

    /// The router has looked, and this is what the request met.
    pub(super) fn routed(&mut self, target: &Target<'_>, trigger: Trigger) {
        let function = &target.function.function;
        if let Some(route) = function.route.as_ref().map(ToString::to_string) {
            self.name = cut(&format!("{} {route}", self.name)).into();
            self.attributes.push(("http.route", Value::text(&route)));
        }
        self.attributes.extend([
            ("picloud.function", Value::text(function.name.as_str())),
            ("picloud.version", Value::text(&function.version.to_string())),
            ("picloud.deployment", Value::text(&target.table.deployment.to_string())),
            ("picloud.trigger", Value::text(trigger.as_str())),
        ]);
        self.end_route();
    }

    /// The router has looked, and no function answers the request. Its caller gets this status.
    pub fn unmatched(&mut self, status: StatusCode) {
        self.end_route();
        self.status = status.as_u16();
    }

    fn end_route(&mut self) {
        let (span, now_ns) = (self.tracer.child(&self.context), self.now_ns());
        self.end_part("route", span, self.began_ns, now_ns, Vec::new(), None);
    }

    /// The request is this execution, whether its function runs or not.
    pub(super) fn is_execution(&mut self, id: ExecutionId) {
        self.attributes.push(("picloud.execution.id", Value::text(&id.to_string())));
    }

    /// The run begins. What it does for its caller is a part of it, so that is what it sees of the trace.
    pub(super) fn runs(&mut self, headers: &mut HeaderMap) {
        let span = self.tracer.child(&self.context);
        self.running = Some((span, self.now_ns()));
        headers.insert(TRACEPARENT, HeaderValue::from_str(&span.to_string()).expect("a context is written in ASCII"));
    }

    /// The run has ended, or did not take place.
    pub(super) fn ran(&mut self, executed: &Result<Finished, ExecuteError>) {
        if let Ok(finished) = executed {
            self.effects(&finished.execution);
        }
        let (attributes, error) = match executed {
            Ok(finished) => (of_execution(&finished.execution), error_of(&finished.execution)),
            Err(refused) => (Vec::new(), Some(refused.to_string())),
        };
        self.end_run(attributes, error);
    }

    /// Adds what the run did outside, as its parts.
    fn effects(&mut self, execution: &Execution) {
        let Some((run, began_ns)) = self.running else { return };
        let now_ns = self.now_ns();
        // Before the script began, the run waited for a place.
        let script_began_ns = now_ns.saturating_sub(execution.duration_us.saturating_mul(1_000)).max(began_ns);
        let spans = execution.effects.iter().take(MAX_EFFECT_SPANS);
        self.parts.extend(spans.map(|effect| effect_span::span(effect, self.tracer.child(&run), &run, script_began_ns, now_ns)));
    }

    /// The journal is about to be given the execution.
    pub(super) fn is_to_be_recorded(&self, id: ExecutionId) {
        self.tracer.awaits(id, self.context);
    }

    fn end_run(&mut self, attributes: Vec<(&'static str, Value)>, error: Option<String>) {
        if let Some((span, began_ns)) = self.running.take() {
            let now_ns = self.now_ns();
            self.end_part("run", span, began_ns, now_ns, attributes, error);
        }
    }

    fn end_part(
        &mut self,
        name: &'static str,
        context: Context,
        began_ns: u64,
        ended_ns: u64,
        attributes: Vec<(&'static str, Value)>,
        error: Option<String>,
    ) {
        let parent = Some(self.context.span_id);
        self.parts.push(Span { context, parent, name: name.into(), kind: SpanKind::Internal, began_ns, ended_ns, attributes, error });
    }

    /// Time that passed is measured, so that a clock that is set makes no part longer.
    fn now_ns(&self) -> u64 {
        self.began_ns + self.began.elapsed().as_nanos() as u64
    }
}

impl Drop for RequestTrace {
    fn drop(&mut self) {
        self.end_run(vec![("picloud.outcome", Value::text(Outcome::Cancelled.as_str()))], Some("the client went away".into()));
        self.attributes.push(("http.response.status_code", Value::number(self.status.into())));
        let mut spans = std::mem::take(&mut self.parts);
        spans.push(Span {
            context: self.context,
            parent: self.caller,
            name: std::mem::take(&mut self.name),
            kind: SpanKind::Server,
            began_ns: self.began_ns,
            ended_ns: self.now_ns(),
            attributes: std::mem::take(&mut self.attributes),
            error: (self.status >= 500).then(|| format!("answered {}", self.status)),
        });
        self.tracer.record(spans);
    }
}

/// Reads what a caller says of its trace. Two of it are none, as the standard says.
fn caller(headers: &HeaderMap) -> Option<Context> {
    let mut sent = headers.get_all(TRACEPARENT).iter();
    let first = sent.next()?;
    if sent.next().is_some() {
        return None;
    }
    Context::parse(first.as_bytes())
}

/// Names a request as long as nothing else is known; what callers make up is one word.
fn name_of(method: &Method) -> Cow<'static, str> {
    const KNOWN: [Method; 7] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH];
    if KNOWN.contains(method) { method.to_string().into() } else { "HTTP".into() }
}

fn of_execution(execution: &Execution) -> Vec<(&'static str, Value)> {
    vec![
        ("picloud.outcome", Value::text(execution.outcome.as_str())),
        ("picloud.operations", Value::number(execution.operations)),
        ("picloud.peak_memory_bytes", Value::number(execution.peak_memory_bytes)),
        ("picloud.log_lines", Value::number(execution.logs.len() as u64)),
        ("picloud.effects", Value::number(execution.effects.len() as u64 + u64::from(execution.effects_dropped))),
    ]
}

/// Says what went wrong as the execution does, with its place in the script.
fn error_of(execution: &Execution) -> Option<String> {
    let failure = execution.failure.as_ref()?;
    let place = failure.position.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
    Some(cut(&format!("{}{place}: {}", failure.file, failure.message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_says_at_most_once_what_its_trace_is() {
        let good = HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let mut headers = HeaderMap::new();
        assert_eq!(caller(&headers), None);
        headers.append(TRACEPARENT, good.clone());
        assert_eq!(caller(&headers).map(|caller| caller.span_id), Some(0x00f0_67aa_0ba9_02b7));
        headers.append(TRACEPARENT, good);
        assert_eq!(caller(&headers), None);
    }
}
