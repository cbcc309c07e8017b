//! What the head of a request must be before anybody looks at what it asks for (RFC 9112). The rest of the syntax is the server library's.

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{Either, Full};

use crate::http::{answer::Answer, problem::Problem};

/// Answers a request that is about no resource, or that cannot be understood for certain; none: it may go on.
pub fn answer<B>(request: &Request<B>) -> Option<Answer> {
    let (method, path) = (request.method(), request.uri().path());
    if let Err(problem) = check(request) {
        let mut answer = problem.answer(None, false);
        // Where a body begins and ends may be seen otherwise by whoever is in front.
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return Some(answer);
    }
    if *method == Method::OPTIONS && path == "*" {
        let mut response = Response::new(Either::Left(Full::default()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        return Some(response);
    }
    None
}

fn check<B>(request: &Request<B>) -> Result<(), Problem> {
    let headers = request.headers();
    one_host(headers, request.version()).map_err(|why| Problem::BadHead(why.into()))?;
    must_be_chunked_once(headers)?;
    match *request.method() {
        Method::CONNECT => Err(Problem::NotImplemented("this is no proxy: it makes no tunnels".into())),
        _ => Ok(()),
    }
}

/// Two hosts, or what is none, would be understood in two ways by a proxy and by us.
fn one_host(headers: &HeaderMap, version: Version) -> Result<(), &'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version >= Version::HTTP_11 => Err("the header `host` is missing"),
        (None, _) => Ok(()),
        (Some(_), Some(_)) => Err("there are two headers `host`"),
        (Some(host), None) if is_host(host.as_bytes()) => Ok(()),
        (Some(_), None) => Err("the header `host` is no name or address, with or without a port"),
    }
}

/// Returns whether this is a name, or an address, with or without a port (RFC 3986, 3.2.2). An empty one is what clients send that have none.
fn is_host(value: &[u8]) -> bool {
    let end = match value {
        [b'[', ..] => value.iter().position(|byte| *byte == b']').map_or(0, |at| at + 1),
        _ => value.iter().position(|byte| *byte == b':').unwrap_or(value.len()),
    };
    let (host, port) = value.split_at(end);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte);
    let is_right = match host {
        [b'[', inner @ .., b']'] => std::str::from_utf8(inner).is_ok_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok()),
        name => name.iter().all(is_name),
    };
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_right && is_port
}

/// The library takes off the last layer, and would pass on what is beneath as if it were the body.
fn must_be_chunked_once(headers: &HeaderMap) -> Result<(), Problem> {
    let lines = headers.get_all(header::TRANSFER_ENCODING).iter();
    let layers = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let layers: Vec<&[u8]> = layers.filter(|layer| !layer.is_empty()).collect();
    let chunked = layers.iter().filter(|layer| layer.eq_ignore_ascii_case(b"chunked")).count();
    match (layers.len(), chunked) {
        (0, _) | (1, 1) => Ok(()),
        (_, 2..) => Err(Problem::BadHead("the body is `chunked` more than once".into())),
        _ => Err(Problem::NotImplemented("of transfer codings only `chunked` is known".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for good in
            ["", "a", "example.org", "example.org:8080", "example.org:", "A_b.example.", "127.0.0.1:80", "[::1]", "[2001:db8::1]:443"]
        {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "a b",
            "a/b",
            "a@b",
            "a:b",
            "a:1:2",
            "ä.example",
            "a:123456",
            "[::1",
            "::1",
            "[x]",
            "[::1]x",
            "a\\b",
            "a?b",
            "a#b",
            "\"a\"",
            "<a>",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }
}
