//! What the router found for a request.

use std::sync::Arc;

use crate::{
    execution::{Params, Trigger},
    live::{LiveFunction, Table},
};

/// The function that a request is for.
pub struct Target<'a> {
    /// Where it was found.
    pub table: &'a Table,
    /// Which function.
    pub function: &'a Arc<LiveFunction>,
    /// What the path says.
    pub params: Params,
    /// What brought the request to it.
    pub trigger: Trigger,
}
