//! Earlier deployments: below `/_picloud/v/{deployment or revision}/` functions answer as they did then.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header, uri::PathAndQuery};

use super::{Answer, App, Auth, Problem, auth::Denied, control::is_reserved, function, places::Received, problem::BASIC};
use crate::{
    access::{Principal, Scope},
    live::Table,
    store::FindError,
    sync::archive::ArchiveError,
};

/// What the paths of earlier deployments begin with.
pub const PREFIX: &str = "/_picloud/v/";
/// Carries a token of ours where `authorization` is the function's own.
const TOKEN: HeaderName = HeaderName::from_static("x-picloud-token");

/// Answers a request to an earlier deployment.
pub async fn answer(app: &App, mut request: Request<Received>, peer: SocketAddr) -> Answer {
    let viewer = match may_see(app, &mut request, peer).await {
        Ok(viewer) => viewer,
        Err(answer) => return answer,
    };
    match enter(app, &mut request).await {
        Ok(table) => function::answer_from(app, &table, request, peer).await,
        // Whoever has a token may know what is wrong with the files.
        Err(problem) => problem.answer(None, app.settings.dev || viewer.is_some()),
    }
}

/// Finds the table that a request asks for, and leaves in the request the path inside of it.
async fn enter(app: &App, request: &mut Request<Received>) -> Result<Arc<Table>, Problem> {
    let (key, uri) = split(request.uri()).ok_or(Problem::NotFound)?;
    if is_reserved(uri.path()) {
        return Err(Problem::NotFound);
    }
    let table = app.archive.table(&key).await.inspect_err(log)?;
    *request.uri_mut() = uri;
    Ok(table)
}

/// Returns who may see what is not live, none where anybody may. A token of ours is taken out of the headers: it is not for scripts. For
/// functions that ask for one, the request is marked with whose it is.
pub async fn may_see<B>(app: &App, request: &mut Request<B>, peer: SocketAddr) -> Result<Option<Principal>, Answer> {
    let viewer = viewer(app, request.headers_mut(), peer).await.map_err(ask)?;
    if let Some(viewer) = &viewer {
        request.extensions_mut().insert(viewer.clone());
    }
    Ok(viewer)
}

async fn viewer(app: &App, headers: &mut HeaderMap, peer: SocketAddr) -> Result<Option<Principal>, Denied> {
    let is_open = app.settings.previews_open;
    let found = match take_token(&app.auth, headers) {
        Some(token) => app.auth.require(Scope::Read, &token, peer.ip()).await,
        // What is the function's own is no wrong token, unless one is needed.
        None if is_open => return Ok(None),
        None => app.auth.require(Scope::Read, headers, peer.ip()).await,
    };
    match found {
        Err(_) if is_open => Ok(None),
        found => found.map(Some),
    }
}

/// Asks for a token so that a browser asks its user: any name, and the token as the password.
fn ask(denied: Denied) -> Answer {
    let mut answer = Problem::Denied(denied).answer(None, false);
    if let Some(challenge) = answer.headers_mut().get_mut(header::WWW_AUTHENTICATE) {
        *challenge = HeaderValue::from_static(BASIC);
    }
    answer
}

/// Takes tokens of ours out of the headers, and returns the first as `authorization` has it. What else is in `authorization` stays.
pub fn take_token(auth: &Auth, headers: &mut HeaderMap) -> Option<HeaderMap> {
    let carried = headers.remove(&TOKEN).and_then(|token| HeaderValue::from_bytes(&[b"Bearer ", token.as_bytes()].concat()).ok());
    let sent: Vec<HeaderValue> = headers.get_all(header::AUTHORIZATION).iter().cloned().collect();
    headers.remove(header::AUTHORIZATION);
    let (ours, others): (Vec<_>, Vec<_>) = sent.into_iter().partition(|value| auth.is_ours(value));
    headers.extend(others.into_iter().map(|value| (header::AUTHORIZATION, value)));
    carried.or(ours.into_iter().next()).map(|token| HeaderMap::from_iter([(header::AUTHORIZATION, token)]))
}

/// Splits `/_picloud/v/KEY/PATH?QUERY` into the key and what it is asked for.
fn split(uri: &Uri) -> Option<(String, Uri)> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(PREFIX)?;
    let (key, inner) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let slash = if inner.starts_with('/') { "" } else { "/" };
    let path = PathAndQuery::try_from(format!("{slash}{inner}")).ok()?;
    (!key.is_empty()).then(|| (key.to_owned(), path.into()))
}

/// Says in the log why a deployment cannot answer, if that is nobody's question.
pub fn log(error: &ArchiveError) {
    if let ArchiveError::Find(FindError::Store(_)) | ArchiveError::NoThread(_) = error {
        tracing::error!(error = error as &dyn std::error::Error, "an earlier deployment cannot answer: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_one_segment_and_the_rest_is_the_function_s() {
        for (uri, expected) in [
            ("/_picloud/v/dir-123/a/b%2F?q=/1", Some(("dir-123", "/a/b%2F?q=/1"))),
            ("http://host/_picloud/v/abc//a", Some(("abc", "//a"))),
            ("/_picloud/v/abc", Some(("abc", "/"))),
            ("/_picloud/v/abc/", Some(("abc", "/"))),
            ("/_picloud/v/abc?q=1", Some(("abc", "/?q=1"))),
            ("/_picloud/v/", None),
            ("/_picloud/v//a", None),
            ("/_picloud/v?q", None),
        ] {
            let found = split(&uri.parse().unwrap());
            assert_eq!(found, expected.map(|(key, path)| (key.to_owned(), path.parse().unwrap())), "{uri}");
        }
    }
}
