//! An event as the record of the run has it that emitted it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a run emitted, without its payload. A run has at most [`MAX_EMITTED`](super::MAX_EMITTED) of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmittedEvent {
    /// Microseconds from the start of the run.
    pub at_us: u64,
    /// What it is about.
    pub topic: String,
    /// Events of one key are handled one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether it was kept for its handlers. Else the run failed, repeated what another had got, or the topic has had this id within a day.
    pub sent: bool,
}
