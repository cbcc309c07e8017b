//! Which part of the node answers a request.

use std::{net::SocketAddr, sync::Arc};

use http::Request;

use crate::{
    function::reserved::is_reserved,
    http::{
        answer::Answer,
        app::App,
        call::{self, preview},
        face::Face,
        head,
        problem::Problem,
        reserved,
        wire::progress::RequestBody,
    },
};

/// Answers one request.
pub async fn answer(app: Arc<App>, face: Face, request: Request<RequestBody>, peer: SocketAddr) -> Answer {
    if let Some(answer) = head::answer(&request) {
        return answer;
    }
    if is_reserved(request.uri().path()) {
        return reserved::answer(app, face, request, peer).await;
    }
    let (mut head, body) = request.into_parts();
    match preview::label(&app, &head) {
        Some(label) if face.has_previews(&app.settings) => preview::answer_at(&app, &label, &mut head, body, peer).await,
        None if face != Face::Control => call::answer(&app, &mut head, body, peer).await,
        _ => Problem::NotFound.answer(None, false),
    }
}
