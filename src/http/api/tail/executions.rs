//! Executions as they come, as server-sent events. Everything here runs when the client's connection takes more. A client that does not
//! read costs nothing but its place. Once the feed has gone on without it, it hears that and is let go.

use std::{
    collections::{BTreeSet, HashSet},
    time::{Duration, Instant},
};

use futures_util::{Stream, stream};
use serde_json::json;

use super::{BEGIN, HEARTBEAT, Hold, event};
use crate::{
    api::WithTime,
    clock::monotonic,
    execution::{Execution, ExecutionId},
    http::{app::App, problem::Problem},
    store::{
        ExecutionFilter,
        journal::feed::{Batch, Listener},
    },
};

/// Bytes that wait for one client, but for the last execution: those beyond are counted and not told.
const MAX_BYTES: usize = 4 << 20;
/// What `tail_rate` counts in.
const SECOND: Duration = Duration::from_secs(1);

/// Somebody who follows.
struct Tail {
    listener: Listener,
    filter: ExecutionFilter,
    /// Told from the store; the feed may tell them again.
    told: HashSet<ExecutionId>,
    /// Executions a second that are told.
    rate: u32,
    /// When the second began, and how many were told in it.
    second: (Instant, u32),
    /// Meant, but too many; not yet said.
    skipped: u64,
    /// The last execution that was looked at.
    last: Option<ExecutionId>,
    hold: Hold,
    /// What is sent next.
    text: String,
    has_ended: bool,
}

/// Returns the events for somebody who follows, beginning with what was missed since the execution `after`.
pub async fn texts(
    app: &App,
    filter: ExecutionFilter,
    after: Option<ExecutionId>,
    hold: Hold,
) -> Result<impl Stream<Item = String> + Send + 'static, Problem> {
    let (listener, since) = app.journal.feed().listen(after);
    let mut tail = Tail {
        listener,
        filter,
        told: HashSet::new(),
        rate: app.settings.tail_rate,
        second: (monotonic(), 0),
        skipped: 0,
        last: after,
        hold,
        text: BEGIN.into(),
        has_ended: false,
    };
    if let Some(after) = after {
        tail.catch_up(app, after, since).await?;
    }
    Ok(stream::unfold(tail, |mut tail| async move {
        if tail.text.is_empty() {
            tail.wait().await?;
        }
        Some((std::mem::take(&mut tail.text), tail))
    }))
}

/// Writes an execution as lists show it.
fn told(execution: &Execution) -> String {
    let whole = WithTime::from(execution);
    const IS_JSON: &str = "plain data with text keys always is JSON";
    if execution.effects.is_empty() && execution.events.is_empty() {
        return serde_json::to_string(&whole).expect(IS_JSON);
    }
    let mut listed = serde_json::to_value(&whole).expect(IS_JSON);
    if let Some(keys) = listed.as_object_mut() {
        keys.retain(|key, _| !["effects", "effects_dropped", "events"].contains(&key.as_str()));
    }
    listed.to_string()
}

impl Tail {
    /// Writes what the store has since then. `since` is what was told after it, if that is known: ids rise with the beginning of runs, and
    /// executions come at their end. Without it runs that began earlier and ended later are left out.
    async fn catch_up(&mut self, app: &App, after: ExecutionId, since: Option<Vec<ExecutionId>>) -> Result<(), Problem> {
        let since: Option<BTreeSet<ExecutionId>> = since.map(|since| since.into_iter().collect());
        let from = match &since {
            None => ExecutionId(after.0.saturating_add(1)),
            Some(since) => match since.first() {
                Some(first) => *first,
                None => return Ok(()),
            },
        };
        let missed = app.missed(&self.filter, from).await?;
        if missed.is_cut {
            self.event("skipped", &json!({ "reason": "more was missed than is told here; `GET /api/admin/executions` has it" }));
        }
        for execution in missed.executions {
            if since.as_ref().is_none_or(|since| since.contains(&execution.id)) {
                self.execution(&execution);
                self.told.insert(execution.id);
            }
        }
        Ok(())
    }

    /// Waits until there is something to send; none after the end.
    async fn wait(&mut self) -> Option<()> {
        while self.text.is_empty() {
            if self.has_ended {
                return None;
            }
            let pause = if self.skipped > 0 { SECOND } else { HEARTBEAT };
            tokio::select! {
                biased;
                why = self.hold.over() => self.end("ended", why),
                next = self.listener.next() => match next {
                    Ok(batch) => self.batch(&batch),
                    Err(_) => self.end("dropped", "the client reads too slowly; with `last-event-id` it can go on"),
                },
                () = tokio::time::sleep(pause) => {
                    self.say_skipped();
                    self.text.push_str(": alive\n");
                    // An id without data says where to go on.
                    if let Some(last) = self.last {
                        self.text.push_str(&format!("id: {last}\n"));
                    }
                    self.text.push('\n');
                }
            }
        }
        Some(())
    }

    fn batch(&mut self, batch: &Batch) {
        let now = monotonic();
        if now.duration_since(self.second.0) >= SECOND {
            self.say_skipped();
            self.second = (now, 0);
        }
        for execution in batch.executions() {
            self.last = Some(execution.id);
            if !self.filter.matches(execution) || self.told.remove(&execution.id) {
                continue;
            }
            if self.second.1 >= self.rate || self.text.len() >= MAX_BYTES {
                self.skipped += 1;
                continue;
            }
            self.second.1 += 1;
            self.execution(execution);
        }
    }

    fn execution(&mut self, execution: &Execution) {
        let json = told(execution);
        self.text.push_str(&format!("id: {}\nevent: execution\ndata: {json}\n\n", execution.id));
    }

    fn say_skipped(&mut self) {
        if self.skipped > 0 {
            self.event(
                "skipped",
                &json!({ "count": self.skipped, "reason": "more came in a second than is told (`tail_rate` in the section `[server]`)" }),
            );
            self.skipped = 0;
        }
    }

    fn end(&mut self, event: &str, reason: &str) {
        self.say_skipped();
        if event == "dropped" {
            tracing::warn!("a client that follows executions reads too slowly and was let go");
        }
        self.event(event, &json!({ "reason": reason }));
        self.has_ended = true;
    }

    fn event(&mut self, name: &str, data: &serde_json::Value) {
        self.text.push_str(&event(name, data));
    }
}
