//! One attempt of a delivery: it runs, is recorded, and what becomes of it follows.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{announce::event, lease::LONGEST_RUN, occasion, tick_runs::TickRuns};
use crate::{
    clock::SharedClock,
    execution::{EventInfo, Execution, ExecutionId, Failure, MAX_DEPTH, NewEvent, Outcome, Reply, Trigger, Verdict},
    executor::ExecuteError,
    function::retry::Retry,
    live::{Live, LiveFunction, Table},
    queue::{Delivery, End, Load, Publication, QueueError, Receiver, Settlement},
    runner::{Attempt, HandledOutcome, NoReply, Permission, Runner, Said, StopReason, StoppedRun, Target},
};

/// Attempts whose lease ended unsettled, after which a delivery is given up: it may be what takes the nodes down.
pub const MAX_LOST: u32 = 3;
/// How long a delivery waits that the node had no place for, in microseconds.
const BUSY_WAIT_US: i64 = 1_000_000;

/// What came of an attempt, for whoever asked for it.
pub struct RunReport {
    /// Names the execution.
    pub id: ExecutionId,
    /// Why it was stopped, if it was.
    pub stopped: Option<StopReason>,
    /// What is on record; none: the script did not run, or goes on although it was stopped.
    pub execution: Option<Box<Execution>>,
    /// The reply, or why there is none.
    pub end: Result<Result<Reply, NoReply>, ExecuteError>,
    /// When it is tried again, in microseconds since 1970; none: it is not.
    pub again_us: Option<i64>,
}

/// What runs deliveries.
pub struct DeliveryRunner {
    /// Runs functions.
    pub runner: Arc<Runner>,
    /// What is live.
    pub live: Arc<Live>,
    /// Tells the time.
    pub clock: SharedClock,
    /// Knows which runs of schedules are under way.
    pub ticks: Arc<TickRuns>,
    /// Cancelled when the grace period of a stop is over: what still runs is cut, and put back.
    pub grace_over: CancellationToken,
}

/// How an attempt ended.
struct AttemptOutcome {
    execution: Option<ExecutionId>,
    end: AttemptEnd,
    said: Said,
    report: Option<RunReport>,
}

enum AttemptEnd {
    Well,
    /// The node had no place for it.
    Busy,
    /// It was stopped from outside.
    Stopped(StopReason),
    /// Why.
    Badly(String),
}

impl DeliveryRunner {
    /// Makes an attempt of a delivery, and counts it. Returns how it is settled, and what came of the run if there was one.
    pub async fn run(&self, delivery: &Delivery) -> (Settlement, Option<RunReport>) {
        let (settled, report) = self.settlement(delivery).await;
        let counts = self.runner.publisher().counts();
        counts.handled(HandledOutcome::of(&settled));
        counts.emitted(settled.emitted.len());
        (settled, report)
    }

    /// Puts back a delivery that the node has no place for.
    pub fn put_back(&self, delivery: &Delivery) -> Settlement {
        settled(delivery, self.later())
    }

    /// When a delivery is tried that the node has no place for.
    fn later(&self) -> End {
        End::Later(self.clock.now_us() + BUSY_WAIT_US)
    }

