//! What the executor is asked: to run a function for a request.

use std::{net::IpAddr, sync::Arc};

use http::HeaderValue;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Capture, EventInfo, ExecutionId, HttpRequest, KeptResults};
use crate::deployment::DeploymentId;

/// What asked for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// A request to the function's route.
    Http,
    /// A request to `/api/execute/{id}`.
    Execute,
    /// `picloud invoke`, without a node.
    Cli,
    /// `/api/admin/invoke`: `picloud invoke` of a node.
    Invoke,
    /// A recorded request, run again.
    Replay,
    /// A schedule of the function was due.
    Schedule,
    /// An event that the function handles.
    Event,
    /// `picloud run`: somebody had a schedule run now.
    Manual,
}

impl Trigger {
    /// Every trigger. Counts over time are kept by the place here (`stats::Series`), so new ones come last.
    pub const ALL: [Self; 8] =
        [Self::Http, Self::Execute, Self::Cli, Self::Invoke, Self::Replay, Self::Schedule, Self::Event, Self::Manual];

    /// Returns whether somebody tried the function, and nobody used it. Such runs say nothing of how it does.
    pub fn is_trial(self) -> bool {
        matches!(self, Self::Cli | Self::Invoke | Self::Replay)
    }

    /// Returns whether somebody asked for a URL.
    pub fn asks_a_url(self) -> bool {
        !matches!(self, Self::Schedule | Self::Event | Self::Manual)
    }

    /// Returns the word that scripts and tables see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Execute => "execute",
            Self::Cli => "cli",
            Self::Invoke => "invoke",
            Self::Replay => "replay",
            Self::Schedule => "schedule",
            Self::Event => "event",
            Self::Manual => "manual",
        }
    }
}

/// A request to run a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Names the execution that this becomes.
    pub execution_id: ExecutionId,
    /// The live deployment that the request met.
    pub deployment: DeploymentId,
    /// What asked.
    pub trigger: Trigger,
    /// The execution whose request this repeats.
    pub replay_of: Option<ExecutionId>,
    /// The caller's id for the request; without one it is the execution's.
    pub request_id: Option<HeaderValue>,
    /// Whose token let it in, where the function asks for one.
    pub principal: Option<Arc<str>>,
    /// The peer, or who a trusted proxy says it is.
    pub remote_addr: Option<IpAddr>,
    /// What started it, beside a request.
    pub event: Option<EventInfo>,
    /// What is asked. An event asks with its payload.
    pub request: HttpRequest,
    /// The request as it is kept to be run again, if it is.
    pub capture: Option<Box<Capture>>,
    /// The run that this gives again exactly: what it knew of itself is as it was.
    pub repeats: Option<ExecutionId>,
    /// What came from outside in the run that this repeats, to be given again; none: it is asked for anew.
    pub replay: Option<KeptResults>,
}

impl Invocation {
    /// Makes an invocation that says nothing of who sent the request.
    pub fn new(execution_id: ExecutionId, deployment: DeploymentId, trigger: Trigger, request: HttpRequest) -> Self {
        Self {
            execution_id,
            deployment,
            trigger,
            replay_of: None,
            request_id: None,
            principal: None,
            remote_addr: None,
            event: None,
            request,
            capture: None,
            repeats: None,
            replay: None,
        }
    }

    /// Returns the id that the run knows itself by: in an exact replay that of the run that is repeated.
    pub fn own_id(&self) -> ExecutionId {
        self.repeats.unwrap_or(self.execution_id)
    }
}
