//! When a request may be sent again, and how long to wait before.

use std::time::Duration;

use http::{HeaderMap, Method, header};

use super::hop::Answer;
use crate::capability::http::{ErrorKind, OutboundError};

/// The wait before the second try; it doubles each time, and is shortened by up to a half, so that not all come at once.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Returns how long to wait before the same request is sent again. `None`: it is not.
///
/// What may be sent again is a request that does no more the second time (RFC 9110, section 9.2.2), or of which nothing was sent.
pub fn wait(method: &Method, result: &Result<Answer, OutboundError>, tries_before: u32) -> Option<Duration> {
    let after = FIRST_WAIT * 2_u32.pow(tries_before.min(10));
    match result {
        Ok(answer) if method.is_idempotent() && matches!(answer.status.as_u16(), 429 | 502..=504) => {
            Some(asked_for(&answer.headers).unwrap_or_else(|| shortened(after)))
        }
        Err(error) => {
            let may_pass = match error.kind {
                ErrorKind::Dns | ErrorKind::Connect => true,
                ErrorKind::Protocol => method.is_idempotent(),
                // A certificate, a rule or a size will be the same; and when the time is over, it is over.
                ErrorKind::Tls | ErrorKind::Timeout | ErrorKind::Blocked | ErrorKind::TooLarge | ErrorKind::Redirect => false,
            };
            may_pass.then(|| shortened(after))
        }
        Ok(_) => None,
    }
}

/// Returns what `retry-after` says in seconds; a date is as if it said nothing.
fn asked_for(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn shortened(wait: Duration) -> Duration {
    let part = getrandom::u32().unwrap_or(0);
    wait - wait.mul_f64(f64::from(part) / f64::from(u32::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderValue, StatusCode};

    use super::*;

    #[test]
    fn only_what_is_safe_is_sent_again() {
        let answers = |status| Ok(Answer { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body: Bytes::new() });
        let fails = |kind| Err(OutboundError::new(kind, ""));
        for (result, again) in [
            (answers(200), ""),
            (answers(404), ""),
            (answers(500), ""),
            (answers(429), "GET PUT"),
            (answers(502), "GET PUT"),
            (answers(503), "GET PUT"),
            (answers(504), "GET PUT"),
            (fails(ErrorKind::Dns), "GET PUT POST PATCH"),
            (fails(ErrorKind::Connect), "GET PUT POST PATCH"),
            (fails(ErrorKind::Protocol), "GET PUT"),
            (fails(ErrorKind::Tls), ""),
            (fails(ErrorKind::Timeout), ""),
            (fails(ErrorKind::Blocked), ""),
            (fails(ErrorKind::TooLarge), ""),
            (fails(ErrorKind::Redirect), ""),
        ] {
            let methods = [Method::GET, Method::PUT, Method::POST, Method::PATCH];
            let is_again = |method: &&Method| wait(method, &result, 0).is_some();
            let found: Vec<&str> = methods.iter().filter(is_again).map(Method::as_str).collect();
            assert_eq!(found.join(" "), again, "{result:?}");
        }
    }

    #[test]
    fn waits_grow_and_a_server_may_ask_for_its_own() {
        let waits = |tries| wait(&Method::GET, &Err(OutboundError::new(ErrorKind::Connect, "")), tries).unwrap();
        for (tries, most) in [(0, 100), (1, 200), (2, 400), (100, 102_400)] {
            let most = Duration::from_millis(most);
            assert!((most / 2..=most).contains(&waits(tries)), "{tries}");
        }
        for (text, seconds) in [("7", Some(7)), ("0", Some(0)), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)] {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(asked_for(&headers), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