    async fn settlement(&self, delivery: &Delivery) -> (Settlement, Option<RunReport>) {
        if self.grace_over.is_cancelled() {
            // It has waited for its place until now.
            return (self.put_back(delivery), None);
        }
        if delivery.lost >= MAX_LOST {
            let why = format!("its node went or hung {MAX_LOST} times while it ran");
            let end = End::Dead("lost".into());
            let emitted = self.tell_of_death(delivery, &end);
            return (Settlement { emitted, error: Some(why), ..settled(delivery, end) }, None);
        }
        let table = self.live.table();
        let Some(Start { live, trigger, told, retry, payload }) = Start::find(&table, delivery, self.clock.now_us()) else {
            // A schedule that is gone has no more due times; an event waits for its handler to come back.
            let end = if matches!(delivery.load, Load::Tick(_)) { End::Done } else { End::Held };
            return (settled(delivery, end), None);
        };
        let attempt = self.runner.start(Target { table: &table, function: live }, trigger, told);
        let under_way = self.ticks.begin(delivery);
        let stopped = async {
            tokio::select! {
                () = under_way.replaced() => StopReason::Replaced,
                () = self.grace_over.cancelled() => StopReason::NodeStops,
                () = tokio::time::sleep(LONGEST_RUN), if live.function.manifest.limits.timeout.0 > LONGEST_RUN => StopReason::TooLong,
            }
        };
        let AttemptOutcome { execution, end, said, report } = self.attempt(attempt, live, payload, stopped).await;
        let (end, error, mut emitted) = match end {
            AttemptEnd::Well => match self.kept(said.emitted).await {
                Ok(emitted) => (End::Done, None, emitted),
                Err(why) => (self.after_failure(delivery, retry, None), Some(format!("its events could not be kept: {why}")), Vec::new()),
            },
            // It has left the queue already.
            AttemptEnd::Stopped(StopReason::Replaced) => (End::Done, None, Vec::new()),
            // The attempt counts, as the run has begun. But it has not failed: it comes again even if it was the last one.
            AttemptEnd::Stopped(why @ StopReason::NodeStops) => (End::Retry(self.clock.now_us()), Some(why.to_string()), Vec::new()),
            AttemptEnd::Stopped(why @ StopReason::TooLong) => {
                (self.after_failure(delivery, retry, None), Some(why.to_string()), Vec::new())
            }
            AttemptEnd::Busy => (self.later(), None, Vec::new()),
            AttemptEnd::Badly(why) => (self.after_failure(delivery, retry, said.verdict), Some(why), Vec::new()),
        };
        emitted.extend(self.tell_of_death(delivery, &end));
        let version = Some(live.function.version);
        let again_us = match end {
            // It comes again when the node is there again.
            End::Retry(at_us) | End::Later(at_us) if !self.grace_over.is_cancelled() => Some(at_us),
            _ => None,
        };
        let report = report.map(|report| RunReport { again_us, ..report });
        (Settlement { execution, version, error, emitted, ..settled(delivery, end) }, report)
    }

    /// Returns the event of the node about a delivery that is given up, addressed.
    fn tell_of_death(&self, delivery: &Delivery, end: &End) -> Vec<Publication> {
        self.runner.publisher().address(death(delivery, end).into_iter().collect())
    }

    /// Addresses what a run emitted, if the queue has room for it.
    async fn kept(&self, emitted: Vec<NewEvent>) -> Result<Vec<Publication>, QueueError> {
        let emitted = self.runner.publisher().address(emitted);
        self.runner.publisher().must_have_room(&emitted).await.map(|()| emitted)
    }

    async fn attempt(
        &self,
        mut attempt: Attempt<'_>,
        live: &Arc<LiveFunction>,
        payload: Vec<u8>,
        stopped: impl Future<Output = StopReason>,
    ) -> AttemptOutcome {
        let request = occasion::request(&live.function.name, payload);
        let ran = attempt.run_until(Permission::of_node(&live.function), request, stopped).await;
        let (id, said) = (attempt.id, attempt.take_said());
        let ran = match ran {
            Ok(ran) => ran,
            Err(StoppedRun { reason, execution }) => {
                let failure = execution.as_ref().and_then(|execution| execution.failure.clone());
                let end = Ok(Err(NoReply { outcome: Outcome::Cancelled, failure }));
                let report = Some(RunReport { id, stopped: Some(reason), execution, end, again_us: None });
                return AttemptOutcome { execution: Some(id), end: AttemptEnd::Stopped(reason), said: Said::default(), report };
            }
        };
        let (end, status) = match &ran {
            Ok(Ok(reply)) if reply.status.is_server_error() => {
                (AttemptEnd::Badly(format!("it answered {}", reply.status.as_u16())), reply.status)
            }
            Ok(Ok(reply)) => {
                attempt.sends();
                (AttemptEnd::Well, reply.status)
            }
            Ok(Err(NoReply { failure, outcome })) => {
                let why = failure.as_ref().map_or_else(|| outcome.as_str().to_owned(), |failure| place_and_message(failure));
                (AttemptEnd::Badly(why), StatusCode::INTERNAL_SERVER_ERROR)
            }
            Err(ExecuteError::MalformedBody(why)) => (AttemptEnd::Badly(why.clone()), StatusCode::BAD_REQUEST),
            Err(_) => {
                let report = RunReport { id, stopped: None, execution: None, end: ran, again_us: None };
                return AttemptOutcome { execution: None, end: AttemptEnd::Busy, said, report: Some(report) };
            }
        };
        let report = RunReport { id, stopped: None, execution: attempt.answered_with_record(status), end: ran, again_us: None };
        AttemptOutcome { execution: Some(id), end, said, report: Some(report) }
    }

