//! How a problem is answered: `application/problem+json` (RFC 9457), or a text for git.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::{Either, Full};

use super::{Problem, denied::whole_seconds, detail::split, earlier::FIRST_DIAGNOSTICS, git::GitRefusal};
use crate::{
    api::problem::ProblemDetails,
    execution::Outcome,
    executor::ExecuteError,
    http::{
        answer::{Answer, allow_header},
        auth::Denial,
        wire::body::BodyError,
    },
    source::tarball::TarError,
    store::FindError,
    sync::{
        earlier::EarlierError,
        orders::{error::OrderError, upload::UploadError},
    },
};

/// Asks for a user and a password.
pub const BASIC: &str = "Basic realm=\"PiCloud\", charset=\"UTF-8\"";
/// Seconds after which a caller may try again when something is busy.
const RETRY_AFTER_SECONDS: u64 = 1;

impl Problem {
    /// Makes the response. `dev` adds what only an author should see.
    pub fn answer(&self, execution_id: Option<&str>, dev: bool) -> Answer {
        let status = self.status();
        let (failure, diagnostics) = match self {
            Self::Ended(_, failure) if dev => (failure.as_deref(), &[][..]),
            Self::Broken(diagnostics) | Self::BrokenBranch(diagnostics) if dev => (None, &diagnostics[..]),
            Self::Order(OrderError::Broken { diagnostics, .. })
            | Self::NotInvocable { diagnostics, .. }
            | Self::Upload(
                UploadError::Wrong(diagnostics) | UploadError::Unmigrated { found: diagnostics, .. } | UploadError::RouteTaken(diagnostics),
            )
            | Self::Tar(TarError::Wrong(diagnostics)) => (None, &diagnostics[..]),
            Self::Earlier(EarlierError::Outdated { diagnostics, .. }) if dev => {
                (None, &diagnostics[..diagnostics.len().min(FIRST_DIAGNOSTICS)])
            }
            _ => (None, &[][..]),
        };
        let plan = match self {
            Self::Upload(UploadError::MassDelete(plan)) => Some(&**plan),
            _ => None,
        };
        let message = self.message();
        let (detail, hint) = split(&message);
        let body = ProblemDetails {
            r#type: "about:blank".into(),
            title: status.canonical_reason().unwrap_or_default().into(),
            status: status.as_u16(),
            detail: detail.into(),
            hint: hint.map(Cow::Owned),
            execution_id: execution_id.map(Cow::Borrowed),
            failure: failure.map(Cow::Borrowed),
            diagnostics: diagnostics.into(),
            plan: plan.map(Cow::Borrowed),
            text: plan.map(ToString::to_string),
        };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        self.respond("application/problem+json", json, "Bearer")
    }

    /// Makes the response for git, which shows a plain text to its user behind `remote:`.
    pub fn answer_git(&self) -> Answer {
        self.respond("text/plain; charset=utf-8", format!("{}\n", self.message()).into(), BASIC)
    }

    fn respond(&self, content_type: &'static str, body: Vec<u8>, challenge: &'static str) -> Answer {
        let mut response = Response::new(Either::Left(Full::new(Bytes::from(body))));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Self::MethodNotAllowed(allow) = self {
            headers.insert(header::ALLOW, allow_header(allow));
        }
        if let Self::Denied(Denial::NoToken { .. } | Denial::WrongToken | Denial::SessionEnded)
        | Self::NotAdmitted(Denial::NoToken { .. } | Denial::WrongToken) = self
        {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Self::Body(BodyError::Encoded(_)) = self {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }

    /// Returns when the same request may succeed, if waiting helps.
    fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::Denied(Denial::TooManyTries { retry_after }) | Self::NotAdmitted(Denial::TooManyTries { retry_after }) => {
                Some(whole_seconds(*retry_after))
            }
            Self::Refused(
                ExecuteError::FunctionBusy { .. }
                | ExecuteError::NodeBusy { .. }
                | ExecuteError::NodeWaits { .. }
                | ExecuteError::NotLoaded,
            )
            | Self::Ended(Outcome::Cancelled, _)
            | Self::NotReady
            | Self::Denied(Denial::DatabaseAway)
            | Self::NotAdmitted(Denial::DatabaseAway)
            | Self::WebhooksBusy
            | Self::UploadsBusy
            | Self::HistoryAway
            | Self::TailsBusy { .. }
            | Self::Earlier(EarlierError::Find(FindError::Store(_)) | EarlierError::NoDatabase | EarlierError::NoThread(_))
            | Self::Git(GitRefusal::Busy) => Some(RETRY_AFTER_SECONDS),
            _ => None,
        }
    }
}
