//! `/_picloud/metrics`: what a node does, in numbers, for Prometheus. How many series there are is bounded, whatever functions there are and
//! whatever is asked of them: docs/metrics.md says what each is.

mod effects;
mod events;
mod process;
mod text;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use axum::{extract::ConnectInfo, response::IntoResponse};
use http::{HeaderMap, header};
use text::{
    Kind::{Counter, Gauge, Histogram},
    Text,
};
use tokio::time::timeout;

use crate::{
    blocking,
    executor::Usage,
    function::Diagnostic,
    http::{
        app::App,
        auth::Way,
        caller::{Anybody, Caller, Read},
        problem::Problem,
    },
    live::{
        Table,
        meter::{BOUNDS_US, Meter},
    },
    store::queue::QueueSizes,
};

/// Stands for the functions beyond those that are counted each for itself. No function is called so: names that begin with `_` are not served.
const OTHERS: &str = "_other";
/// Stands for requests that no function answered.
const UNMATCHED: &str = "_none";
/// Stands for the functions of earlier deployments and other branches.
const PREVIEWS: &str = "_preview";

/// How long the database may take to say how much waits.
const QUEUE_PATIENCE: Duration = Duration::from_secs(2);

/// Answers whoever may know.
#[utoipa::path(
    get, path = "/_picloud/metrics", tag = "node", security(("token" = []), ()),
    responses((status = 200, description = "Numbers for Prometheus.", body = String, content_type = "text/plain"))
)]
pub async fn answer(
    Anybody(app): Anybody,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    if !app.settings.metrics_open {
        Caller::<Read>::identify(app.clone(), Way::Bearer, &headers, peer.ip()).await?.for_node()?;
    }
    let _turn = app.counts.turn().await;
    let (writer, now_us) = (app.clone(), app.ids.now_us());
    // Some milliseconds with many functions, which no request should wait for.
    let queue = app.queue_sizes().await;
    let text = blocking::run(move || writer.metrics(queue, now_us)).await.expect("writing numbers does not panic");
    Ok(([(header::CONTENT_TYPE, text::CONTENT_TYPE)], text))
}

impl App {
    /// Asks the database how much waits; none if it does not answer soon.
    async fn queue_sizes(&self) -> Option<QueueSizes> {
        let store = self.store.borrow().clone()?;
        timeout(QUEUE_PATIENCE, store.queue_sizes()).await.ok()?.ok()
    }

    fn metrics(&self, queue: Option<QueueSizes>, now_us: i64) -> String {
        let mut text = Text::default();
        let table = self.live.table();
        let usage = self.runner.usage();
        text.metric(Gauge, "picloud_build_info", "The version of PiCloud; always 1.").sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        requests(&mut text, &table);
        self.runs(&mut text, &table, &usage);
        effects::write(&mut text, &self.runner.effects());
        events::write(&mut text, self.runner.publisher().counts(), queue, now_us);
        self.journal(&mut text);
        self.deployments(&mut text, &table, now_us);
        self.traces(&mut text);
        process::write(&mut text, self.counts.started_us());
        text.finish()
    }

    fn runs(&self, text: &mut Text, table: &Table, usage: &Usage) {
        text.metric(Gauge, "picloud_running_executions", "Runs under way.");
        for (function, running) in running(table, usage) {
            text.sample(&[("function", function)], running);
        }
        text.metric(Gauge, "picloud_pool_running_executions", "Runs under way on the pool, where those go that are not known to be fast.")
            .sample(&[], usage.pool_running);
        text.metric(Gauge, "picloud_pool_waiting_executions", "Runs that wait for a thread of the pool.").sample(&[], usage.pool_waiting);
        text.metric(Gauge, "picloud_pool_limit_executions", "The most runs that are under way on the pool, or wait for it.")
            .sample(&[], usage.pool_limit);
        text.metric(Gauge, "picloud_executor_memory_bytes", "Memory that runs hold beyond their first mebibyte.")
            .maybe(&[], usage.memory.map(|(taken, _)| taken));
        text.metric(Gauge, "picloud_executor_memory_limit_bytes", "The most of it that all runs may hold together.")
            .maybe(&[], usage.memory.map(|(_, limit)| limit));
        text.metric(Counter, "picloud_refused_executions_total", "Requests whose function did not run, by why.");
        for (reason, count) in self.runner.rejections() {
            text.sample(&[("reason", reason.as_str())], count);
        }
        text.metric(Gauge, "picloud_connections", "Open connections.").sample(&[], self.connections.len());
        text.metric(Gauge, "picloud_connections_limit", "The most open connections at each address.")
            .sample(&[], self.settings.max_connections);
    }

    fn journal(&self, text: &mut Text) {
        let journal = self.journal.stats();
        text.metric(Gauge, "picloud_journal_queued_executions", "Executions in memory that are not recorded yet.")
            .sample(&[], journal.queued);
        text.metric(Gauge, "picloud_journal_spooled_bytes", "Executions on disk that wait for the database.")
            .sample(&[], journal.spooled_bytes);
        for (name, help, count) in [
            ("picloud_journal_written_executions_total", "Executions that were recorded.", journal.written),
            ("picloud_journal_dropped_executions_total", "Executions that were lost, because queue or spool was full.", journal.dropped),
            ("picloud_journal_refused_executions_total", "Executions that the database did not take.", journal.refused),
            ("picloud_journal_torn_executions_total", "Executions on disk that a killed process left unfinished.", journal.torn),
        ] {
            text.metric(Counter, name, help).sample(&[], count);
        }
        let status = self.live.status();
        let is_up = status.database.is_none() && status.waiting.is_none() && !journal.is_away;
        text.metric(Gauge, "picloud_database_up", "Whether the database took what it was given last.").sample(&[], u8::from(is_up));
    }

