//! Runs a function by its script id, with whatever method and body.

use std::net::SocketAddr;

use http::request::Parts;

use super::Call;
use crate::{
    execution::Trigger,
    function::{ScriptId, reserved::EXECUTE},
    http::{answer::Answer, app::App, call, problem::Problem, wire::progress::RequestBody},
    runner::Target,
};

/// Answers a request to a script id.
pub async fn answer(app: &App, head: &mut Parts, body: RequestBody, peer: SocketAddr) -> Answer {
    let trace = app.runner.trace(head);
    let table = app.live.table();
    let id = head.uri.path().strip_prefix(EXECUTE).and_then(|id| id.parse().ok());
    // What has no URL is nobody's to call.
    match id.and_then(|id| table.by_id(ScriptId(id))).filter(|live| live.function.route.is_some()) {
        Some(function) => {
            if let Some(answer) = app.preflight_of(function, head) {
                return answer;
            }
            let target = Target { table: &table, function };
            call::run(app, Call { target, trigger: Trigger::Execute, params: Vec::new(), peer, trace }, head, body).await
        }
        None => Problem::UnknownScript.answer(None, app.settings.dev),
    }
}
