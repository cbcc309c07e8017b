//! Brings spans to the collector: a bounded queue, and the thread that empties it. With nothing to send the thread sleeps without a timer.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{Span, TraceSettings, otlp};

/// Spans that are sent at once, at most.
const BATCH: usize = 512;
/// How long a span waits for others to go with it.
const LINGER: Duration = Duration::from_secs(1);
/// How long the collector may take for a batch.
const LIMIT: Duration = Duration::from_secs(10);
/// Shortest and longest wait between two attempts to reach a collector that is away.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Bytes that are read of what the collector answers.
const MAX_ANSWER: u64 = 64 * 1024;

/// Spans that wait to be sent; what comes when it is full is dropped and counted.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    limit: usize,
    sent: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    spans: VecDeque<Span>,
    /// Spans of the batch that is being sent: the collector does not have them yet.
    in_hand: usize,
    is_closed: bool,
}

impl Queue {
    /// Makes an empty queue for so many.
    pub fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), wake: Condvar::new(), limit, sent: AtomicU64::new(0), dropped: AtomicU64::new(0) }
    }

    /// Takes spans, as far as there is room.
    pub fn push(&self, spans: Vec<Span>) {
        let mut state = self.lock();
        let before = state.spans.len();
        let room = self.limit.saturating_sub(before);
        let beyond = spans.len().saturating_sub(room);
        state.spans.extend(spans.into_iter().take(room));
        let now = state.spans.len();
        drop(state);
        self.lose(beyond as u64);
        if before == 0 || (before < BATCH && now >= BATCH) {
            self.wake.notify_one();
        }
    }

    /// Counts spans that nobody will see.
    pub fn lose(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// Takes no time any more: what waits is sent now, and then the thread ends.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.wake.notify_all();
    }

    /// Returns how many wait, were sent, and were dropped.
    pub fn counts(&self) -> (u64, u64, u64) {
        let state = self.lock();
        ((state.spans.len() + state.in_hand) as u64, self.sent.load(Ordering::Relaxed), self.dropped.load(Ordering::Relaxed))
    }

    /// Waits for spans, which then are in hand; none when the queue is closed and empty.
    fn next(&self) -> Option<Vec<Span>> {
        let is_empty = |state: &mut State| state.spans.is_empty() && !state.is_closed;
        let state = self.wake.wait_while(self.lock(), is_empty).unwrap_or_else(PoisonError::into_inner);
        let is_few = |state: &mut State| state.spans.len() < BATCH && !state.is_closed;
        let (mut state, _) = self.wake.wait_timeout_while(state, LINGER, is_few).unwrap_or_else(PoisonError::into_inner);
        let count = state.spans.len().min(BATCH);
        state.in_hand = count;
        (count > 0).then(|| state.spans.drain(..count).collect())
    }

    /// Waits for so long; returns whether the queue was closed meanwhile.
    fn is_closed_within(&self, time: Duration) -> bool {
        let waits = |state: &mut State| !state.is_closed;
        let (state, _) = self.wake.wait_timeout_while(self.lock(), time, waits).unwrap_or_else(PoisonError::into_inner);
        state.is_closed
    }

    /// Says that what was in hand waits no longer: it is about to be counted as sent or as dropped.
    fn let_go(&self) {
        self.lock().in_hand = 0;
    }

    fn drop_all(&self) {
        let spans = mem::take(&mut self.lock().spans);
        self.lose(spans.len() as u64);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why spans were not taken.
enum ExportError {
    /// They may be later.
    Away(String),
    /// They never will.
    Refused(String),
}

/// Sends what is queued until the queue is closed.
pub fn run(queue: &Queue, settings: &TraceSettings) {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(LIMIT)).http_status_as_error(false).build().into();
    let url = &settings.endpoint;
    let (mut is_away, mut is_refused) = (false, false);
    while let Some(spans) = queue.next() {
        let (count, body) = (spans.len() as u64, otlp::request(&settings.service, &spans).to_string());
        drop(spans);
        let mut wait = RETRY.0;
        loop {
            match post(&agent, url, &body) {
                Ok(rejected) => {
                    let rejected = rejected.min(count);
                    queue.let_go();
                    queue.sent.fetch_add(count - rejected, Ordering::Relaxed);
                    queue.lose(rejected);
                    if mem::take(&mut is_away) || mem::take(&mut is_refused) {
                        tracing::info!("the collector of traces at `{url}` takes them again");
                    }
                    break;
                }
                Err(ExportError::Refused(why)) => {
                    queue.let_go();
                    queue.lose(count);
                    if !mem::replace(&mut is_refused, true) {
                        tracing::warn!(
                            "the collector at `{url}` refuses traces, and they are dropped: {why}; does it take OTLP over HTTP there?"
                        );
                    }
                    break;
                }
                Err(ExportError::Away(why)) => {
                    if !mem::replace(&mut is_away, true) {
                        tracing::warn!(
                            "the collector of traces at `{url}` is away: {why}; spans wait for it, and are dropped beyond `queue`"
                        );
                    }
                    if queue.is_closed_within(wait) {
                        queue.let_go();
                        queue.lose(count);
                        return queue.drop_all();
                    }
                    wait = (wait * 2).min(RETRY.1);
                }
            }
        }
    }
}

/// Sends a batch; returns how many of it were rejected.
fn post(agent: &ureq::Agent, url: &str, body: &str) -> Result<u64, ExportError> {
    let sent = agent.post(url).header("content-type", "application/json").send(body);
    let mut response = sent.map_err(|error| ExportError::Away(error.to_string()))?;
    // Read to its end, the connection can be used again.
    let answer = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
    match response.status().as_u16() {
        200..=299 => Ok(answer.map_or(0, |answer| otlp::rejected(&answer))),
        // Those that the protocol says to try again.
        status @ (429 | 502..=504) => Err(ExportError::Away(format!("it answers {status}"))),
        status => Err(ExportError::Refused(format!("it answers {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Context, SpanKind},
        *,
    };

    fn spans(count: usize) -> Vec<Span> {
        let span = |id| Span {
            context: Context { trace_id: 1, span_id: id as u64 + 1, is_sampled: true },
            parent: None,
            name: "a".into(),
            kind: SpanKind::Internal,
            began_ns: 0,
            ended_ns: 0,
            attributes: Vec::new(),
            error: None,
        };
        (0..count).map(span).collect()
    }

    #[test]
    fn a_full_queue_drops_what_comes_and_counts_it() {
        let queue = Queue::new(3);
        queue.push(spans(2));
        queue.push(spans(4));
        assert_eq!(queue.counts(), (3, 0, 3));
        queue.close();
        assert_eq!(queue.next().map(|spans| spans.len()), Some(3));
        // What is being sent waits for the collector, too.
        assert_eq!(queue.counts(), (3, 0, 3));
        queue.push(spans(1));
        assert_eq!(queue.counts(), (4, 0, 3));
        queue.let_go();
        assert_eq!(queue.counts(), (1, 0, 3));
    }

    #[test]
    fn spans_are_taken_in_batches_and_none_when_it_is_closed() {
        let queue = Queue::new(10 * BATCH);
        queue.push(spans(BATCH + 1));
        queue.close();
        let taken = || queue.next().map(|spans| spans.len());
        assert_eq!((taken(), taken(), taken()), (Some(BATCH), Some(1), None));
    }
}
