//! The one table from problems to statuses.

use http::StatusCode;

use super::{Problem, git::GitRefusal};
use crate::{
    capability::kv::KvError,
    execution::Outcome,
    executor::ExecuteError,
    http::{auth::Denial, wire::body::BodyError},
    source::{edit::EditError, tarball::TarError},
    store::FindError,
    sync::{
        earlier::EarlierError,
        orders::{error::OrderError, upload::UploadError},
    },
    vault::VaultError,
};

impl Problem {
    /// Returns the status: every error that a caller can meet, in one table.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadPath(_)
            | Self::BadHead(_)
            | Self::Body(BodyError::Broken)
            | Self::BadOrder(_)
            | Self::Vault(VaultError::Empty(_) | VaultError::TooLong(_))
            | Self::Kv(
                KvError::KeyLength(_)
                | KvError::KeyControl { .. }
                | KvError::NotJson(_)
                | KvError::Ttl(_)
                | KvError::NotTtl(_)
                | KvError::Limit(_),
            )
            | Self::Tar(TarError::Damaged(_))
            | Self::Refused(ExecuteError::MalformedBody(_)) => StatusCode::BAD_REQUEST,
            Self::Denied(denied) | Self::NotAdmitted(denied) => match denied {
                Denial::NoToken { .. } | Denial::WrongToken => StatusCode::UNAUTHORIZED,
                Denial::ScopeTooSmall { .. }
                | Denial::OnlySomeFunctions { .. }
                | Denial::OtherFunction { .. }
                | Denial::ListTooLarge { .. } => StatusCode::FORBIDDEN,
                Denial::TooManyTries { .. } => StatusCode::TOO_MANY_REQUESTS,
                Denial::DatabaseAway => StatusCode::SERVICE_UNAVAILABLE,
            },
            Self::Git(GitRefusal::NoService) => StatusCode::FORBIDDEN,
            Self::NotFound
            | Self::NotOurs
            | Self::NoRoute
            | Self::UnknownScript
            | Self::Upload(UploadError::Unknown(_))
            | Self::UnknownToken(_)
            | Self::Vault(VaultError::Unknown(_))
            | Self::UnknownKey { .. }
            | Self::UnknownExecution
            | Self::UnknownVersion { .. }
            | Self::Git(GitRefusal::NotHosted)
            | Self::Order(OrderError::Find(_) | OrderError::NothingBefore(_))
            | Self::Earlier(EarlierError::Find(
                FindError::Unknown(_)
                | FindError::Short(_)
                | FindError::Ambiguous { .. }
                | FindError::NothingLive
                | FindError::NeverLive(_),
            )) => StatusCode::NOT_FOUND,
            Self::NotReplayable(_)
            | Self::TokenTaken(_)
            | Self::SecretUsed { .. }
            | Self::Vault(VaultError::Locked(_) | VaultError::TooMany)
            | Self::Kv(KvError::NotInteger(_) | KvError::SumTooLarge(_))
            | Self::NotInvocable { .. }
            | Self::Order(OrderError::AlreadyLive(_) | OrderError::NothingToDo(_))
            | Self::Earlier(EarlierError::Outdated { .. })
            | Self::Upload(
                UploadError::Exists(_)
                | UploadError::RouteTaken(_)
                | UploadError::MassDelete(_)
                | UploadError::Held(_)
                | UploadError::Edit(EditError::ReadOnly(_) | EditError::Moved(_) | EditError::InTheWay { .. }),
            ) => StatusCode::CONFLICT,
            Self::Upload(UploadError::Moved(_)) | Self::OtherKeyVersion { .. } => StatusCode::PRECONDITION_FAILED,
            Self::Order(OrderError::Broken { .. }) | Self::Upload(UploadError::Wrong(_)) | Self::Tar(TarError::Wrong(_)) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Webhook(_) => StatusCode::UNAUTHORIZED,
            Self::NoWebhookSecret => StatusCode::FORBIDDEN,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Body(BodyError::Timeout) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyError::TooLarge { .. }) | Self::Tar(TarError::TooMuch { .. }) | Self::Kv(KvError::ValueTooLarge(_)) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::Body(BodyError::Encoded(_))
            | Self::Git(GitRefusal::MediaType { .. } | GitRefusal::Encoding)
            | Self::Tar(TarError::NoTar { .. }) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Vault(VaultError::Key(_)) | Self::Git(GitRefusal::Failed) | Self::Upload(UploadError::Edit(EditError::Failed { .. })) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Ended(Outcome::Failed | Outcome::Ok | Outcome::Rejected, _) => StatusCode::BAD_GATEWAY,
            Self::Broken(_)
            | Self::BrokenBranch(_)
            | Self::NotReady
            | Self::UploadsBusy
            | Self::Upload(UploadError::SourceAway(_))
            | Self::HistoryAway
            | Self::Vault(VaultError::Store(_))
            | Self::Kv(KvError::Away)
            | Self::Order(OrderError::NoDatabase(_) | OrderError::Stopping(_))
            | Self::Upload(UploadError::Order(_))
            | Self::Git(GitRefusal::Busy)
            | Self::WebhooksBusy
            | Self::TailsBusy { .. }
            | Self::Earlier(EarlierError::Find(FindError::Store(_)) | EarlierError::NoDatabase | EarlierError::NoThread(_))
            | Self::Refused(
                ExecuteError::FunctionBusy { .. }
                | ExecuteError::NodeBusy { .. }
                | ExecuteError::NodeWaits { .. }
                | ExecuteError::Leaks { .. }
                | ExecuteError::NotLoaded,
            )
            | Self::Ended(Outcome::Cancelled, _) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Ended(Outcome::TimedOut, _) => StatusCode::GATEWAY_TIMEOUT,
            Self::Ended(Outcome::OperationsExceeded | Outcome::MemoryExceeded | Outcome::SizeExceeded, _)
            | Self::Kv(KvError::TooManyKeys { .. } | KvError::TooManyBytes { .. }) => StatusCode::INSUFFICIENT_STORAGE,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        access::{Principal, Scope},
        deployment::DeploymentId,
        function::{FunctionName, grants::secret::SecretName, quantity::Size, route::Method},
        http::{auth::Way, problem::webhook::WebhookRefusal},
        store::StoreError,
        sync::{check::Functions, diff::tree::TreeDiff},
        vault::KeyError,
    };

    fn ci(functions: Option<&str>) -> Principal {
        Principal { name: "ci".into(), scope: Scope::Read, functions: functions.map(|prefix| prefix.parse().unwrap()) }
    }

    fn key() -> SecretName {
        "KEY".parse().unwrap()
    }

    fn too_small() -> Denial {
        Denial::ScopeTooSmall { principal: ci(None), needed: Scope::Deploy }
    }

    #[test]
    fn every_problem_has_its_status() {
        let refused = Problem::Refused;
        let ended = |outcome| Problem::Ended(outcome, None);
        for (problem, status) in [
            (Problem::BadPath("x".into()), 400),
            (Problem::BadHead("x".into()), 400),
            (Problem::NotImplemented("x".into()), 501),
            (Problem::Body(BodyError::Broken), 400),
            (refused(ExecuteError::MalformedBody("x".into())), 400),
            (Problem::Denied(Denial::NoToken { needed: Scope::Read, way: Way::Bearer }), 401),
            (Problem::NotAdmitted(Denial::NoToken { needed: Scope::Read, way: Way::Bearer }), 401),
            (Problem::NotAdmitted(too_small()), 403),
            (Problem::NotAdmitted(Denial::DatabaseAway), 503),
            (Problem::Denied(Denial::WrongToken), 401),
            (Problem::Denied(too_small()), 403),
            (Problem::Denied(Denial::OnlySomeFunctions { principal: ci(Some("shop")) }), 403),
            (Problem::Denied(Denial::OtherFunction { principal: ci(Some("shop")) }), 403),
            (Problem::Denied(Denial::ListTooLarge { principal: ci(None) }), 403),
            (Problem::UnknownToken("x".into()), 404),
            (Problem::UnknownKey { namespace: "x".parse().unwrap(), key: "x".parse().unwrap() }, 404),
            (Problem::OtherKeyVersion { key: "x".parse().unwrap(), version: 1 }, 412),
            (Problem::Kv(KvError::KeyLength(0)), 400),
            (Problem::Kv(KvError::NotInteger("x".parse().unwrap())), 409),
            (Problem::Kv(KvError::ValueTooLarge(1)), 413),
            (Problem::Kv(KvError::Away), 503),
            (Problem::Kv(KvError::TooManyKeys { namespace: "x".parse().unwrap(), limit: 1 }), 507),
            (Problem::TokenTaken("x".into()), 409),
            (Problem::SecretUsed { name: key(), users: Vec::new() }, 409),
            (Problem::Vault(VaultError::Locked("x".into())), 409),
            (Problem::Vault(VaultError::TooMany), 409),
            (Problem::Vault(VaultError::Unknown(key())), 404),
            (Problem::Vault(VaultError::Empty(key())), 400),
            (Problem::Vault(VaultError::TooLong(key())), 400),
            (Problem::Vault(KeyError::Malformed { place: "x".into(), hint: "x" }.into()), 500),
            (Problem::HistoryAway, 503),
            (Problem::Git(GitRefusal::NoService), 403),
            (Problem::Git(GitRefusal::NotHosted), 404),
            (Problem::Webhook(WebhookRefusal::Unsigned), 401),
            (Problem::Webhook(WebhookRefusal::WrongSignature), 401),
            (Problem::Webhook(WebhookRefusal::WrongTime), 401),
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
            (Problem::Earlier(FindError::Unknown("x".into()).into()), 404),
            (Problem::Earlier(FindError::Short("x".into()).into()), 404),
            (Problem::Earlier(FindError::Ambiguous { key: "x".into(), revisions: Vec::new() }.into()), 404),
            (Problem::Earlier(FindError::NothingLive.into()), 404),
            (Problem::Earlier(FindError::NeverLive(DeploymentId(1)).into()), 404),
            (Problem::Earlier(EarlierError::Outdated { id: DeploymentId(1), diagnostics: Arc::new([]) }), 409),
            (Problem::Earlier(FindError::Store(StoreError::NoDatabase { place: "x".into() }).into()), 503),
            (Problem::Earlier(EarlierError::NoDatabase), 503),
            (Problem::Earlier(EarlierError::NoThread(std::io::ErrorKind::WouldBlock.into())), 503),
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
            (Problem::Body(BodyError::Timeout), 408),
            (Problem::Body(BodyError::TooLarge { limit: 1 }), 413),
            (Problem::Body(BodyError::Encoded("gzip".into())), 415),
            (Problem::Git(GitRefusal::MediaType { expected: String::new() }), 415),
            (Problem::Git(GitRefusal::Encoding), 415),
            (Problem::Denied(Denial::TooManyTries { retry_after: Duration::ZERO }), 429),
            (Problem::Git(GitRefusal::Failed), 500),
            (ended(Outcome::Failed), 502),
            (Problem::Denied(Denial::DatabaseAway), 503),
            (Problem::Git(GitRefusal::Busy), 503),
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
