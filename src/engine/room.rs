//! Room for large requests. `string`, `array` and `map` limit what a script builds. What a request holds may always be read, kept and
//! returned. But an engine looks at every value that a script touches, and it cannot tell where one comes from. So a run with a large
//! request has an engine of its own, whose limits are larger by the sizes of the request.

use std::{ops::Deref, sync::Mutex};

use super::{lock, meter, value::sizes::Sizes};
use crate::function::Limits;

/// Engines that stay when their runs have ended. One takes a quarter of a megabyte, and a millisecond to make.
const MAX_READY: usize = 4;

/// Engines for requests that hold much.
pub struct RoomyEngines {
    limits: Limits,
    ready: Mutex<Vec<rhai::Engine>>,
}

impl RoomyEngines {
    /// Makes none yet.
    pub fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), ready: Mutex::default() }
    }

    /// Returns the engine for a request that holds so much. Small requests share the usual one: those that hold no more than half of what the
    /// limits allow. The other half is left for the script.
    pub fn engine_for<'a>(&'a self, usual: &'a rhai::Engine, request: Sizes, make: impl FnOnce(&Limits) -> rhai::Engine) -> RunEngine<'a> {
        let allowed = Sizes::allowed_by(&self.limits);
        let own = (!request.fits(allowed.half())).then(|| {
            let ready = lock(&self.ready).pop();
            let mut engine = ready.unwrap_or_else(|| meter::beside(|| make(&self.limits)));
            let room = allowed.plus(request);
            engine.set_max_string_size(room.string).set_max_array_size(room.array).set_max_map_size(room.map);
            engine
        });
        RunEngine { usual, roomy: self, own }
    }
}

/// The engine of one run.
pub struct RunEngine<'a> {
    usual: &'a rhai::Engine,
    roomy: &'a RoomyEngines,
    own: Option<rhai::Engine>,
}

impl Deref for RunEngine<'_> {
    type Target = rhai::Engine;

    fn deref(&self) -> &rhai::Engine {
        self.own.as_ref().unwrap_or(self.usual)
    }
}

impl Drop for RunEngine<'_> {
    fn drop(&mut self) {
        if let Some(engine) = self.own.take() {
            let mut ready = lock(&self.roomy.ready);
            if ready.len() < MAX_READY {
                meter::beside(|| ready.push(engine));
            } else {
                meter::beside(|| drop(engine));
            }
        }
    }
}
