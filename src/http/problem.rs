//! What callers are told when there is no response of a function's: `application/problem+json` (RFC 9457). The one table from errors to
//! statuses.

use std::time::Duration;

use axum::response::IntoResponse;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{Either, Full};
use serde::Serialize;

use crate::{
    access::{FunctionPrefix, Scope},
    execution::{Failure, Outcome},
    executor::ExecuteError,
    function::{
        Diagnostic, FunctionName,
        route::{Method, methods::join},
    },
    http::{
        answer::{Answer, allow_header},
        auth::{Denied, Way},
        git::Refusal,
        webhook::{Reason, SIGNATURES},
    },
    runner::NoReply,
    source::{edit::EditError, tarball::TarError},
    store::{FindError, SHORTEST_REVISION, StoreError},
    sync::{
        archive::ArchiveError,
        diff::tree::TreeDiff,
        orders::{error::OrderError, upload::UploadError},
    },
};

/// Asks for a user and a password.
pub const BASIC: &str = "Basic realm=\"PiCloud\", charset=\"UTF-8\"";
/// Seconds after which a caller may try again when something is busy.
const RETRY_AFTER_SECONDS: u64 = 1;

/// Why a request gets no response of a function's.
#[derive(Debug)]
pub enum Problem {
    /// The path cannot be a path.
    BadPath(String),
    /// The head of the request cannot be understood for certain.
    BadHead(String),
    /// The request asks for what no part of a node does.
    NotImplemented(String),
    /// No function answers there.
    NotFound,
    /// Nothing of the node's is there.
    NotOurs,
    /// What a function is asked for is a URL of the node's own.
    NoRoute,
    /// No function of this id.
    UnknownScript,
    /// The path is there, the method is not.
    MethodNotAllowed(Vec<Method>),
    /// The body is larger than the function takes.
    BodyTooLarge {
        /// In bytes.
        limit: usize,
    },
    /// The body is compressed, or encoded in another way.
    BodyEncoded(String),
    /// The body did not come in time.
    BodyTimeout,
    /// The client broke off, or its message is malformed.
    BodyBroken,
    /// The function's file is broken and never was good.
    Broken(Vec<Diagnostic>),
    /// The branch is not shown, because its files have mistakes.
    BrokenBranch(Vec<Diagnostic>),
    /// The run did not take place.
    Refused(ExecuteError),
    /// The run failed. With its author's view of it, which callers see only with `--dev`.
    Ended(Outcome, Option<Failure>),
    /// Nothing is loaded yet.
    NotReady,
    /// Who sent it may not do this.
    Denied(Denied),
    /// The same, of a function's caller: that one hears what the function asks for, and nothing of the node.
    NotAdmitted(Denied),
    /// It is nothing that git is served.
    Git(Refusal),
    /// What an operator wants cannot be done.
    Order(OrderError),
    /// What an operator sent is no order.
    BadOrder(String),
    /// A webhook came, and nobody may send one.
    NoWebhookSecret,
    /// A webhook is not believed.
    Webhook(Reason),
    /// Too many webhooks come at once.
    WebhooksBusy,
    /// An earlier deployment does not answer.
    Archive(ArchiveError),
    /// The source was not changed.
    Upload(UploadError),
    /// A tar is not taken.
    Tar(TarError),
    /// Too many trees come at once.
    UploadsBusy,
    /// There is a token of this name.
    TokenTaken(String),
    /// There is no token of this name.
    UnknownToken(String),
    /// No execution of this id is kept.
    UnknownExecution,
    /// The function never had such a version.
    UnknownVersion {
        /// What was asked for.
        version: String,
        /// Which function.
        function: FunctionName,
    },
    /// The execution is there and cannot be run again so. Says why, and what to do.
    NotReplayable(String),
    /// What is to be run is there and cannot be.
    NotInvocable {
        /// Why, and what to do.
        why: String,
        /// What is wrong with its file.
        diagnostics: Vec<Diagnostic>,
    },
    /// The database that keeps what happened does not answer.
    HistoryAway,
    /// As many follow executions as may.
    TailsBusy {
        /// The node's `max_tails`.
        limit: usize,
    },
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<NoReply> for Problem {
    fn from(NoReply { outcome, failure }: NoReply) -> Self {
        Self::Ended(outcome, failure)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Git(refusal)
    }
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        Self::Order(error)
    }
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Order(error) => Self::Order(error),
            error => Self::Upload(error),
        }
    }
}

