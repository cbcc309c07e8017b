//! `[[schedule]]`: when a function runs by itself.

mod calendar;
mod expression;
mod when;
mod written;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use when::When;
pub use written::WrittenSchedule;

pub use super::trigger_id::ScheduleId;
use super::{Digest, quantity::Span};

/// Most characters of a schedule's name.
const LONGEST_NAME: usize = 63;
/// Most schedules of one function.
pub const MAX_SCHEDULES: usize = 32;

/// One schedule of a function, as its file writes it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Schedule {
    /// Tells the schedules of one function apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it is due: `30 2 * * * Europe/Berlin`, or `every 15m`.
    #[schema(value_type = String)]
    pub when: When,
    /// What becomes of times that passed while nobody ran them.
    pub missed: MissedPolicy,
    /// A time counts as missed when it is later than this.
    pub grace: Span,
    /// Nothing later than this is run any more.
    pub max_late: Span,
    /// What becomes of a time that comes while the run before goes on.
    pub overlap: Overlap,
    /// Every time is later by an offset from zero to this, which is the same every time.
    pub spread: Span,
    /// What the run gets as its body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<serde_json::Value>,
}

/// What becomes of times that passed while nobody ran them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MissedPolicy {
    /// All of them together are one run.
    #[default]
    Once,
    /// They are left out.
    Skip,
    /// Each is a run; of more than [`MissedPolicy::MOST`] the newest.
    All,
}

impl MissedPolicy {
    /// Most runs that are caught up.
    pub const MOST: usize = 100;
}

/// What becomes of a time that comes while the run before goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// It is left out, and recorded as that.
    #[default]
    Skip,
    /// It waits; at most one does.
    Queue,
    /// Both run.
    Allow,
    /// The run before is cancelled.
    Replace,
}

impl Schedule {
    /// Returns the first time after `after` that it is due, in microseconds since 1970; none if there is none before the year 5000.
    pub fn next(&self, id: &ScheduleId, after_us: i64) -> Option<i64> {
        let offset = self.offset_us(id);
        Some(self.when.next(after_us.checked_sub(offset)?)? + offset)
    }

    /// Returns the last time before `before` that it was due, in microseconds since 1970.
    pub fn previous(&self, id: &ScheduleId, before_us: i64) -> Option<i64> {
        let offset = self.offset_us(id);
        Some(self.when.previous(before_us.checked_sub(offset)?)? + offset)
    }

    /// Returns by how much this schedule is later than it is written, in microseconds: less than its spread, and always the same.
    fn offset_us(&self, id: &ScheduleId) -> i64 {
        let spread = self.spread.0.as_micros() as u64;
        let digest = Digest::of(id.as_str().as_bytes());
        let (start, _) = digest.as_bytes().split_first_chunk().expect("a digest has 32 bytes");
        u64::from_le_bytes(*start).checked_rem(spread).unwrap_or(0) as i64
    }
}

/// Says that a text cannot name one of these.
pub(super) fn not_a_name(what: &str, name: &str) -> String {
    let name: String = name.chars().take(LONGEST_NAME + 1).collect();
    format!("`{name}` is no name of a {what}\nhint: use letters, digits, `-` and `_`, at most {LONGEST_NAME} of them")
}

/// Returns whether a text can name a schedule or a handler: it is a part of ids.
pub(super) fn is_name(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.len() <= LONGEST_NAME && text.bytes().all(is_inner)
}
