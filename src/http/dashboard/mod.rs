//! `/_picloud/dashboard`: a page for people, whose script asks the control API. Whoever may reach it gets it: it holds no secret.

mod bundle;

use std::sync::LazyLock;

use axum::{
    Router,
    body::Body,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};

use self::bundle::{Asset, BUNDLE};
use crate::{
    blocking,
    function::reserved::{DASHBOARD, NODE},
    http::{caller::GuardedApp, problem::Problem},
};

/// The routes of the dashboard, and what leads there.
pub fn routes() -> Router<GuardedApp> {
    let home = || get(async || Redirect::to(DASHBOARD));
    Router::new()
        .route(NODE, home())
        .route(&format!("{NODE}/"), home())
        .route(DASHBOARD, get(answer))
        .route(&format!("{DASHBOARD}/"), get(answer))
        .route(&format!("{DASHBOARD}/{{*path}}"), get(answer))
}

/// How long a browser keeps what has its digest in its name, and anything else.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_FIRST: HeaderValue = HeaderValue::from_static("no-cache");

/// What the page may do: run its own scripts, and talk to this node. There is no place that breaches are reported to.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; script-src 'self' {}; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        BUNDLE.script_hashes.join(" ")
    );
    HeaderValue::from_str(&policy).expect("words and digests are ASCII")
});
/// What else holds for every file.
const GUARDS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    // For browsers that do not know `frame-ancestors`.
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

async fn answer(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().strip_prefix(DASHBOARD).unwrap_or_default().trim_start_matches('/');
    let Some(asset) = BUNDLE.find(path) else { return Problem::NotOurs.into_response() };
    let mut response = match names(headers.get(header::IF_NONE_MATCH), &asset.tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => content(asset, &headers).await,
    };
    let cache = if asset.is_immutable { IMMUTABLE } else { ASK_FIRST };
    let head = response.headers_mut();
    head.extend([
        (header::ETAG, asset.tag.clone()),
        (header::CACHE_CONTROL, cache),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
    ]);
    head.extend(GUARDS);
    response
}

/// Returns the content in a form that its client takes.
async fn content(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let packed = match (takes_gzip(headers), asset.packed()) {
        (false, _) => None,
        (true, None) => blocking::run(|| asset.pack()).await,
        (true, packed) => packed,
    };
    let encoding = packed.is_some().then_some([(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
    let body = Body::from(packed.unwrap_or_else(|| asset.bytes.clone()));
    ([(header::CONTENT_TYPE, asset.media_type.clone())], encoding.map(HeaderMap::from_iter).unwrap_or_default(), body).into_response()
}

/// Returns whether a list of tags names this one.
fn names(list: Option<&HeaderValue>, tag: &HeaderValue) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let (Some(list), Ok(tag)) = (list.and_then(|list| list.to_str().ok()), tag.to_str()) else { return false };
    list.split(',').any(|named| named.trim() == "*" || bare(named) == bare(tag))
}

/// Returns whether a client takes gzip: it names it, and not with the weight 0.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|weight| weight > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_name_it() {
        for (sent, expected) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
            ("gzip;q=x", false),
            ("br", false),
            ("x-gzip", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, sent.parse().unwrap())]);
            assert_eq!(takes_gzip(&headers), expected, "{sent}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_tag_is_found_in_a_list_strong_or_weak() {
        let tag = HeaderValue::from_static("W/\"a\"");
        for (list, expected) in
            [("W/\"a\"", true), ("\"a\"", true), ("\"b\", W/\"a\"", true), ("*", true), ("\"b\"", false), ("a", false), ("", false)]
        {
            assert_eq!(names(Some(&HeaderValue::from_static(list)), &tag), expected, "{list}");
        }
        assert!(!names(None, &tag));
    }
}
