//! The audit log.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::audit::AuditEntry;

/// A page of the audit log, the newest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// Who changed what.
    pub entries: Vec<AuditEntry>,
    /// The cursor of the next page; none: this is the last one.
    pub next: Option<String>,
}
