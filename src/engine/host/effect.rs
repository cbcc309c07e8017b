//! The one way from a host function to something outside: what is asked is done, recorded, and kept for a replay, or given again in one.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use super::{Call, HostError};
use crate::{
    clock::{Clock as _, SystemClock},
    engine::{
        context::effects::Departure,
        meter::{self, limits::Stop},
        value::text::cut,
        wait,
    },
    execution::{Effect, EffectKind, MAX_TARGET},
    hex::Hex,
};

/// What is asked of something outside.
#[derive(Debug)]
pub struct Ask {
    /// Of what.
    pub kind: EffectKind,
    /// Where, without what nobody may see: `GET api.example.org/path`.
    pub target: String,
    /// Bytes of bodies and values that are sent.
    pub sent_bytes: u64,
    digest: Sha256,
}

impl Ask {
    /// Asks this. What it is made of is added by [`of`](Self::of).
    pub fn new(kind: EffectKind, target: impl Into<String>) -> Self {
        let target: String = target.into();
        Self { kind, target: cut(&target, MAX_TARGET).into(), sent_bytes: 0, digest: Sha256::new() }
    }

    /// Adds something that is asked with, so that a replay knows whether the same is asked again. Values of secrets are left out.
    pub fn of(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.digest.update((part.len() as u64).to_le_bytes());
        self.digest.update(part);
        self
    }

    /// Says how many bytes are sent.
    pub fn sending(mut self, bytes: usize) -> Self {
        self.sent_bytes = bytes as u64;
        self
    }
}

/// What was asked, as a replay compares it.
struct Question {
    words: String,
    digest: String,
}

impl Question {
    fn of(ask: &Ask) -> Self {
        let digest = Hex(&ask.digest.clone().finalize()[..16]).to_string();
        Self { words: format!("{} {}", ask.kind.as_str(), ask.target), digest }
    }
}

/// What comes back from something outside. It can be kept.
pub trait Answer: Serialize + DeserializeOwned + Send + 'static {
    /// Returns a word for how it went, and whether that is an error.
    fn outcome(&self) -> (String, bool);

    /// Returns how many bytes came back.
    fn received_bytes(&self) -> usize;

    /// Returns what is kept of it for a replay, where it has credentials that are not; none: all of it is kept.
    fn without_credentials(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

impl Call<'_> {
    /// Has something done outside, waits for it, and reads the answer, whose memory is not the run's.
    pub fn effect<T: Answer, R>(
        &mut self,
        ask: Ask,
        work: impl Future<Output = T> + Send + 'static,
        read: impl FnOnce(&T) -> R,
    ) -> Result<R, HostError> {
        let began = meter::usage().duration;
        let asked = Question::of(&ask);
        let answer: T = match self.again(&asked)? {
            Some(answer) => answer,
            None => self.wait(work)?,
        };
        let result = self.answered(ask, &asked, began, &answer, read);
        meter::beside(|| drop(answer));
        result
    }

    /// The same for several things at once: the future gives as many answers, in the same order.
    pub fn effects<T: Answer, R>(
        &mut self,
        asks: Vec<Ask>,
        work: impl Future<Output = Vec<T>> + Send + 'static,
        mut read: impl FnMut(&T) -> R,
    ) -> Result<Vec<R>, HostError> {
        let began = meter::usage().duration;
        let asked: Vec<_> = asks.iter().map(Question::of).collect();
        let replayed: Vec<Option<T>> = asked.iter().map(|asked| self.again(asked)).collect::<Result<_, _>>()?;
        let answers = match replayed.into_iter().collect::<Option<Vec<T>>>() {
            Some(answers) if !answers.is_empty() => answers,
            _ => self.wait(work)?,
        };
        let pairs = asks.into_iter().zip(&asked).zip(&answers);
        let results = pairs.map(|((ask, asked), answer)| self.answered(ask, asked, began, answer, &mut read)).collect();
        meter::beside(|| drop(answers));
        results
    }

    /// Records what an answer says of itself, and reads it.
    fn answered<T: Answer, R>(
        &mut self,
        ask: Ask,
        asked: &Question,
        began: Duration,
        answer: &T,
        read: impl FnOnce(&T) -> R,
    ) -> Result<R, HostError> {
        let (outcome, failed) = answer.outcome();
        let effect = Effect {
            kind: ask.kind,
            target: ask.target,
            outcome,
            failed,
            at_us: began.as_micros() as u64,
            duration_us: meter::usage().duration.saturating_sub(began).as_micros() as u64,
            sent_bytes: ask.sent_bytes,
            received_bytes: answer.received_bytes() as u64,
            replayed: false,
        };
        self.with_run(|run| {
            let effects = run.effects();
            meter::keep(|| effects.record(effect));
            let kept = meter::beside(|| answer.without_credentials());
            effects.keep(&asked.words, &asked.digest, kept.as_ref().unwrap_or(answer));
            meter::beside(|| drop(kept));
        })?;
        Ok(read(answer))
    }

    /// Reads something that is different each time, such as the time: a replay gives it again.
    pub fn observe<T: Serialize + DeserializeOwned>(&mut self, what: &str, read: impl FnOnce() -> T) -> Result<T, HostError> {
        let value = match self.again(&Question { words: what.into(), digest: String::new() })? {
            Some(again) => again,
            None => read(),
        };
        self.with_run(|run| run.effects().keep(what, "", &value))?;
        Ok(value)
    }

    /// Reads the clock: microseconds since 1970-01-01T00:00:00Z.
    pub fn now_us(&mut self) -> Result<i64, HostError> {
        self.observe("the time", || SystemClock.now_us())
    }

    /// Waits for a future, within what is left of the run.
    pub fn wait<T: Send + 'static>(&mut self, work: impl Future<Output = T> + Send + 'static) -> Result<T, HostError> {
        let waiter = self.with_run(|run| run.waiter.clone())?;
        let waiter = waiter.ok_or("it cannot wait here")?;
        // What is done elsewhere is not the run's: its memory is neither taken nor given back by it.
        let waited = meter::beside(|| wait::wait(&*waiter, work, meter::time_left(), meter::cancel_flag()));
        waited.map_err(|stop| {
            meter::interrupt(stop);
            HostError::Stopped
        })
    }

    fn again<T: DeserializeOwned>(&mut self, asked: &Question) -> Result<Option<T>, HostError> {
        let again = self.with_run(|run| {
            let effects = run.effects();
            meter::beside(|| effects.again(&asked.words, &asked.digest))
        })?;
        again.map_err(|Departure| {
            meter::interrupt(Stop::Departed);
            HostError::Stopped
        })
    }
}
