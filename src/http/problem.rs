//! What callers are told when there is no response of a function's: `application/problem+json` (RFC 9457). The one table from errors to
//! statuses.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{Either, Full};
use serde::Serialize;

use super::{Answer, webhook::Reason};
use crate::{
    execution::{Failure, Outcome},
    executor::Refused,
    function::{
        Diagnostic,
        route::{Method, methods::join},
    },
};

/// Seconds after which a caller may try again when something is busy.
const RETRY_AFTER_SECONDS: u16 = 1;

/// Why a request gets no response of a function's.
#[derive(Debug)]
pub enum Problem {
    /// The path cannot be a path.
    BadPath(String),
    /// No function answers there.
    NotFound,
    /// No function of this id.
    UnknownScript,
    /// The path is there, the method is not.
    MethodNotAllowed(Vec<Method>),
    /// The body is larger than the function takes.
    BodyTooLarge {
        /// In bytes.
        limit: usize,
    },
    /// The body did not come in time.
    BodyTimeout,
    /// The client broke off, or its message is malformed.
    BodyBroken,
    /// The function's file is broken and never was good.
    Broken(Vec<Diagnostic>),
    /// The run did not take place.
    Refused(Refused),
    /// The run failed. With its author's view of it, which callers see only with `--dev`.
    Ended(Outcome, Option<Failure>),
    /// Nothing is loaded yet.
    NotReady,
    /// A webhook came, and nobody may send one.
    NoWebhookSecret,
    /// A webhook is not believed.
    Webhook(Reason),
    /// Too many webhooks come at once.
    WebhooksBusy,
}

impl Problem {
    /// Returns the status: every error that a caller can meet, in one table.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadPath(_) | Self::BodyBroken | Self::Refused(Refused::MalformedBody(_)) => StatusCode::BAD_REQUEST,
            Self::Webhook(_) => StatusCode::UNAUTHORIZED,
            Self::NoWebhookSecret => StatusCode::FORBIDDEN,
            Self::NotFound | Self::UnknownScript => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Ended(Outcome::Failed | Outcome::Ok, _) => StatusCode::BAD_GATEWAY,
            Self::Broken(_)
            | Self::NotReady
            | Self::WebhooksBusy
            | Self::Refused(Refused::FunctionBusy { .. } | Refused::NodeBusy { .. } | Refused::NotLoaded)
            | Self::Ended(Outcome::Cancelled, _) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Ended(Outcome::TimedOut, _) => StatusCode::GATEWAY_TIMEOUT,
            Self::Ended(Outcome::OperationsExceeded | Outcome::MemoryExceeded | Outcome::SizeExceeded, _) => {
                StatusCode::INSUFFICIENT_STORAGE
            }
        }
    }

    /// Returns one sentence that is safe for anyone to read.
    fn detail(&self) -> String {
        match self {
            Self::BadPath(why) => format!("the path is malformed: {why}"),
            Self::NotFound => "no function answers at this path".into(),
            Self::UnknownScript => "no script has this id".into(),
            Self::MethodNotAllowed(allow) => format!("this path answers {}", join(allow)),
            Self::BodyTooLarge { limit } => format!("the body is larger than the {limit} bytes that are taken here"),
            Self::BodyTimeout => "the body did not come in time".into(),
            Self::BodyBroken => "the request ended before its body did".into(),
            Self::Broken(_) => "the function's file is broken and has no good version".into(),
            Self::Refused(Refused::MalformedBody(why)) => why.clone(),
            Self::Refused(Refused::FunctionBusy { .. } | Refused::NodeBusy { .. }) => "too many requests at once; try again soon".into(),
            Self::Refused(Refused::NotLoaded) => "the function is being replaced; try again".into(),
            Self::Ended(Outcome::Failed | Outcome::Ok, _) => "the function failed".into(),
            Self::Ended(Outcome::TimedOut, _) => "the function ran past its time limit".into(),
            Self::Ended(Outcome::OperationsExceeded, _) => "the function passed its limit of operations".into(),
            Self::Ended(Outcome::MemoryExceeded, _) => "the function passed its memory limit".into(),
            Self::Ended(Outcome::SizeExceeded, _) => "the function passed a size limit".into(),
            Self::Ended(Outcome::Cancelled, _) => "the run was stopped".into(),
            Self::NotReady => "the functions are not loaded yet".into(),
            Self::NoWebhookSecret => {
                "webhooks are off: set `webhook_secret` below `[source]`, or PICLOUD_WEBHOOK_SECRET in the environment of the node".into()
            }
            Self::Webhook(Reason::Unsigned) => "the webhook is not signed: set the secret on the side that sends it".into(),
            Self::Webhook(Reason::WrongSignature) => "the webhook's signature is wrong: the secret must be the same on both sides".into(),
            Self::Webhook(Reason::WrongTime) => {
                "the webhook was signed more than 5 minutes ago or ahead: one of the clocks is wrong".into()
            }
            Self::WebhooksBusy => "too many webhooks at once; try again soon".into(),
        }
    }

    /// Makes the response. `dev` adds what only an author should see.
    pub fn answer(&self, execution_id: Option<&str>, dev: bool) -> Answer {
        let status = self.status();
        let (failure, diagnostics) = match self {
            Self::Ended(_, failure) if dev => (failure.as_ref(), &[][..]),
            Self::Broken(diagnostics) if dev => (None, &diagnostics[..]),
            _ => (None, &[][..]),
        };
        let body = Body {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.detail(),
            execution_id,
            failure,
            diagnostics,
        };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(Either::Left(Full::new(Bytes::from(json))));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self {
            Self::MethodNotAllowed(allow) => {
                headers.insert(header::ALLOW, allow_header(allow));
            }
            Self::Refused(Refused::FunctionBusy { .. } | Refused::NodeBusy { .. } | Refused::NotLoaded)
            | Self::NotReady
            | Self::WebhooksBusy => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into());
            }
            _ => {}
        }
        response
    }
}

