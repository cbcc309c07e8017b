//! Traces: what became of a request and how long each part took, told to a collector by the protocol of OpenTelemetry. Whoever answers requests
//! only puts spans into a queue, and only of requests that are traced; a thread of its own sends them.

mod context;
mod export;
mod otlp;
mod span;

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::Builder,
    time::Duration,
};

pub use context::Context;
use export::Queue;
pub use span::{Span, SpanKind, Value, cut};
use tokio::sync::oneshot;

use crate::{blocking, clock::SharedClock, id::ExecutionId};

/// How requests are traced.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceSettings {
    /// Where the collector takes spans, as a URL.
    pub endpoint: String,
    /// The part of the requests that is traced where their callers do not say, from 0 to 1.
    pub sample: f64,
    /// Spans that wait for the collector; beyond it new ones are dropped and counted.
    pub queue: usize,
    /// What the node is called.
    pub service: String,
}

/// Traces requests: a cheap handle to be cloned.
#[derive(Clone)]
pub struct Tracer(Arc<Shared>);

struct Shared {
    settings: TraceSettings,
    clock: SharedClock,
    random: RandomState,
    serial: AtomicU64,
    queue: Arc<Queue>,
    /// Executions of traced requests that are not in the store yet; by time, so that the oldest go when too many wait.
    unrecorded: Mutex<BTreeMap<ExecutionId, PendingSpan>>,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

/// Since when an execution waits to be recorded, and the span of its request.
struct PendingSpan {
    since_us: i64,
    request: Context,
}

/// How long the end of the node waits for the last spans to be sent.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// What was traced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TraceStats {
    /// Spans that wait for the collector.
    pub queued: u64,
    /// Those that it took.
    pub sent: u64,
    /// Those that nobody will see: the queue was full, or the collector did not take them.
    pub dropped: u64,
}

impl Tracer {
    /// Starts the thread that sends spans.
    pub fn start(settings: TraceSettings, clock: SharedClock) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(settings.queue));
        let (ends, ended) = oneshot::channel();
        let (theirs, their_settings) = (queue.clone(), settings.clone());
        let work = move || {
            export::run(&theirs, &their_settings);
            drop(ends);
        };
        blocking::spawn(Builder::new().name("traces".into()), work).map_err(|(_, error)| error)?;
        Ok(Self(Arc::new(Shared {
            settings,
            clock,
            random: RandomState::new(),
            serial: AtomicU64::new(0),
            queue,
            unrecorded: Mutex::default(),
            ended: Mutex::new(Some(ended)),
        })))
    }

    /// Decides whether a request is traced: as its caller says, else by chance. Returns its span.
    pub fn begin(&self, caller: Option<&Context>) -> Option<Context> {
        let trace_id = caller.map_or_else(|| self.trace_id(), |caller| caller.trace_id);
        let is_sampled = caller.map_or_else(|| is_chosen(trace_id, self.0.settings.sample), |caller| caller.is_sampled);
        is_sampled.then(|| Context { trace_id, span_id: self.id(), is_sampled })
    }

    /// Makes a span of the same trace.
    pub fn child(&self, of: &Context) -> Context {
        Context { span_id: self.id(), ..*of }
    }

    /// Returns the time in nanoseconds since 1970.
    pub fn now_ns(&self) -> u64 {
        ns(self.0.clock.now_us())
    }

    /// Takes spans that have ended. Never blocks.
    pub fn record(&self, spans: Vec<Span>) {
        self.0.queue.push(spans);
    }

    /// Says that the execution of a request was handed to the journal.
    pub fn awaits(&self, id: ExecutionId, request: Context) {
        let waits = PendingSpan { since_us: self.0.clock.now_us(), request };
        let mut unrecorded = self.unrecorded();
        unrecorded.insert(id, waits);
        if unrecorded.len() > self.0.settings.queue {
            unrecorded.pop_first();
            drop(unrecorded);
            self.0.queue.lose(1);
        }
    }

    /// Says that executions are in the store.
    pub fn recorded(&self, ids: impl Iterator<Item = ExecutionId>) {
        let mut unrecorded = self.unrecorded();
        if unrecorded.is_empty() {
            return;
        }
        let traced: Vec<(ExecutionId, PendingSpan)> = ids.filter_map(|id| Some((id, unrecorded.remove(&id)?))).collect();
        drop(unrecorded);
        let now_us = self.0.clock.now_us();
        let span = |(id, PendingSpan { since_us, request }): (ExecutionId, PendingSpan)| Span {
            context: self.child(&request),
            parent: Some(request.span_id),
            name: "journal".into(),
            kind: SpanKind::Internal,
            began_ns: ns(since_us),
            ended_ns: ns(now_us.max(since_us)),
            attributes: vec![("picloud.execution.id", Value::text(&id.to_string()))],
            error: None,
        };
        self.record(traced.into_iter().map(span).collect());
    }

    /// Returns what was traced.
    pub fn stats(&self) -> TraceStats {
        let (queued, sent, dropped) = self.0.queue.counts();
        TraceStats { queued, sent, dropped }
    }

    /// Sends what waits, if the collector takes it soon.
    pub async fn stop(&self) {
        self.0.queue.close();
        let ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = ended {
            let _ = tokio::time::timeout(LAST_SPANS, ended).await;
        }
    }

    fn trace_id(&self) -> u128 {
        (u128::from(self.id()) << 64) | u128::from(self.id())
    }

    /// Returns a number that nobody else has, most likely: a keyed hash of numbers that rise.
    fn id(&self) -> u64 {
        self.0.random.hash_one(self.0.serial.fetch_add(1, Ordering::Relaxed)).max(1)
    }

    fn unrecorded(&self) -> MutexGuard<'_, BTreeMap<ExecutionId, PendingSpan>> {
        // Nothing that can panic runs while it is held.
        self.0.unrecorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ns(us: i64) -> u64 {
    us.max(0) as u64 * 1_000
}

/// Chooses this part of all traces by their ids, as other programs of OpenTelemetry do, so that they choose the same.
fn is_chosen(trace_id: u128, part: f64) -> bool {
    const ALL: f64 = (1_u64 << 63) as f64;
    (trace_id as u64 >> 1) < (part * ALL) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_none_or_some_traces_are_chosen() {
        let chosen = |part| [0, 1 << 62, 1 << 63, u64::MAX].map(|low| is_chosen(u128::from(low), part));
        assert_eq!(chosen(0.0), [false; 4]);
        assert_eq!(chosen(0.3), [true, true, false, false]);
        assert_eq!(chosen(1.0), [true; 4]);
    }
}