    fn traces(&self, text: &mut Text) {
        let traces = self.runner.traces();
        text.metric(Gauge, "picloud_traces_queued_spans", "Spans that wait for the collector.")
            .maybe(&[], traces.map(|traces| traces.queued));
        text.metric(Counter, "picloud_traces_sent_spans_total", "Spans that the collector took.")
            .maybe(&[], traces.map(|traces| traces.sent));
        text.metric(
            Counter,
            "picloud_traces_dropped_spans_total",
            "Spans that were lost: the queue was full, or the collector refused them.",
        )
        .maybe(&[], traces.map(|traces| traces.dropped));
    }

    fn deployments(&self, text: &mut Text, table: &Table, now_us: i64) {
        let (status, seconds) = (self.live.status(), |us: i64| us as f64 / 1e6);
        text.metric(Gauge, "picloud_functions", "Functions that are live.").sample(&[], table.len());
        text.metric(Counter, "picloud_deployments_total", "Deployments that were decided on.")
            .sample(&[("status", "live")], status.decided.live)
            .sample(&[("status", "rejected")], status.decided.rejected);
        let (live, rejected) = (status.live.as_ref().map(|live| live.id), status.decided.last_rejected);
        text.metric(
            Gauge,
            "picloud_last_deployment_timestamp_seconds",
            "When what is live went live, and when a deployment was rejected last.",
        )
        .maybe(&[("status", "live")], live.map(|id| seconds(id.time_us())))
        .maybe(&[("status", "rejected")], rejected.map(|id| seconds(id.time_us())));
        let mistakes = status.diagnostics.iter().filter(|found| Diagnostic::is_error(found)).count();
        text.metric(Gauge, "picloud_source_mistakes", "Mistakes in the source; those files are live as they last were, or not at all.")
            .sample(&[], mistakes);
        for (name, help, is_so) in [
            ("picloud_source_up", "Whether the source can be read as it should be.", status.source.is_none()),
            ("picloud_sync_is_held", "Whether an operator keeps the source from going live.", status.held.is_some()),
            ("picloud_sync_waits_for_database", "Whether a deployment waits for the database.", status.waiting.is_some()),
        ] {
            text.metric(Gauge, name, help).sample(&[], u8::from(is_so));
        }
        let lag = match status.is_in_sync() {
            true => Some(0.0),
            false => status.behind_us(now_us).map(seconds),
        };
        text.metric(Gauge, "picloud_sync_lag_seconds", "For how long the source has held what is not live.").maybe(&[], lag);
        text.metric(Gauge, "picloud_sync_last_look_timestamp_seconds", "When the source was last looked at.")
            .maybe(&[], status.checked_us.map(seconds));
    }
}

/// Every meter with its label, the functions by name.
fn meters(table: &Table) -> Vec<(&str, &Meter)> {
    let own = table.functions().filter_map(|function| Some((function.function.name.as_str(), &**table.own_meter(function)?)));
    let shared = table.shared_meters();
    let shared = [(UNMATCHED, &*shared.unmatched), (OTHERS, &*shared.others), (PREVIEWS, &*shared.previews)];
    let mut meters: Vec<(&str, &Meter)> = own.chain(shared).collect();
    meters.sort_unstable_by_key(|(name, _)| *name);
    meters
}

fn requests(text: &mut Text, table: &Table) {
    let meters = meters(table);
    // A class or outcome that has not come up is there too: whoever watches a rate would not see the first else.
    text.metric(Counter, "picloud_requests_total", "Requests that were answered, and those that their client left.");
    for (function, meter) in &meters {
        for (class, durations) in meter.durations() {
            text.sample(&[("function", function), ("status_class", class)], durations.count());
        }
    }
    text.metric(Counter, "picloud_executions_total", "Runs that ended, by how.");
    for (function, meter) in meters.iter().filter(|(function, _)| *function != UNMATCHED) {
        for (outcome, count) in meter.outcomes() {
            text.sample(&[("function", function), ("outcome", outcome.as_str())], count);
        }
    }
    text.metric(Histogram, "picloud_request_duration_seconds", "From a request's head to its answer.");
    let bounds = BOUNDS_US.map(|us| (us as f64 / 1e6).to_string());
    for (function, meter) in meters.iter().filter(|(function, _)| *function != UNMATCHED) {
        for (class, durations) in meter.durations().filter(|(_, durations)| durations.count() > 0) {
            let labels = [("function", *function), ("status_class", class)];
            for (bound, count) in bounds.iter().map(String::as_str).chain(["+Inf"]).zip(durations.up_to) {
                text.suffixed("_bucket", &[labels[0], labels[1], ("le", bound)], count);
            }
            text.suffixed("_sum", &labels, durations.sum_us as f64 / 1e6).suffixed("_count", &labels, durations.count());
        }
    }
}

/// Counts the runs under way of what is live.
fn running<'a>(table: &'a Table, usage: &Usage) -> BTreeMap<&'a str, u64> {
    let mut running = BTreeMap::from([(OTHERS, 0)]);
    for function in table.functions() {
        let name = table.own_meter(function).map_or(OTHERS, |_| function.function.name.as_str());
        *running.entry(name).or_default() += u64::from(usage.running.get(&function.function.version).copied().unwrap_or(0));
    }
    running
}
