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
                | KvError::Limit(_)
                | KvError::Version(_),
            )
            | Self::Tar(TarError::Damaged(_))
            | Self::Refused(ExecuteError::MalformedBody(_)) => StatusCode::BAD_REQUEST,
            Self::Denied(denied) | Self::NotAdmitted(denied) => match denied {
                Denial::NoToken { .. } | Denial::WrongToken | Denial::SessionEnded => StatusCode::UNAUTHORIZED,
                Denial::OtherOrigin
                | Denial::ScopeTooSmall { .. }
                | Denial::OnlySomeFunctions { .. }
                | Denial::OtherFunction { .. }
                | Denial::OtherTopic { .. }
                | Denial::ListTooLarge { .. } => StatusCode::FORBIDDEN,
                Denial::TooManyTries { .. } => StatusCode::TOO_MANY_REQUESTS,
                Denial::DatabaseAway => StatusCode::SERVICE_UNAVAILABLE,
            },
            Self::Git(GitRefusal::NoService) | Self::Upload(UploadError::OtherTopic(_)) => StatusCode::FORBIDDEN,
            Self::NotFound
            | Self::NotOurs
            | Self::NoRoute
            | Self::UnknownScript
            | Self::UnknownSchedule(_)
            | Self::Upload(UploadError::Unknown(_))
            | Self::UnknownToken(_)
            | Self::Vault(VaultError::Unknown(_))
            | Self::UnknownKey { .. }
            | Self::UnknownEvent
            | Self::UnknownDelivery
            | Self::UnknownDeadLetter
            | Self::UnknownExecution
            | Self::RequestNotKept { .. }
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
            | Self::RunStopped { .. }
            | Self::BlockedDelivery
            | Self::OtherDeadLetters { .. }
            | Self::TokenTaken(_)
            | Self::SecretUsed { .. }
            | Self::Vault(VaultError::Locked(_) | VaultError::TooMany)
            | Self::Kv(KvError::NotInteger(_) | KvError::SumTooLarge(_))
            | Self::NotInvocable { .. }
            | Self::Order(OrderError::AlreadyLive(_) | OrderError::OtherLive { .. } | OrderError::NothingToDo(_))
            | Self::Earlier(EarlierError::Outdated { .. })
            | Self::Upload(
                UploadError::Exists(_)
                | UploadError::RouteTaken(_)
                | UploadError::MassDelete(_)
                | UploadError::Held { .. }
                | UploadError::Edit(EditError::ReadOnly(_) | EditError::Moved(_) | EditError::InTheWay { .. }),
            ) => StatusCode::CONFLICT,
            Self::Upload(UploadError::Moved(_)) | Self::OtherKeyVersion { .. } => StatusCode::PRECONDITION_FAILED,
            Self::Order(OrderError::Broken { .. })
            | Self::Upload(UploadError::Wrong(_) | UploadError::Unmigrated { .. })
            | Self::Tar(TarError::Wrong(_)) => StatusCode::UNPROCESSABLE_ENTITY,
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
            Self::AdminTokenStays(_)
            | Self::Vault(VaultError::Key(_))
            | Self::Git(GitRefusal::Failed)
            | Self::Upload(UploadError::Edit(EditError::Failed { .. })) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Ended(Outcome::Failed | Outcome::Ok | Outcome::Rejected, _) => StatusCode::BAD_GATEWAY,
            Self::Broken(_)
            | Self::BrokenBranch(_)
            | Self::NotReady
            | Self::UploadsBusy
            | Self::Upload(UploadError::SourceAway(_))
            | Self::HistoryAway
            | Self::Queue(_)
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
