//! What a run does outside of itself: recorded, kept for a replay where that is asked for, or given again in one.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    engine::meter,
    execution::{Effect, KeptResult, KeptResults, MAX_EFFECTS},
};

/// The effects of one run.
#[derive(Debug, Default)]
pub struct Effects {
    /// In order of their end.
    pub list: Vec<Effect>,
    /// Those that are only counted.
    pub dropped: u32,
    /// What is kept for a replay, if anything is.
    pub kept: Option<KeptResults>,
    replayed: Option<Replay>,
    /// How the run departed from the one that it repeats, if it did.
    pub departure: Option<String>,
}

/// The results that are given again.
#[derive(Debug)]
struct Replay {
    results: KeptResults,
    next: usize,
}

/// The run asks for something else than the one that it repeats.
#[derive(Debug)]
pub struct Departure;

impl Effects {
    /// Begins without effects. `kept` takes results for a later replay; `replayed` are those of an earlier run, to be given again.
    pub fn new(kept: Option<KeptResults>, replayed: Option<KeptResults>) -> Self {
        Self { kept, replayed: replayed.map(|results| Replay { results, next: 0 }), ..Self::default() }
    }

    /// Records an effect.
    pub fn record(&mut self, effect: Effect) {
        if self.list.len() < MAX_EFFECTS { self.list.push(effect) } else { self.dropped += 1 }
    }

    /// Keeps a result, where results are kept.
    pub fn keep(&mut self, asked: &str, digest: &str, result: &impl Serialize) {
        let Some(kept) = &mut self.kept else { return };
        meter::keep(|| {
            let result = serde_json::to_string(result).unwrap_or_default().into();
            kept.keep(KeptResult { asked: asked.into(), digest: digest.into(), result });
        });
    }

    /// Returns the result of the run that is repeated, if one is. It must have asked the same at this point.
    pub fn again<T: DeserializeOwned>(&mut self, asked: &str, digest: &str) -> Result<Option<T>, Departure> {
        let Some(Replay { results, next }) = &mut self.replayed else { return Ok(None) };
        if results.is_of_request() && results.get(*next).is_none_or(|kept| kept.asked != asked) {
            return Ok(None);
        }
        let why = match results.get(*next) {
            Some(kept) if kept.asked == asked && kept.digest == digest => {
                *next += 1;
                match serde_json::from_str(&kept.result) {
                    Ok(result) => return Ok(Some(result)),
                    Err(_) => format!("the recorded result of `{asked}` cannot be read"),
                }
            }
            Some(kept) if kept.asked == asked => format!("it asks `{asked}` with other contents than were recorded"),
            Some(kept) => format!("it asks `{asked}`, recorded was `{}`", kept.asked),
            None if results.is_cut() => {
                format!("it asks `{asked}`; the results from here on were not kept, as they passed `capture_effects`")
            }
            None => format!("it asks `{asked}`, recorded was nothing more"),
        };
        self.departure.get_or_insert(why);
        Err(Departure)
    }
}
