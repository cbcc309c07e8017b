//! Who may run a function. Functions run behind [`Runner`] alone, which wants a [`Leave`], and those are given here: to callers of a function,
//! who are let in or not before anything of their request is read, and to those who order a run. Both are asked the same.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Request, header, request::Parts};

use crate::{
    access::{Principal, Scope},
    execution::{Finished, Invocation},
    executor::{ExecuteError, SharedExecutor, Usage},
    function::{Function, SharedFunction},
    http::{
        app::App,
        auth::{Auth, Denied, Way},
    },
};

/// Carries a token of ours where `authorization` is the function's own.
const TOKEN: HeaderName = HeaderName::from_static("x-picloud-token");

/// Fails for whoever may not run a function: the scope must be what it asks for, and the token good for it.
fn may_run(principal: &Principal, function: &Function) -> Result<(), Denied> {
    if let Some(needed) = function.manifest.auth.filter(|needed| principal.scope < *needed) {
        return Err(Denied::ScopeTooSmall { principal: principal.clone(), needed });
    }
    if principal.may_touch(function.name.as_str()) { Ok(()) } else { Err(Denied::OtherFunction { principal: principal.clone() }) }
}

/// Leave to run a function once.
pub struct Leave<'a> {
    function: &'a SharedFunction,
    principal: Option<Arc<str>>,
}

impl<'a> Leave<'a> {
    /// For somebody who orders a run, of a function that anybody may call, too.
    pub(in crate::http) fn ordered(principal: &Principal, function: &'a SharedFunction) -> Result<Self, Denied> {
        may_run(principal, function)?;
        Ok(Self { function, principal: function.manifest.auth.map(|_| principal.name.as_str().into()) })
    }

    /// Names whose token let the caller in, for functions that ask for one.
    pub fn principal(&self) -> Option<Arc<str>> {
        self.principal.clone()
    }
}

/// Runs functions, for those who have leave.
pub struct Runner(SharedExecutor);

impl Runner {
    /// Has them run by this one.
    pub fn new(executor: SharedExecutor) -> Self {
        Self(executor)
    }

    /// Runs the function that the leave is for.
    pub fn run<'a>(&'a self, leave: Leave<'a>, invocation: Box<Invocation>) -> impl Future<Output = Result<Finished, ExecuteError>> + 'a {
        self.0.execute(leave.function.version, invocation)
    }

    /// Tells what runs take.
    pub fn usage(&self) -> Usage {
        self.0.usage()
    }
}

/// Lets the caller of a function in, and takes the token out of the request: it is not for scripts.
pub async fn admit<'a>(app: &App, function: &'a SharedFunction, request: &mut Parts, peer: SocketAddr) -> Result<Leave<'a>, Denied> {
    let Some(needed) = function.manifest.auth else { return Ok(Leave { function, principal: None }) };
    let token = take_token(&app.auth, &mut request.headers);
    let principal = match (request.extensions.remove::<Principal>(), token) {
        // Who may see what is not live has been asked already.
        (Some(principal), _) => principal,
        (None, Some(token)) => app.auth.identify(needed, Way::Bearer, &token, peer.ip()).await?,
        // Nothing of ours: a wrong token, or none.
        (None, None) => app.auth.identify(needed, Way::Bearer, &request.headers, peer.ip()).await?,
    };
    Leave::ordered(&principal, function)
}

/// Returns who may see what is not live, none where anybody may. A token of ours is taken out of the headers: it is not for scripts. For
/// functions that ask for one, the request is marked with whose it is.
pub async fn may_see<B>(app: &App, request: &mut Request<B>, peer: SocketAddr) -> Result<Option<Principal>, Denied> {
    let viewer = viewer(app, request.headers_mut(), peer).await?;
    if let Some(viewer) = &viewer {
        request.extensions_mut().insert(viewer.clone());
    }
    Ok(viewer)
}

async fn viewer(app: &App, headers: &mut HeaderMap, peer: SocketAddr) -> Result<Option<Principal>, Denied> {
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

async fn of_whole_node(auth: &Auth, headers: &HeaderMap, peer: SocketAddr) -> Result<Principal, Denied> {
    let principal = auth.identify(Scope::Read, Way::Password, headers, peer.ip()).await?;
    if principal.functions.is_some() { Err(Denied::OnlySomeFunctions { principal }) } else { Ok(principal) }
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
