//! Which page sent a request, as far as its browser tells. A session is sent along with whatever a page asks for, so only pages of this node
//! may change something by one.

use http::{HeaderMap, HeaderName, Method, header};

/// Tells by what a page asked: browsers set it, pages cannot.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Which page sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// One of this node.
    Own,
    /// One from elsewhere.
    Other,
    /// Nothing says: a program, a link that somebody followed, or a page that reads over plain HTTP.
    Untold,
}

impl Page {
    /// Returns which page sent a request with these headers. `Sec-Fetch-Site` is only sent over https and to this machine; then it is right
    /// also where a proxy changes `Host`.
    pub fn of(headers: &HeaderMap) -> Self {
        match (headers.get(SITE).map(|site| site.as_bytes()), headers.get(header::ORIGIN), headers.get(header::HOST)) {
            (Some(b"same-origin"), _, _) => Self::Own,
            (Some(b"none"), _, _) | (None, None, _) => Self::Untold,
            (None, Some(origin), Some(host)) if authority(origin.as_bytes()).eq_ignore_ascii_case(host.as_bytes()) => Self::Own,
            _ => Self::Other,
        }
    }

    /// Returns whether it may do this with a session. What only reads may also come from nowhere: no other page sees the answer.
    pub fn may_use_session(self, method: &Method) -> bool {
        match self {
            Self::Own => true,
            Self::Untold => method.is_safe(),
            Self::Other => false,
        }
    }
}

/// Returns host and port of an origin; it has no path. The scheme is not compared: a proxy may end TLS.
fn authority(origin: &[u8]) -> &[u8] {
    let at = origin.windows(3).position(|part| part == b"://").map_or(origin.len(), |at| at + 3);
    &origin[at..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_this_node_changes_something_with_a_session() {
        for (site, origin, expected) in [
            (Some("same-origin"), Some("http://a:80"), Page::Own),
            (Some("same-origin"), None, Page::Own),
            // A proxy has changed the host.
            (Some("same-origin"), Some("https://outside"), Page::Own),
            (Some("same-site"), Some("http://a:80"), Page::Other),
            (Some("cross-site"), None, Page::Other),
            (Some("nonsense"), None, Page::Other),
            (Some("none"), None, Page::Untold),
            (None, Some("http://a:80"), Page::Own),
            (None, Some("https://A:80"), Page::Own),
            (None, Some("http://a:81"), Page::Other),
            (None, Some("http://a"), Page::Other),
            (None, Some("null"), Page::Other),
            (None, Some("a:80"), Page::Other),
            (None, None, Page::Untold),
        ] {
            let mut headers = HeaderMap::from_iter([(header::HOST, "a:80".parse().unwrap())]);
            headers.extend(site.map(|site| (SITE, site.parse().unwrap())));
            headers.extend(origin.map(|origin| (header::ORIGIN, origin.parse().unwrap())));
            assert_eq!(Page::of(&headers), expected, "{site:?} {origin:?}");
        }
        let may = |page: Page| [Method::GET, Method::POST, Method::DELETE].map(|method| page.may_use_session(&method));
        assert_eq!([Page::Own, Page::Untold, Page::Other].map(may), [[true, true, true], [true, false, false], [false, false, false]]);
    }
}
