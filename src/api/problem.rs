//! What is answered when something cannot be done.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{execution::Failure, function::Diagnostic, sync::diff::tree::TreeDiff};

/// The members of RFC 9457, and ours.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemDetails<'a> {
    /// Always `about:blank`: the status says which problem it is.
    pub r#type: Cow<'a, str>,
    /// What the status means.
    pub title: Cow<'a, str>,
    /// That of the answer.
    pub status: u16,
    /// What is wrong, one sentence.
    pub detail: Cow<'a, str>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Cow<'a, str>>,
    /// The execution that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<Cow<'a, str>>,
    /// Why it failed, on a node that is started with `--dev`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Failure>)]
    pub failure: Option<Cow<'a, Failure>>,
    /// What is wrong with files.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<Diagnostic>)]
    pub diagnostics: Cow<'a, [Diagnostic]>,
    /// What would change, where it is refused because too much would go.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TreeDiff>)]
    pub plan: Option<Cow<'a, TreeDiff>>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}
