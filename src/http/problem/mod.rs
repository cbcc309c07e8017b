//! What callers are told when there is no response of a function's.

mod denied;
mod detail;
mod earlier;
pub mod git;
pub mod response;
mod run;
mod status;
#[cfg(test)]
mod tests;
pub mod webhook;

pub use detail::{how_to_keep, split};

use std::{borrow::Borrow, io};

use axum::response::IntoResponse;
use http::Response;

use self::{git::GitRefusal, webhook::WebhookRefusal};
use crate::{
    capability::kv::{Key, KvError},
    execution::{ExecutionId, Failure, Outcome},
    executor::ExecuteError,
    function::{
        Diagnostic, FunctionName,
        grants::{kv::Namespace, secret::SecretName},
        route::Method,
    },
    http::{auth::Denial, wire::body::BodyError},
    queue::QueueError,
    runner::{NoReply, StopReason},
    source::tarball::TarError,
    store::StoreError,
    sync::{
        earlier::EarlierError,
        orders::{error::OrderError, upload::UploadError},
    },
    vault::VaultError,
};

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
    /// No live function has a schedule of this id.
    UnknownSchedule(String),
    /// A run of a schedule was stopped, and has not ended yet.
    RunStopped {
        /// Names it.
        execution: ExecutionId,
        /// Why.
        reason: StopReason,
    },
    /// The path is there, the method is not.
    MethodNotAllowed(Vec<Method>),
    /// The body is not taken.
    Body(BodyError),
    /// The function's file is broken and never was good.
    Broken(Vec<Diagnostic>),
    /// The branch is not shown, because its files have mistakes.
    BrokenBranch(Vec<Diagnostic>),
    /// The run did not take place.
    Refused(ExecuteError),
    /// The run failed. With its author's view of it, which callers see only with `--dev`.
    Ended(Outcome, Option<Box<Failure>>),
    /// Nothing is loaded yet.
    NotReady,
    /// Who sent it may not do this.
    Denied(Denial),
    /// The same, of a function's caller: that one hears what the function asks for, and nothing of the node.
    NotAdmitted(Denial),
    /// It is nothing that git is served.
    Git(GitRefusal),
    /// What an operator wants cannot be done.
    Order(OrderError),
    /// What an operator sent is no order.
    BadOrder(String),
    /// The admin token stays as it was, because its file cannot be written.
    AdminTokenStays(io::Error),
    /// A webhook came, and nobody may send one.
    NoWebhookSecret,
    /// A webhook is not believed.
    Webhook(WebhookRefusal),
    /// Too many webhooks come at once.
    WebhooksBusy,
    /// An earlier deployment does not answer.
    Earlier(EarlierError),
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
    /// Secrets were not changed.
    Vault(VaultError),
    /// Live functions use the secret that is to be removed.
    SecretUsed {
        /// Which.
        name: SecretName,
        /// By whom.
        users: Vec<FunctionName>,
    },
    /// The key-value store refuses something.
    Kv(KvError),
    /// Nothing is kept under this key.
    UnknownKey {
        /// Where it was looked for.
        namespace: Namespace,
        /// The key.
        key: Key,
    },
    /// The key has another version than was wanted.
    OtherKeyVersion {
        /// The key.
        key: Key,
        /// Which version it has; 0: it is not there.
        version: u64,
    },
    /// The queue of events does not take or change something.
    Queue(QueueError),
    /// No event of this topic and id is kept.
    UnknownEvent,
    /// No such delivery waits.
    UnknownDelivery,
    /// The delivery waits behind another of its key.
    BlockedDelivery,
    /// No dead letter has this id.
    UnknownDeadLetter,
    /// No execution of this id is kept.
    UnknownExecution,
    /// The request of the execution was not kept.
    RequestNotKept {
        /// Which execution.
        id: ExecutionId,
        /// Of which function.
        function: FunctionName,
    },
    /// The function never had such a version.
    UnknownVersion {
        /// What was asked for.
        version: String,
        /// Which function.
        function: FunctionName,
    },
    /// There are more or fewer dead letters than somebody expects who changes them.
    OtherDeadLetters {
        /// So many are there.
        there: u64,
        /// So many were expected.
        expected: u64,
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

impl From<Denial> for Problem {
    fn from(denied: Denial) -> Self {
        Self::Denied(denied)
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<NoReply> for Problem {
    fn from(NoReply { outcome, failure }: NoReply) -> Self {
        Self::Ended(outcome, failure)
    }
}

impl From<GitRefusal> for Problem {
    fn from(refusal: GitRefusal) -> Self {
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

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(error) => away(error),
            error => Self::Vault(error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<axum::body::Body> {
        self.answer(None, false).map(axum::body::Body::new)
    }
}

impl From<EarlierError> for Problem {
    fn from(error: EarlierError) -> Self {
        Self::Earlier(error)
    }
}

/// Tells callers that the database is away, and the log why.
pub fn away(error: impl Borrow<StoreError>) -> Problem {
    let error = error.borrow();
    tracing::error!(error = error as &dyn std::error::Error, "the control plane cannot answer: {}", error.explained());
    Problem::HistoryAway
}
