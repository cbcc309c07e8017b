//! Executions: lists of them, and orders to run a function.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::WithTime;
use crate::execution::{Execution, ExecutionId};

/// A page of executions, the newest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ExecutionPage {
    /// Those that were found.
    pub executions: Vec<WithTime<Execution>>,
    /// The cursor of the next page; none: this is the last one.
    pub next: Option<ExecutionId>,
    /// Where the search ended, if there is a next page.
    pub looked_back_to: Option<String>,
}

/// The request to run, and on what.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvokeOrder {
    /// None: `GET`, or `POST` with a body.
    pub method: Option<String>,
    /// With a query, if there is one.
    pub path: String,
    /// Names and values.
    #[serde(default)]
    #[schema(value_type = Vec<Vec<String>>)]
    pub headers: Vec<(String, String)>,
    /// A body that is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Any body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// A deployment that was live, by its id or revision; none: what is live now.
    pub deployment: Option<String>,
}

/// A run that was ordered.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RunAnswer {
    /// What happened; none: the node answered by itself.
    pub execution: Option<WithTime<Execution>>,
    /// What a caller would have got.
    pub response: RunResponse,
    /// When a run of a schedule that failed is tried again; none: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried_again: Option<String>,
}

/// What a caller would have got.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RunResponse {
    /// Its status.
    pub status: u16,
    /// Names and values.
    #[schema(value_type = Vec<Vec<String>>)]
    pub headers: Vec<(String, String)>,
    /// Its body, if that is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Any other body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}
