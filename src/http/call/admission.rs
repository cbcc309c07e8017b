//! Who may call a function, and who may see what is not live: asked before anything of the request's body is read.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};

use crate::{
    access::{Principal, Scope},
    function::SharedFunction,
    http::{
        app::App,
        auth::{Auth, Denial, Way},
    },
    runner::Permission,
};

/// Carries a token of ours where `authorization` is the function's own.
const TOKEN: HeaderName = HeaderName::from_static("x-picloud-token");

/// Lets the caller of a function in, and takes the token out of the request: it is not for scripts.
pub async fn admit<'a>(app: &App, function: &'a SharedFunction, request: &mut Parts, peer: SocketAddr) -> Result<Permission<'a>, Denial> {
    let needed = match Permission::open(function) {
        Ok(permission) => return Ok(permission),
        Err(needed) => needed,
    };
    let token = take_token(&app.auth, &mut request.headers);
    let principal = match (request.extensions.remove::<Principal>(), token) {
        // Who may see what is not live has been asked already.
        (Some(principal), _) => principal,
        (None, Some(token)) => app.auth.identify(needed, Way::Bearer, &token, peer.ip()).await?.principal,
        // Nothing of ours: a wrong token, or none.
        (None, None) => app.auth.identify(needed, Way::Bearer, &request.headers, peer.ip()).await?.principal,
    };
    Ok(Permission::of(&principal, function)?)
}

/// Returns who may see what is not live, none where anybody may. A token of ours is taken out of the headers: it is not for scripts. For
/// functions that ask for one, the request is marked with whose it is.
pub async fn may_see(app: &App, request: &mut Parts, peer: SocketAddr) -> Result<Option<Principal>, Denial> {
    let viewer = viewer(app, &mut request.headers, peer).await?;
    if let Some(viewer) = &viewer {
        request.extensions.insert(viewer.clone());
    }
    Ok(viewer)
}

async fn viewer(app: &App, headers: &mut HeaderMap, peer: SocketAddr) -> Result<Option<Principal>, Denial> {
    let is_open = app.settings.previews_open;
    let found = match take_token(&app.auth, headers) {
        Some(token) => of_whole_node(&app.auth, &token, peer).await,
        // What is the function's own is no wrong token, unless one is needed.
        None if is_open => return Ok(None),
        None => of_whole_node(&app.auth, headers, peer).await,
    };
    match found {
        Err(_) if is_open => Ok(None),
        found => found.map(Some),
    }
}

async fn of_whole_node(auth: &Auth, headers: &HeaderMap, peer: SocketAddr) -> Result<Principal, Denial> {
    let principal = auth.identify(Scope::Read, Way::Password, headers, peer.ip()).await?.principal;
    if principal.functions.is_some() { Err(Denial::OnlySomeFunctions { principal }) } else { Ok(principal) }
}

/// Takes tokens of ours out of the headers, and returns the first as `authorization` has it. What else is in `authorization` stays.
fn take_token(auth: &Auth, headers: &mut HeaderMap) -> Option<HeaderMap> {
    let carried = headers.remove(&TOKEN).and_then(|token| HeaderValue::from_bytes(&[b"Bearer ", token.as_bytes()].concat()).ok());
    let sent: Vec<HeaderValue> = headers.get_all(header::AUTHORIZATION).iter().cloned().collect();
    headers.remove(header::AUTHORIZATION);
    let (ours, others): (Vec<_>, Vec<_>) = sent.into_iter().partition(|value| auth.is_ours(value));
    headers.extend(others.into_iter().map(|value| (header::AUTHORIZATION, value)));
    carried.or(ours.into_iter().next()).map(|token| HeaderMap::from_iter([(header::AUTHORIZATION, token)]))
}
