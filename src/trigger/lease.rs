//! How long a delivery is claimed for. After that others may claim it, so all that is done with it has a limit.

use std::time::Duration;

use crate::function::limits::LONGEST_BACKGROUND_RUN;

/// How long a delivery that is claimed waits for its place. After that it is put back.
pub const PLACE_WAIT: Duration = Duration::from_secs(5);
/// The longest run. One that may take longer is stopped then.
pub const LONGEST_RUN: Duration = LONGEST_BACKGROUND_RUN.0;
/// What is left to stop the run and to settle it.
const SETTLING: Duration = Duration::from_secs(25);
/// How long a delivery is claimed for.
pub const LEASE: Duration = Duration::from_secs(PLACE_WAIT.as_secs() + LONGEST_RUN.as_secs() + SETTLING.as_secs());
