//! Which URLs a request may have.

use url::Url;

/// Bytes of a URL.
pub const MAX_URL_BYTES: usize = 8_192;

/// A URL that no request can have. The messages do not repeat what may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is longer than [`MAX_URL_BYTES`].
    #[error("the URL is longer than {MAX_URL_BYTES} bytes")]
    Long,
    /// It does not say where.
    #[error("the URL has no scheme and host; write the whole of it: `https://api.example.org/path`")]
    Relative,
    /// It is no URL.
    #[error("the URL cannot be read: {0}")]
    Malformed(String),
    /// It is not for HTTP.
    #[error("the URL begins with `{0}:`; it must begin with `https://` or `http://`")]
    Scheme(String),
    /// It names a user.
    #[error("the URL has a user or a password; send them as the header `authorization`")]
    User,
}

/// Reads a URL, once: what is allowed and what is connected to are the same.
pub fn parse_url(text: &str) -> Result<Url, UrlError> {
    if text.len() > MAX_URL_BYTES {
        return Err(UrlError::Long);
    }
    let mut url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => UrlError::Relative,
        error => UrlError::Malformed(error.to_string()),
    })?;
    check_url(&url)?;
    url.set_fragment(None);
    Ok(url)
}

/// Refuses a URL that no request can have.
pub fn check_url(url: &Url) -> Result<(), UrlError> {
    match url.scheme() {
        _ if url.as_str().len() > MAX_URL_BYTES => Err(UrlError::Long),
        "http" | "https" if !url.username().is_empty() || url.password().is_some() => Err(UrlError::User),
        // What is a URL in a browser may be none on the wire.
        "http" | "https" => url.as_str().parse::<http::Uri>().map(drop).map_err(|error| UrlError::Malformed(error.to_string())),
        other => Err(UrlError::Scheme(other.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_whole_and_for_http() {
        for (text, url) in [
            ("https://example.org", "https://example.org/"),
            ("HTTP://Example.org:80/a b?c#d", "http://example.org/a%20b?c"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
            ("http://①②⑦.0.0.1/", "http://127.0.0.1/"),
            ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
            ("https:\\\\example.org\\a", "https://example.org/a"),
        ] {
            assert_eq!(parse_url(text).unwrap().as_str(), url, "{text}");
        }
        for (text, why) in [
            ("/a", "has no scheme and host"),
            ("example.org/a", "has no scheme and host"),
            ("", "has no scheme and host"),
            ("localhost:8080", "begins with `localhost:`"),
            ("file:///etc/passwd", "begins with `file:`"),
            ("gopher://example.org", "begins with `gopher:`"),
            ("https://ann:sesame@example.org", "has a user or a password"),
            ("https://sesame@example.org", "has a user or a password"),
            ("https://", "cannot be read: empty host"),
            ("https://exa mple.org", "cannot be read: invalid international domain name"),
            ("http://127.0.0.1.", "http"),
            ("https://exa\"mple.org", "cannot be read: invalid uri character"),
            ("http://1.2.3.256", "cannot be read: invalid IPv4 address"),
            ("http://[fe80::1%25eth0]/", "cannot be read: invalid IPv6 address"),
        ] {
            if let Err(error) = parse_url(text) {
                assert!(error.to_string().contains(why), "{text}: {error}");
                assert!(!error.to_string().contains("sesame"), "{error}");
            } else {
                assert_eq!(parse_url(text).unwrap().host(), Some(url::Host::Ipv4([127, 0, 0, 1].into())), "{text}");
            }
        }
        assert_eq!(parse_url(&format!("https://example.org/{}", "a".repeat(MAX_URL_BYTES))), Err(UrlError::Long));
        assert_eq!(parse_url(&format!("https://example.org/{}", "ä".repeat(MAX_URL_BYTES / 3))), Err(UrlError::Long));
    }
}