impl From<TarError> for Problem {
    fn from(error: TarError) -> Self {
        Self::Tar(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<axum::body::Body> {
        self.answer(None, false).map(axum::body::Body::new)
    }
}

impl From<ArchiveError> for Problem {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

/// Tells callers that the database is away, and the log why.
pub fn away(error: StoreError) -> Problem {
    tracing::error!(error = &error as &dyn std::error::Error, "the control plane cannot answer: {}", error.explained());
    Problem::HistoryAway
}

/// Mistakes that are told of a deployment whose files have become wrong.
const FIRST_DIAGNOSTICS: usize = 10;

impl Problem {
    /// Returns the status: every error that a caller can meet, in one table.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadPath(_)
            | Self::BadHead(_)
            | Self::BodyBroken
            | Self::BadOrder(_)
            | Self::Tar(TarError::Damaged(_))
            | Self::Refused(ExecuteError::MalformedBody(_)) => StatusCode::BAD_REQUEST,
            Self::Denied(denied) | Self::NotAdmitted(denied) => match denied {
                Denied::NoToken { .. } | Denied::WrongToken => StatusCode::UNAUTHORIZED,
                Denied::ScopeTooSmall { .. }
                | Denied::OnlySomeFunctions { .. }
                | Denied::OtherFunction { .. }
                | Denied::ListTooLarge { .. } => StatusCode::FORBIDDEN,
                Denied::TooManyTries { .. } => StatusCode::TOO_MANY_REQUESTS,
                Denied::DatabaseAway => StatusCode::SERVICE_UNAVAILABLE,
            },
            Self::Git(Refusal::NoService) => StatusCode::FORBIDDEN,
            Self::NotFound
            | Self::NotOurs
            | Self::NoRoute
            | Self::UnknownScript
            | Self::Upload(UploadError::Unknown(_))
            | Self::UnknownToken(_)
            | Self::UnknownExecution
            | Self::UnknownVersion { .. }
            | Self::Git(Refusal::NotHosted)
            | Self::Order(OrderError::Find(_) | OrderError::NothingBefore(_))
            | Self::Archive(ArchiveError::Find(
                FindError::Unknown(_)
                | FindError::Short(_)
                | FindError::Ambiguous { .. }
                | FindError::NothingLive
                | FindError::NeverLive(_),
            )) => StatusCode::NOT_FOUND,
            Self::NotReplayable(_)
            | Self::TokenTaken(_)
            | Self::NotInvocable { .. }
            | Self::Order(OrderError::AlreadyLive(_) | OrderError::NothingToDo(_))
            | Self::Archive(ArchiveError::Outdated { .. })
            | Self::Upload(
                UploadError::Exists(_)
                | UploadError::RouteTaken(_)
                | UploadError::MassDelete(_)
                | UploadError::Held(_)
                | UploadError::Edit(EditError::ReadOnly(_) | EditError::Moved(_) | EditError::InTheWay { .. }),
            ) => StatusCode::CONFLICT,
            Self::Upload(UploadError::Moved(_)) => StatusCode::PRECONDITION_FAILED,
            Self::Order(OrderError::Broken { .. }) | Self::Upload(UploadError::Wrong(_)) | Self::Tar(TarError::Wrong(_)) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Webhook(_) => StatusCode::UNAUTHORIZED,
            Self::NoWebhookSecret => StatusCode::FORBIDDEN,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge { .. } | Self::Tar(TarError::TooMuch { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyEncoded(_) | Self::Git(Refusal::MediaType { .. } | Refusal::Encoding) | Self::Tar(TarError::NoTar { .. }) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::Git(Refusal::Failed) | Self::Upload(UploadError::Edit(EditError::Failed { .. })) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Ended(Outcome::Failed | Outcome::Ok | Outcome::Rejected, _) => StatusCode::BAD_GATEWAY,
            Self::Broken(_)
            | Self::BrokenBranch(_)
            | Self::NotReady
            | Self::UploadsBusy
            | Self::Upload(UploadError::SourceAway(_))
            | Self::HistoryAway
            | Self::Order(OrderError::NoDatabase(_) | OrderError::Stopping(_))
            | Self::Upload(UploadError::Order(_))
            | Self::Git(Refusal::Busy)
            | Self::WebhooksBusy
            | Self::TailsBusy { .. }
            | Self::Archive(ArchiveError::Find(FindError::Store(_)) | ArchiveError::NoDatabase | ArchiveError::NoThread(_))
            | Self::Refused(
                ExecuteError::FunctionBusy { .. } | ExecuteError::NodeBusy { .. } | ExecuteError::Leaks { .. } | ExecuteError::NotLoaded,
            )
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
            Self::NotOurs => {
                "this URL is the node's own, and it has nothing there; `/_picloud/openapi.json` lists what it has, and in a name `/` is written `%2F`"
                    .into()
            }
            Self::NoRoute => "this URL is the node's own: no function answers there".into(),
            Self::UnknownScript => "no script has this id".into(),
            Self::MethodNotAllowed(allow) => format!("this path answers {}", join(allow)),
            Self::BodyTooLarge { limit } => format!("the body is larger than the {limit} bytes that are taken here"),
            Self::BodyEncoded(coding) => {
                format!("the body is encoded with `{coding}`, and bodies are taken as they are: send it without `content-encoding`")
            }
            Self::BodyTimeout => "the body did not come in time".into(),
            Self::BodyBroken => "the request ended before its body did, or the parts of its body are malformed".into(),
            Self::Broken(_) => "the function's file is broken and has no good version".into(),
            Self::BrokenBranch(_) => "the files of this branch have mistakes".into(),
            Self::Refused(ExecuteError::MalformedBody(why)) => why.clone(),
            Self::Refused(ExecuteError::FunctionBusy { .. } | ExecuteError::NodeBusy { .. }) => "too many requests at once; try again soon".into(),
            Self::Refused(ExecuteError::Leaks { .. }) => "the function leaks memory and was stopped until it changes".into(),
            Self::Refused(ExecuteError::NotLoaded) => "the function is being replaced; try again".into(),
            Self::BadHead(why) => format!("the request is malformed: {why}"),
            Self::NotImplemented(why) => why.clone(),
            Self::Ended(Outcome::Failed | Outcome::Ok | Outcome::Rejected, _) => "the function failed".into(),
            Self::Ended(Outcome::TimedOut, _) => "the function ran past its time limit".into(),
            Self::Ended(Outcome::OperationsExceeded, _) => "the function passed its limit of operations".into(),
            Self::Ended(Outcome::MemoryExceeded, _) => "the function passed its memory limit".into(),
            Self::Ended(Outcome::SizeExceeded, _) => "the function passed a size limit".into(),
            Self::Ended(Outcome::Cancelled, _) => "the node has too much to do and stopped the run; try again soon".into(),
            Self::NotReady => "the functions are not loaded yet".into(),
            Self::Order(error) => error.to_string(),
            Self::BadOrder(why) => why.clone(),
            Self::NotAdmitted(Denied::NoToken { .. }) => "this function needs a token: send one as `Authorization: Bearer …`".into(),
            Self::NotAdmitted(Denied::WrongToken) => "the token is not known here, or was revoked, or has expired".into(),
            Self::NotAdmitted(Denied::ScopeTooSmall { principal, needed }) => {
                format!("the token `{}` has the scope `{}`, and this function needs `{needed}`", principal.name, principal.scope)
            }
            Self::NotAdmitted(
                Denied::OnlySomeFunctions { principal } | Denied::OtherFunction { principal } | Denied::ListTooLarge { principal },
            ) => {
                format!("the token `{}` is not good for this function", principal.name)
            }
            Self::NotAdmitted(Denied::DatabaseAway) => "tokens cannot be looked up now; try again soon".into(),
            Self::Denied(Denied::NoToken { needed, way: Way::Bearer }) => format!(
                "this needs a token with the scope `{needed}`, sent as `Authorization: Bearer …` and not as a password; {}",
                made_by(*needed)
            ),
            Self::Denied(Denied::NoToken { needed, way: Way::Password }) => format!(
                "this needs a token, which git takes as the password, with any user name; {}",
                made_by(*needed)
            ),
            Self::Denied(Denied::WrongToken) => {
                "the token is not known here, or was revoked, or has expired; `picloud token list` shows those that there are".into()
            }
            Self::Denied(Denied::TooManyTries { retry_after }) | Self::NotAdmitted(Denied::TooManyTries { retry_after }) => {
                format!("too many wrong tokens came from this address; try again in {} s", whole_seconds(*retry_after))
            }
            Self::Denied(Denied::ScopeTooSmall { principal, needed }) => format!(
                "the token `{}` has the scope `{}`, and this needs `{needed}`; {}",
                principal.name,
                principal.scope,
                made_by(*needed)
            ),
            Self::Denied(Denied::OnlySomeFunctions { principal }) => format!(
                "the token `{}` is good for the functions of `{}` only, and this is about the whole node",
                principal.name,
                principal.functions.as_ref().map_or("", FunctionPrefix::as_str)
            ),
            Self::Denied(Denied::ListTooLarge { principal }) => {
                let functions = principal.functions.as_ref().map_or("", FunctionPrefix::as_str);
                format!(
                    "the token `{}` is good for the functions of `{functions}` only: ask for those with `prefix={functions}/`, or for one by its name",
                    principal.name
                )
            }
            Self::Denied(Denied::OtherFunction { principal }) => format!(
                "the token `{}` is good for the functions of `{}` only, and this is none of them",
                principal.name,
                principal.functions.as_ref().map_or("", FunctionPrefix::as_str)
            ),
            Self::Denied(Denied::DatabaseAway) => {
                "the database that knows the tokens does not answer; the one in the file `admin-token` of the data folder works without"
                    .into()
            }
            Self::Git(Refusal::NotHosted) => {
                "this node hosts no repository; it does with `kind = \"git\"` and `repository = \"hosted\"` in the section `[source]`".into()
            }
            Self::Git(Refusal::NoService) => {
                "only git's smart protocol is spoken here: clone, fetch or push with git 1.6.6 or later".into()
            }
            Self::Git(Refusal::MediaType { expected }) => format!("the content type of this request is `{expected}`"),
            Self::Git(Refusal::Encoding) => "the body may be compressed with gzip, or not at all".into(),
            Self::Git(Refusal::Busy) => "too many pushes and fetches at once; try again soon".into(),
            Self::Git(Refusal::Failed) => "the repository cannot be served; the node's log says why".into(),
            Self::NoWebhookSecret => {
                "webhooks are off: set `webhook_secret` in the section `[source]`, or PICLOUD_WEBHOOK_SECRET in the environment of the node".into()
            }
            Self::Webhook(Reason::Unsigned) => format!(
                "the webhook has no signature that is known here: set the secret on the side that sends it; these headers are read: {SIGNATURES}"
            ),
            Self::Webhook(Reason::WrongSignature) => "the webhook's signature is wrong: the secret must be the same on both sides".into(),
            Self::Webhook(Reason::WrongTime) => {
                "the webhook was signed more than 5 minutes ago or ahead: one of the clocks is wrong".into()
            }
            Self::WebhooksBusy => "too many webhooks at once; try again soon".into(),
            Self::UnknownExecution => "no execution has this id, or it is no longer kept, or it was not recorded".into(),
            Self::UnknownVersion { version, function } => {
                format!("no version of `{function}` is or begins with `{version}`; `picloud versions {function}` lists them")
            }
            Self::NotReplayable(why) | Self::NotInvocable { why, .. } => why.clone(),
            Self::TailsBusy { limit } => {
                format!("{limit} follow executions already, and more may not (`max_tails` in the section `[server]`); try again soon")
            }
            Self::Archive(ArchiveError::Find(FindError::Unknown(_))) => "no deployment that was live has this id or revision".into(),
            Self::Archive(ArchiveError::Find(FindError::Short(_))) => {
                format!("a revision is named by its first {SHORTEST_REVISION} characters or more")
            }
            Self::Archive(ArchiveError::Find(FindError::Ambiguous { .. })) => "more than one revision begins so; give more of it".into(),
            Self::Archive(ArchiveError::Find(FindError::NothingLive)) => "nothing was ever live".into(),
            Self::Archive(ArchiveError::Find(FindError::NeverLive(_))) => "this deployment was rejected and never live".into(),
            Self::Archive(ArchiveError::Outdated { .. }) => "the files of this deployment do not check by today's rules and limits".into(),
            Self::Archive(ArchiveError::Find(FindError::Store(_)) | ArchiveError::NoDatabase) => {
                "the database that has the earlier deployments does not answer; try again".into()
            }
            Self::Archive(ArchiveError::NoThread(_)) => "the node has too much to do; try again".into(),
            Self::Upload(error) => error.to_string(),
            Self::Tar(error) => error.to_string(),
            Self::UploadsBusy => "too many trees come at once; try again soon".into(),
            Self::TokenTaken(name) => format!("there is a token `{name}` already; take another name, or revoke that one first"),
            Self::UnknownToken(name) => format!("there is no token `{name}`"),
            Self::HistoryAway => {
                "the database does not answer, or must not be written to now (`picloud status` says why); try again".into()
            }
        }
    }

    /// Returns one sentence for the author of a function that did not run, who may know its limits.
    pub fn reason(&self) -> String {
        match self {
            Self::Refused(refused) => refused.to_string(),
            other => other.detail(),
        }
    }

    /// Makes the response. `dev` adds what only an author should see.
    pub fn answer(&self, execution_id: Option<&str>, dev: bool) -> Answer {
        let status = self.status();
        let (failure, diagnostics) = match self {
            Self::Ended(_, failure) if dev => (failure.as_ref(), &[][..]),
            Self::Broken(diagnostics) | Self::BrokenBranch(diagnostics) if dev => (None, &diagnostics[..]),
            Self::Order(OrderError::Broken { diagnostics, .. })
            | Self::NotInvocable { diagnostics, .. }
            | Self::Upload(UploadError::Wrong(diagnostics) | UploadError::RouteTaken(diagnostics))
            | Self::Tar(TarError::Wrong(diagnostics)) => (None, &diagnostics[..]),
            Self::Archive(ArchiveError::Outdated { diagnostics, .. }) if dev => {
                (None, &diagnostics[..diagnostics.len().min(FIRST_DIAGNOSTICS)])
            }
            _ => (None, &[][..]),
        };
        let plan = match self {
            Self::Upload(UploadError::MassDelete(plan)) => Some(&**plan),
            _ => None,
        };
        let detail = self.detail();
        // On the command line a hint is a line of its own, here a member.
        let (detail, hint) = detail.split_once("\n  hint: ").map_or((&*detail, None), |(detail, hint)| (detail, Some(hint)));
        let body = Body {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail,
            hint,
            execution_id,
            failure,
            diagnostics,
            plan,
            text: plan.map(ToString::to_string),
        };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        self.respond("application/problem+json", json, "Bearer")
    }

    /// Makes the response for git, which shows a plain text to its user behind `remote:`.
    pub fn answer_git(&self) -> Answer {
        self.respond("text/plain; charset=utf-8", format!("{}\n", self.detail()).into(), BASIC)
    }

    fn respond(&self, content_type: &'static str, body: Vec<u8>, challenge: &'static str) -> Answer {
        let mut response = Response::new(Either::Left(Full::new(Bytes::from(body))));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Self::MethodNotAllowed(allow) = self {
            headers.insert(header::ALLOW, allow_header(allow));
        }
        if let Self::Denied(Denied::NoToken { .. } | Denied::WrongToken) | Self::NotAdmitted(Denied::NoToken { .. } | Denied::WrongToken) =
            self
        {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Self::BodyEncoded(_) = self {
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
            Self::Denied(Denied::TooManyTries { retry_after }) | Self::NotAdmitted(Denied::TooManyTries { retry_after }) => {
                Some(whole_seconds(*retry_after))
            }
            Self::Refused(ExecuteError::FunctionBusy { .. } | ExecuteError::NodeBusy { .. } | ExecuteError::NotLoaded)
            | Self::Ended(Outcome::Cancelled, _)
            | Self::NotReady
            | Self::Denied(Denied::DatabaseAway)
            | Self::NotAdmitted(Denied::DatabaseAway)
            | Self::WebhooksBusy
            | Self::UploadsBusy
            | Self::HistoryAway
            | Self::TailsBusy { .. }
            | Self::Archive(ArchiveError::Find(FindError::Store(_)) | ArchiveError::NoDatabase | ArchiveError::NoThread(_))
            | Self::Git(Refusal::Busy) => Some(RETRY_AFTER_SECONDS),
            _ => None,
        }
    }
}

/// Returns the seconds after which a time has passed.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Says how somebody gets a token: another command, such as one to a node elsewhere, would ask with the token that is too small.
fn made_by(scope: Scope) -> String {
    format!("make one on the node's machine, in its folder: `picloud token create NAME --scope {scope}`")
}

/// The members of RFC 9457, and ours.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a Failure>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    diagnostics: &'a [Diagnostic],
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a TreeDiff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        access::Principal,
        deployment::DeploymentId,
        function::{FunctionName, limits::Size},
        store::StoreError,
        sync::check::Functions,
    };

    fn ci(functions: Option<&str>) -> Principal {
        Principal { name: "ci".into(), scope: Scope::Read, functions: functions.map(|prefix| prefix.parse().unwrap()) }
    }

    fn too_small() -> Denied {
        Denied::ScopeTooSmall { principal: ci(None), needed: Scope::Deploy }
    }

    #[test]
    fn what_is_denied_says_what_to_do() {
        let told = || {
            [
                Denied::NoToken { needed: Scope::Deploy, way: Way::Bearer },
                Denied::NoToken { needed: Scope::Deploy, way: Way::Password },
                Denied::WrongToken,
                Denied::TooManyTries { retry_after: Duration::from_millis(1_500) },
                too_small(),
                Denied::OnlySomeFunctions { principal: ci(Some("shop")) },
                Denied::OtherFunction { principal: ci(Some("shop")) },
                Denied::ListTooLarge { principal: ci(Some("shop")) },
                Denied::DatabaseAway,
            ]
        };
        let to_operators = told().map(|denied| Problem::Denied(denied).detail());
        let to_callers = told().map(|denied| Problem::NotAdmitted(denied).detail());
        insta::assert_snapshot!(format!("{}\n\nto callers of a function:\n{}", to_operators.join("\n"), to_callers.join("\n")));
    }

    #[test]
    fn every_problem_has_its_status() {
        let refused = Problem::Refused;
        let ended = |outcome| Problem::Ended(outcome, None);
        for (problem, status) in [
            (Problem::BadPath("x".into()), 400),
            (Problem::BadHead("x".into()), 400),
            (Problem::NotImplemented("x".into()), 501),
            (Problem::BodyBroken, 400),
            (refused(ExecuteError::MalformedBody("x".into())), 400),
            (Problem::Denied(Denied::NoToken { needed: Scope::Read, way: Way::Bearer }), 401),
            (Problem::NotAdmitted(Denied::NoToken { needed: Scope::Read, way: Way::Bearer }), 401),
            (Problem::NotAdmitted(too_small()), 403),
            (Problem::NotAdmitted(Denied::DatabaseAway), 503),
            (Problem::Denied(Denied::WrongToken), 401),
            (Problem::Denied(too_small()), 403),
            (Problem::Denied(Denied::OnlySomeFunctions { principal: ci(Some("shop")) }), 403),
            (Problem::Denied(Denied::OtherFunction { principal: ci(Some("shop")) }), 403),
            (Problem::Denied(Denied::ListTooLarge { principal: ci(None) }), 403),
            (Problem::UnknownToken("x".into()), 404),
            (Problem::TokenTaken("x".into()), 409),
            (Problem::HistoryAway, 503),
            (Problem::Git(Refusal::NoService), 403),
            (Problem::Git(Refusal::NotHosted), 404),
            (Problem::Webhook(Reason::Unsigned), 401),
            (Problem::Webhook(Reason::WrongSignature), 401),
            (Problem::Webhook(Reason::WrongTime), 401),
            (Problem::NoWebhookSecret, 403),
            (Problem::NotFound, 404),
            (Problem::NotOurs, 404),
            (Problem::NoRoute, 404),
            (Problem::UnknownScript, 404),
            (Problem::BadOrder("x".into()), 400),
            (Problem::Order(OrderError::Find(FindError::NeverLive(DeploymentId(1)))), 404),
            (Problem::Order(OrderError::NothingBefore("x".into())), 404),
            (Problem::Order(OrderError::AlreadyLive(DeploymentId(1))), 409),
            (Problem::Order(OrderError::NothingToDo("x")), 409),
            (Problem::Order(OrderError::Broken { id: DeploymentId(1), diagnostics: Vec::new() }), 422),
            (Problem::Order(OrderError::NoDatabase("x".into())), 503),
            (Problem::Archive(FindError::Unknown("x".into()).into()), 404),
            (Problem::Archive(FindError::Short("x".into()).into()), 404),
            (Problem::Archive(FindError::Ambiguous { key: "x".into(), revisions: Vec::new() }.into()), 404),
            (Problem::Archive(FindError::NothingLive.into()), 404),
            (Problem::Archive(FindError::NeverLive(DeploymentId(1)).into()), 404),
            (Problem::Archive(ArchiveError::Outdated { id: DeploymentId(1), diagnostics: Arc::new([]) }), 409),
            (Problem::Archive(FindError::Store(StoreError::NoDatabase { place: "x".into() }).into()), 503),
            (Problem::Archive(ArchiveError::NoDatabase), 503),
            (Problem::Archive(ArchiveError::NoThread(std::io::ErrorKind::WouldBlock.into())), 503),
            (Problem::Tar(TarError::Damaged(std::io::ErrorKind::UnexpectedEof.into())), 400),
            (Problem::Upload(UploadError::Unknown(FunctionName::new("x"))), 404),
            (Problem::Upload(UploadError::Exists(FunctionName::new("x"))), 409),
            (Problem::Upload(UploadError::RouteTaken(Vec::new())), 409),
            (Problem::Upload(UploadError::MassDelete(Box::new(TreeDiff::between(&Functions::new(), &Functions::new())))), 409),
            (Problem::Upload(UploadError::Held("x".into())), 409),
            (Problem::Upload(EditError::ReadOnly("x".into()).into()), 409),
            (Problem::Upload(EditError::Moved("x".into()).into()), 409),
            (Problem::Upload(EditError::InTheWay { path: "x".into(), why: "x" }.into()), 409),
            (Problem::Upload(UploadError::Moved(FunctionName::new("x"))), 412),
            (Problem::Tar(TarError::TooMuch { what: "x".into(), limit: 1 }), 413),
            (Problem::Tar(TarError::NoTar { hint: None }), 415),
            (Problem::Upload(UploadError::Wrong(Vec::new())), 422),
            (Problem::Tar(TarError::Wrong(Vec::new())), 422),
            (Problem::Upload(EditError::Failed { path: "x".into(), why: "x".into() }.into()), 500),
            (Problem::Upload(UploadError::SourceAway(None)), 503),
            (Problem::UploadsBusy, 503),
            (Problem::MethodNotAllowed(vec![Method::Get]), 405),
            (Problem::BodyTimeout, 408),
            (Problem::BodyTooLarge { limit: 1 }, 413),
            (Problem::BodyEncoded("gzip".into()), 415),
            (Problem::Git(Refusal::MediaType { expected: String::new() }), 415),
            (Problem::Git(Refusal::Encoding), 415),
            (Problem::Denied(Denied::TooManyTries { retry_after: Duration::ZERO }), 429),
            (Problem::Git(Refusal::Failed), 500),
            (ended(Outcome::Failed), 502),
            (Problem::Denied(Denied::DatabaseAway), 503),
            (Problem::Git(Refusal::Busy), 503),
            (Problem::Broken(Vec::new()), 503),
            (Problem::BrokenBranch(Vec::new()), 503),
            (Problem::NotReady, 503),
            (Problem::WebhooksBusy, 503),
            (Problem::TailsBusy { limit: 1 }, 503),
            (Problem::UnknownExecution, 404),
            (Problem::UnknownVersion { version: "x".into(), function: FunctionName::new("f") }, 404),
            (Problem::NotReplayable("x".into()), 409),
            (Problem::NotInvocable { why: "x".into(), diagnostics: Vec::new() }, 409),
            (refused(ExecuteError::FunctionBusy { limit: 1 }), 503),
            (refused(ExecuteError::NodeBusy { limit: 1 }), 503),
            (refused(ExecuteError::Leaks { limit: Size::mib(1) }), 503),
            (refused(ExecuteError::NotLoaded), 503),
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
