//! Other branches: below `/_picloud/preview/{branch}/`, and under a host name of their own where one is set.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderName, HeaderValue, header, request::Parts, uri::PathAndQuery};
use percent_encoding::percent_decode_str;

use crate::{
    function::reserved::{self, is_reserved},
    http::{
        answer::Answer,
        app::App,
        call::{self, admission::may_see, earlier::ask},
        problem::Problem,
        wire::progress::RequestBody,
    },
    live::{Preview, Previews},
    source::git::branch,
};

/// The commit that answers.
const PREVIEW: HeaderName = HeaderName::from_static("x-picloud-preview");

/// Returns the path below which a branch is shown, as a URL has it.
pub fn path_of(name: &str) -> String {
    format!("{}{}/", reserved::PREVIEW, branch::path(name))
}

/// Answers a request to a branch named in the path.
pub async fn answer(app: &App, head: &mut Parts, body: RequestBody, peer: SocketAddr) -> Answer {
    let previews = app.live.previews();
    let path = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let found = find(&previews, path.strip_prefix(reserved::PREVIEW).unwrap_or_default()).and_then(|(preview, inner)| {
        let inner = inner.parse::<PathAndQuery>().ok()?;
        (!is_reserved(inner.path())).then_some((preview, inner))
    });
    let preview = found.map(|(preview, inner)| {
        head.uri = inner.into();
        preview
    });
    show(app, preview, head, body, peer).await
}

/// Answers a request to a branch named by the host.
pub async fn answer_at(app: &App, label: &str, head: &mut Parts, body: RequestBody, peer: SocketAddr) -> Answer {
    let previews = app.live.previews();
    let mut named = previews.iter().filter(|(branch, _)| branch::label(branch) == label).map(|(_, preview)| preview.clone());
    // With luck or much work two names have one hash: then neither has the host.
    let preview = named.next().filter(|_| named.next().is_none());
    show(app, preview, head, body, peer).await
}

/// Returns the part of the host that names a branch, if the host is one of branches.
pub fn label(app: &App, request: &Parts) -> Option<String> {
    let preview_host = app.settings.preview_host.as_ref()?;
    // A request line with a whole URL counts more than the header.
    let host = match request.uri.host() {
        Some(host) => host,
        None => request.headers.get(header::HOST)?.to_str().ok()?,
    };
    let host = host.to_lowercase();
    let host = host.rsplit_once(':').map_or(host.as_str(), |(host, _)| host).trim_end_matches('.');
    preview_host.label_in(host).map(str::to_owned)
}

/// Whether there is such a branch is told only to those who may see it.
async fn show(app: &App, preview: Option<Arc<Preview>>, head: &mut Parts, body: RequestBody, peer: SocketAddr) -> Answer {
    let viewer = match may_see(app, head, peer).await {
        Ok(viewer) => viewer,
        Err(denied) => return ask(denied),
    };
    let Some(preview) = preview else { return Problem::NotFound.answer(None, false) };
    let mut answer = match &preview.table {
        Some(table) => call::answer_from(app, table, head, body, peer).await,
        None => Problem::BrokenBranch(preview.diagnostics.clone()).answer(None, app.settings.dev || viewer.is_some()),
    };
    if let Ok(commit) = HeaderValue::from_str(&preview.revision.0) {
        answer.headers_mut().insert(PREVIEW, commit);
    }
    answer
}

/// Finds the branch that a path begins with, the longest name first, and what is asked for in it.
fn find(previews: &Previews, path: &str) -> Option<(Arc<Preview>, String)> {
    let end = path.find('?').unwrap_or(path.len());
    let ends = path[..end].match_indices('/').map(|(at, _)| at).chain([end]);
    ends.collect::<Vec<_>>().into_iter().rev().find_map(|at| {
        let branch = percent_decode_str(&path[..at]).decode_utf8().ok()?;
        let slash = if path[at..].starts_with('/') { "" } else { "/" };
        Some((previews.get(branch.as_ref())?.clone(), format!("{slash}{}", &path[at..])))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::Revision;

    #[test]
    fn the_longest_branch_that_a_path_begins_with_is_meant() {
        let preview =
            |revision: &str| Arc::new(Preview { revision: Revision(revision.into()), commit: None, table: None, diagnostics: Vec::new() });
        let previews: Previews = ["fix", "fix/typo", "ü"].into_iter().map(|branch| (branch.to_owned(), preview(branch))).collect();
        for (path, expected) in [
            ("fix/hello?x=/1", Some(("fix", "/hello?x=/1"))),
            ("fix/typo/hello", Some(("fix/typo", "/hello"))),
            ("fix/typo", Some(("fix/typo", "/"))),
            ("fix%2Ftypo/a%2Fb", Some(("fix/typo", "/a%2Fb"))),
            ("%C3%BC?q", Some(("ü", "/?q"))),
            ("other/hello", None),
            ("", None),
        ] {
            let found = find(&previews, path);
            let found = found.as_ref().map(|(preview, inner)| (preview.revision.0.as_str(), inner.as_str()));
            assert_eq!(found, expected, "{path}");
        }
    }
}