/// The members of RFC 9457, and ours.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a Failure>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    diagnostics: &'a [Diagnostic],
}

/// Returns the value of an `Allow` header.
pub fn allow_header(allow: &[Method]) -> HeaderValue {
    HeaderValue::from_str(&join(allow)).expect("method names are ASCII letters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_its_status() {
        let refused = Problem::Refused;
        let ended = |outcome| Problem::Ended(outcome, None);
        for (problem, status) in [
            (Problem::BadPath("x".into()), 400),
            (Problem::BodyBroken, 400),
            (refused(Refused::MalformedBody("x".into())), 400),
            (Problem::Webhook(Reason::Unsigned), 401),
            (Problem::Webhook(Reason::WrongSignature), 401),
            (Problem::Webhook(Reason::WrongTime), 401),
            (Problem::NoWebhookSecret, 403),
            (Problem::NotFound, 404),
            (Problem::UnknownScript, 404),
            (Problem::MethodNotAllowed(vec![Method::Get]), 405),
            (Problem::BodyTimeout, 408),
            (Problem::BodyTooLarge { limit: 1 }, 413),
            (ended(Outcome::Failed), 502),
            (Problem::Broken(Vec::new()), 503),
            (Problem::NotReady, 503),
            (Problem::WebhooksBusy, 503),
            (refused(Refused::FunctionBusy { limit: 1 }), 503),
            (refused(Refused::NodeBusy { limit: 1 }), 503),
            (refused(Refused::NotLoaded), 503),
            (ended(Outcome::Cancelled), 503),
            (ended(Outcome::TimedOut), 504),
            (ended(Outcome::OperationsExceeded), 507),
            (ended(Outcome::MemoryExceeded), 507),
            (ended(Outcome::SizeExceeded), 507),
        ] {
            assert_eq!(problem.status().as_u16(), status, "{problem:?}");
        }
    }
}