    /// Returns how a delivery goes on after an attempt that failed.
    fn after_failure(&self, delivery: &Delivery, retry: Retry, verdict: Option<Verdict>) -> End {
        let tried = delivery.attempt - delivery.earlier;
        let wait = retry.wait(tried, chance());
        match (verdict, wait) {
            (Some(Verdict::Dead(reason)), _) => End::Dead(reason),
            // The next due time comes anyway, and what became of this one is on record.
            (_, None) if matches!(delivery.load, Load::Tick(_)) && retry.attempts == 1 => End::Done,
            (_, None) => End::Dead(if tried == 1 { "it failed".into() } else { format!("it failed {tried} times") }),
            (Some(Verdict::Retry(Some(after))), Some(_)) => End::Retry(self.clock.now_us() + after.as_micros() as i64),
            (_, Some(wait)) => End::Retry(self.clock.now_us() + wait.as_micros() as i64),
        }
    }
}

/// What a delivery starts.
struct Start<'a> {
    live: &'a Arc<LiveFunction>,
    trigger: Trigger,
    /// What the run is told of it.
    told: EventInfo,
    retry: Retry,
    /// JSON.
    payload: Vec<u8>,
}

impl<'a> Start<'a> {
    /// Finds what a delivery starts, if that is live.
    fn find(table: &'a Table, delivery: &Delivery, now_us: i64) -> Option<Self> {
        match (&delivery.receiver, &delivery.load) {
            (Receiver::Handler(id), Load::Event(event)) => {
                let (live, _) = table.triggers().handler(id)?;
                let retry = Retry::OF_EVENTS.with(&live.function.manifest.retry);
                let (told, payload) = (occasion::of_event(delivery, event), event.payload.as_bytes().to_vec());
                Some(Self { live, trigger: Trigger::Event, told, retry, payload })
            }
            (Receiver::Schedule(id), Load::Tick(tick)) => {
                let (live, schedule) = table.triggers().schedule(id)?;
                let trigger = if tick.is_manual { Trigger::Manual } else { Trigger::Schedule };
                let told = occasion::of_tick(delivery.attempt, id, schedule, tick, now_us);
                let retry = Retry::OF_SCHEDULES.with(&live.function.manifest.retry);
                Some(Self { live, trigger, told, retry, payload: occasion::input(schedule, tick).to_string().into_bytes() })
            }
            _ => None,
        }
    }
}

/// Settles a delivery of which nothing ran.
fn settled(delivery: &Delivery, end: End) -> Settlement {
    let Delivery { id: delivery, attempt, until_us, .. } = *delivery;
    Settlement { delivery, attempt, until_us, execution: None, version: None, error: None, end, emitted: Vec::new() }
}

/// Returns the event of the node about a delivery that is given up, without words of its function: any other may handle this. None is told of
/// one that told such a thing itself, or that ends a chain.
fn death(delivery: &Delivery, end: &End) -> Option<NewEvent> {
    let End::Dead(_) = end else { return None };
    let (topic, depth) = match &delivery.load {
        Load::Event(event) if event.topic.is_own() || event.depth >= MAX_DEPTH => return None,
        Load::Event(event) => (Some(&event.topic), event.depth),
        Load::Tick(_) => (None, 0),
    };
    let receiver = delivery.receiver.as_str();
    let payload = json!({
        "delivery": delivery.id.to_string(),
        "receiver": receiver,
        "topic": topic,
        "attempts": delivery.attempt,
    });
    // It is a link of the chain: whoever handles it may emit what leads here again.
    Some(NewEvent { depth: depth + 1, ..event("picloud.event.dead", &delivery.id.to_string(), &payload) })
}

fn place_and_message(failure: &Failure) -> String {
    let place = failure.position.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
    format!("{}{place}: {}", failure.file, failure.message)
}

/// Returns a number from 0 to 1.
fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX)
}
