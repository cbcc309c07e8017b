//! Earlier deployments: below `/_picloud/v/{deployment or revision}/` functions answer as they did then.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderValue, Uri, header, request::Parts, uri::PathAndQuery};

use crate::{
    function::reserved::{EARLIER, is_reserved},
    http::{
        answer::Answer,
        app::App,
        auth::Denial,
        call::{self, admission::may_see},
        problem::{Problem, response::BASIC},
        wire::progress::RequestBody,
    },
    live::Table,
    store::FindError,
    sync::earlier::EarlierError,
};

/// Answers a request to an earlier deployment.
pub async fn answer(app: &App, head: &mut Parts, body: RequestBody, peer: SocketAddr) -> Answer {
    let viewer = match may_see(app, head, peer).await {
        Ok(viewer) => viewer,
        Err(denied) => return ask(denied),
    };
    match enter(app, head).await {
        Ok(table) => call::answer_from(app, &table, head, body, peer).await,
        // Whoever has a token may know what is wrong with the files.
        Err(problem) => problem.answer(None, app.settings.dev || viewer.is_some()),
    }
}

/// Finds the table that a request asks for, and leaves in the request the path inside of it.
async fn enter(app: &App, request: &mut Parts) -> Result<Arc<Table>, Problem> {
    let (key, uri) = split(&request.uri).ok_or(Problem::NotFound)?;
    if is_reserved(uri.path()) {
        return Err(Problem::NotFound);
    }
    let table = app.earlier.table(&key).await.inspect_err(log)?;
    request.uri = uri;
    Ok(table)
}

/// Asks for a token so that a browser asks its user: any name, and the token as the password.
pub fn ask(denied: Denial) -> Answer {
    let mut answer = Problem::Denied(denied).answer(None, false);
    if let Some(challenge) = answer.headers_mut().get_mut(header::WWW_AUTHENTICATE) {
        *challenge = HeaderValue::from_static(BASIC);
    }
    answer
}

/// Splits `/_picloud/v/KEY/PATH?QUERY` into the key and what it is asked for.
fn split(uri: &Uri) -> Option<(String, Uri)> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(EARLIER)?;
    let (key, inner) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let slash = if inner.starts_with('/') { "" } else { "/" };
    let path = PathAndQuery::try_from(format!("{slash}{inner}")).ok()?;
    (!key.is_empty()).then(|| (key.to_owned(), path.into()))
}

/// Says in the log why a deployment cannot answer, if that is nobody's question.
pub fn log(error: &EarlierError) {
    if let EarlierError::Find(FindError::Store(_)) | EarlierError::NoThread(_) = error {
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
