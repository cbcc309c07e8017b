//! How the node is, whenever that changes: so no page has to ask again and again. Between changes a client costs its place and a heartbeat.

use std::sync::Arc;

use futures_util::{Stream, stream};
use serde_json::json;
use tokio::sync::watch;

use super::{BEGIN, HEARTBEAT, Hold, event};
use crate::{
    api::node::DecidedDeployment,
    deployment::DeploymentId,
    http::{app::App, caller::Grant, problem::Problem},
};

/// Somebody who follows.
struct StatusTail {
    app: Arc<App>,
    hold: Hold,
    /// Tells of each change of the status. Changes that come before the client has taken the last are one.
    changes: watch::Receiver<u64>,
    /// What was told last: how the node is, and what is degraded.
    told: [String; 2],
    /// The deployments that are known: the one that is live, and the last that was refused.
    decided: [Option<DeploymentId>; 2],
    has_ended: bool,
}

/// Returns the events for somebody who follows, beginning with what is now.
pub fn texts(grant: Grant) -> Result<impl Stream<Item = String> + Send + 'static, Problem> {
    let hold = Hold::take(&grant)?;
    let app = grant.app;
    let changes = app.live.changes();
    let decided = deployments(&app).map(|decided| decided.map(|deployment| deployment.id));
    let mut tail = StatusTail { app, hold, changes, told: Default::default(), decided, has_ended: false };
    let first = format!("{BEGIN}{}", tail.news());
    Ok(stream::unfold((Some(first), tail), |(first, mut tail)| async move {
        let text = match first {
            Some(first) => first,
            None => tail.next().await?,
        };
        Some((text, (None, tail)))
    }))
}

/// Returns the deployment that is live, and the last that was refused.
fn deployments(app: &App) -> [Option<DecidedDeployment>; 2] {
    let status = app.live.status();
    [&status.live, &status.rejected].map(|decided| decided.as_deref().map(DecidedDeployment::from))
}

impl StatusTail {
    /// Waits until there is something to send; none after the end.
    async fn next(&mut self) -> Option<String> {
        while !self.has_ended {
            let is_idle = tokio::select! {
                biased;
                why = self.hold.over() => {
                    self.has_ended = true;
                    return Some(event("ended", &json!({ "reason": why })));
                }
                _ = self.changes.changed() => false,
                () = tokio::time::sleep(HEARTBEAT) => true,
            };
            match self.news() {
                news if news.is_empty() && is_idle => return Some(": alive\n\n".into()),
                news if news.is_empty() => {}
                news => return Some(news),
            }
        }
        None
    }

    /// Writes what has changed since it was told.
    fn news(&mut self) -> String {
        let mut news = String::new();
        for (decided, known) in deployments(&self.app).into_iter().zip(&mut self.decided) {
            let Some(decided) = decided else { continue };
            if known.replace(decided.id) != Some(decided.id) {
                news += &event("deployment", &decided);
            }
        }
        let now = [event("status", &self.app.status()), event("health", &self.app.health())];
        for (now, told) in now.into_iter().zip(&mut self.told) {
            if *told != now {
                news += &now;
                *told = now;
            }
        }
        news
    }
}
