//! What keeps a function from running for a request that met it.

use crate::{
    executor::ExecuteError,
    http::{auth::Denial, problem::Problem, wire::body::BodyError},
    runner::RejectionReason,
};

/// Why a function does not run for a request.
pub enum CallError {
    /// Its caller may not run it.
    Denied(Denial),
    /// The body is not taken.
    Body(BodyError),
    /// The executor does not run it.
    Refused(ExecuteError),
}

impl CallError {
    /// Returns the reason as it is counted.
    pub fn reason(&self) -> RejectionReason {
        match self {
            Self::Denied(_) => RejectionReason::Denied,
            Self::Body(BodyError::Encoded(_)) => RejectionReason::EncodedBody,
            Self::Body(BodyError::TooLarge { .. }) => RejectionReason::LargeBody,
            Self::Body(BodyError::Timeout) => RejectionReason::SlowBody,
            Self::Body(BodyError::Broken) => RejectionReason::BrokenBody,
            Self::Refused(error) => error.into(),
        }
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Denied(denied) => Self::NotAdmitted(denied),
            CallError::Body(error) => Self::Body(error),
            CallError::Refused(error) => Self::Refused(error),
        }
    }
}
