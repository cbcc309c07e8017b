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
        problem::Problem,
        reserved,
        wire::{head, places::Received},
    },
};

/// Answers one request.
pub async fn answer(app: Arc<App>, face: Face, request: Request<Received>, peer: SocketAddr) -> Answer {
    if let Some(answer) = head::answer(&request) {
        return answer;
    }
    if is_reserved(request.uri().path()) {
        return reserved::answer(app, face, request, peer).await;
    }
    match preview::label(&app, &request) {
        Some(label) if face.has_previews(&app.settings) => preview::answer_at(&app, &label, request, peer).await,
        None if face != Face::Control => call::answer(&app, request, peer).await,
        _ => Problem::NotFound.answer(None, false),
    }
}
