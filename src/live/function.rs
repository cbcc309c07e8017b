//! A function that is live.

use std::sync::Arc;

use http::HeaderValue;

use super::meter::Meter;
use crate::function::SharedFunction;

/// A function that requests can meet.
#[derive(Debug)]
pub struct LiveFunction {
    /// What it is.
    pub function: SharedFunction,
    /// Its version, as every response names it.
    pub version_header: HeaderValue,
    /// Counts its requests while it is live; with other versions of it, or with other functions.
    pub(super) meter: Arc<Meter>,
}
