//! The places of remote repositories: `https://host/path`, `ssh://git@host:22/path`, `git@host:path`, and what of them may be shown.

/// The parts of a URL that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteUrl<'a> {
    /// `https`, `file`; `ssh` where it is not written.
    pub scheme: &'a str,
    /// Host and port as they are written, without a user.
    pub authority: &'a str,
    /// Empty for files.
    pub host: &'a str,
    /// If it is written.
    pub port: Option<&'a str>,
}

impl<'a> RemoteUrl<'a> {
    /// Takes a URL apart. Never fails: git has its own opinion of what is wrong.
    pub fn of(url: &'a str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("ssh", url));
        let has_scheme = url.contains("://");
        let end = rest.find('/').unwrap_or(rest.len());
        let authority = rest[..end].rsplit_once('@').map_or(&rest[..end], |(_, authority)| authority);
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        // In `git@host:path` the colon is not a port's.
        let port = port.filter(|port| has_scheme && !port.is_empty());
        Self { scheme, authority: if has_scheme { authority } else { host }, host, port }
    }

    /// Returns what git calls the way there.
    pub fn protocol(&self) -> &'a str {
        if self.is_ssh() { "ssh" } else { self.scheme }
    }

    /// Returns whether a user and a token open it.
    pub fn is_http(&self) -> bool {
        matches!(self.scheme, "http" | "https")
    }

    /// Returns whether a key opens it.
    pub fn is_ssh(&self) -> bool {
        matches!(self.scheme, "ssh" | "git+ssh" | "ssh+git")
    }
}

/// Returns a text without this secret and without the users and passwords of URLs.
pub fn redact(text: &str, secret: Option<&str>) -> String {
    let text = match secret.filter(|secret| !secret.is_empty()) {
        Some(secret) => text.replace(secret, "…"),
        None => text.to_owned(),
    };
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        let end = after.find(|c: char| c == '/' || c.is_whitespace() || matches!(c, '\'' | '"' | '`')).unwrap_or(after.len());
        let user = after[..end].rfind('@').unwrap_or(0);
        shown += before;
        // The user of ssh is `git`, and says which kind of URL it is.
        let is_known = before.ends_with("ssh://") && !after[..user].contains(':');
        if user > 0 && !is_known {
            shown.push('…');
        } else {
            shown += &after[..user];
        }
        rest = &after[user..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_host_and_perhaps_a_port() {
        for (url, scheme, authority, host, port) in [
            ("https://example.org/a/b.git", "https", "example.org", "example.org", None),
            ("https://user@example.org:8443/b", "https", "example.org:8443", "example.org", Some("8443")),
            ("ssh://git@example.org:2222/b", "ssh", "example.org:2222", "example.org", Some("2222")),
            ("ssh://git@[::1]:22/b", "ssh", "[::1]:22", "::1", Some("22")),
            ("git@example.org:a/b.git", "ssh", "example.org", "example.org", None),
            ("file:///srv/b.git", "file", "", "", None),
            ("://", "", "", "", None),
            ("@:", "ssh", "", "", None),
        ] {
            assert_eq!(RemoteUrl::of(url), RemoteUrl { scheme, authority, host, port }, "{url}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        for (text, shown) in [
            ("cannot open 'https://ada:pa@ss@example.org/a': no", "cannot open 'https://…@example.org/a': no"),
            ("https://ghp_123@example.org", "https://…@example.org"),
            ("http://u:p@a/ and http://v:q@b/", "http://…@a/ and http://…@b/"),
            ("ssh://git@example.org/a", "ssh://git@example.org/a"),
            ("ssh://git:word@example.org/a", "ssh://…@example.org/a"),
            ("https://example.org/a@b", "https://example.org/a@b"),
            ("the token sesame, and sesame", "the token …, and …"),
            ("://", "://"),
            ("://@", "://@"),
        ] {
            assert_eq!(redact(text, Some("sesame")), shown);
        }
        assert_eq!(redact("as it is", Some("")), "as it is");
    }
}
