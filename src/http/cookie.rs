//! The cookie of a session: its name, its attributes, and how it is kept from functions.
//!
//! Browsers send a cookie to every port of a host. So the port is in the name, and two nodes of one machine do not overwrite each other's. For the
//! same reason functions would get it: it is taken out of what they see.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};

use crate::secret::Secret;

/// What its name begins with.
const NAME: &str = "picloud_session";
/// What stands before the name where the browser came by https. Browsers take such a cookie from this very host only.
const HOST_ONLY: &str = "__Host-";

/// A cookie as it was sent.
pub struct SessionCookie<'a> {
    name: String,
    /// The session.
    pub id: &'a str,
}

/// Finds the sessions of a request: that of https first. Where the page is known to have come by https, the other one does not count, because a
/// neighbouring host can set it.
pub fn all(headers: &HeaderMap) -> impl Iterator<Item = SessionCookie<'_>> {
    let kinds = if is_by_https(headers) { &[true][..] } else { &[true, false] };
    kinds.iter().filter_map(|is_secure| sent(headers, *is_secure))
}

/// Returns what makes a browser keep a session for so long, and forget the one that it has by the other name.
pub fn keep(headers: &HeaderMap, id: &Secret, span: Duration) -> impl Iterator<Item = HeaderValue> {
    let is_secure = is_by_https(headers);
    let other = sent(headers, !is_secure).map(|other| forgotten(&other));
    std::iter::once(written(&name(headers, is_secure), id.expose(), span)).chain(other)
}

/// Returns what makes a browser forget every session of this host.
pub fn forget(headers: &HeaderMap) -> impl Iterator<Item = HeaderValue> {
    [true, false].into_iter().filter_map(|is_secure| sent(headers, is_secure)).map(|sent| forgotten(&sent))
}

/// Returns whether the page that asks came by https: `Origin` says so, also where a proxy ends TLS, and no page can forge it.
fn is_by_https(headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}

fn sent(headers: &HeaderMap, is_secure: bool) -> Option<SessionCookie<'_>> {
    let name = name(headers, is_secure);
    let id = pairs(headers).find_map(|(known, value)| (known == name).then_some(value))?;
    Some(SessionCookie { name, id })
}

fn forgotten(sent: &SessionCookie<'_>) -> HeaderValue {
    written(&sent.name, "", Duration::ZERO)
}

/// Takes sessions out of what a function sees: with one a function could do what its caller may.
pub fn take_out(headers: &mut HeaderMap) {
    let holds_one = |line: &HeaderValue| line.as_bytes().windows(NAME.len()).any(|part| part == NAME.as_bytes());
    if !headers.get_all(header::COOKIE).iter().any(holds_one) {
        return;
    }
    let is_session = |pair: &&[u8]| {
        let pair = pair.trim_ascii();
        pair.strip_prefix(HOST_ONLY.as_bytes()).unwrap_or(pair).starts_with(NAME.as_bytes())
    };
    let rest =
        |line: &HeaderValue| line.as_bytes().split(|byte| *byte == b';').filter(|pair| !is_session(pair)).collect::<Vec<_>>().join(&b';');
    let lines: Vec<Vec<u8>> = headers.get_all(header::COOKIE).iter().map(rest).collect();
    headers.remove(header::COOKIE);
    let left = lines.iter().map(|line| line.trim_ascii()).filter(|line| !line.is_empty());
    headers.extend(left.filter_map(|line| Some((header::COOKIE, HeaderValue::from_bytes(line).ok()?))));
}

fn name(headers: &HeaderMap, is_secure: bool) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port =
        host.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let prefix = if is_secure { HOST_ONLY } else { "" };
    format!("{prefix}{NAME}{}", port.map(|port| format!("_{port}")).unwrap_or_default())
}

fn written(name: &str, value: &str, span: Duration) -> HeaderValue {
    let secure = if name.starts_with(HOST_ONLY) { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}", span.as_secs());
    HeaderValue::from_str(&text).expect("names and ids are ASCII")
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn its_name_has_the_port_and_says_whether_the_browser_came_by_https() {
        let kept = |lines: &[_]| {
            let lines: Vec<_> = keep(&headers(lines), &Secret::new("id"), Duration::from_secs(60)).collect();
            assert_eq!(lines.len(), 1);
            lines[0].to_str().unwrap().to_owned()
        };
        let end = "=id; Path=/; Max-Age=60; HttpOnly; SameSite=Strict";
        for (host, origin, expected) in [
            ("localhost:8080", "http://localhost:8080", format!("picloud_session_8080{end}")),
            ("[::1]:8080", "http://[::1]:8080", format!("picloud_session_8080{end}")),
            ("[::1]", "http://[::1]", format!("picloud_session{end}")),
            ("pi.lan", "http://pi.lan", format!("picloud_session{end}")),
            ("pi.example", "https://pi.example", format!("__Host-picloud_session{end}; Secure")),
            ("pi.example:8443", "https://pi.example:8443", format!("__Host-picloud_session_8443{end}; Secure")),
            ("pi.example", "null", format!("picloud_session{end}")),
        ] {
            assert_eq!(kept(&[("host", host), ("origin", origin)]), expected);
        }
    }

    #[test]
    fn it_is_found_among_others_and_forgotten_by_its_own_name() {
        let (host, plain) = (("host", "a:80"), ("cookie", "x=1; picloud_session=no; picloud_session_80=7; picloud_session_81=no"));
        let (secure, by_https) = (("cookie", "__Host-picloud_session_80=8"), ("origin", "https://a:80"));
        for (lines, expected) in [
            (vec![host, plain], vec!["7"]),
            (vec![host, plain, secure], vec!["8", "7"]),
            (vec![host, plain, secure, by_https], vec!["8"]),
            (vec![host, plain, by_https], vec![]),
            (vec![("host", "a"), ("cookie", "picloud_session_80=7; a")], vec![]),
        ] {
            assert_eq!(all(&headers(&lines)).map(|sent| sent.id.to_owned()).collect::<Vec<_>>(), expected, "{lines:?}");
        }
        let gone = "; Path=/; Max-Age=0; HttpOnly; SameSite=Strict";
        let (of_plain, of_secure) = (format!("picloud_session_80={gone}"), format!("__Host-picloud_session_80={gone}; Secure"));
        let both = headers(&[host, plain, secure, by_https]);
        assert_eq!(forget(&both).collect::<Vec<_>>(), [of_secure.as_str(), of_plain.as_str()]);
        assert_eq!(keep(&both, &Secret::new("id"), Duration::ZERO).nth(1).unwrap(), of_plain.as_str());
    }

    #[test]
    fn functions_see_every_cookie_but_sessions() {
        for (line, expected) in [
            ("a=1; b=2", Some("a=1; b=2")),
            ("a=1; picloud_session_80=x; b=2", Some("a=1; b=2")),
            ("picloud_session=x", None),
            ("__Host-picloud_session_8443=x; a=1", Some("a=1")),
            ("a=picloud_session=1", Some("a=picloud_session=1")),
        ] {
            let mut headers = headers(&[("cookie", line)]);
            take_out(&mut headers);
            assert_eq!(headers.get("cookie").map(|line| line.to_str().unwrap()), expected, "{line}");
        }
    }
}
