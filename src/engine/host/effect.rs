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
    execution::{Effect, EffectKind, MAX_TARGET, Outcome},
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

/// An ask on its way.
struct Inquiry {
    ask: Ask,
    question: Question,
    began: Duration,
    /// Whether the answer is that of the run that is repeated.
    replayed: bool,
}

impl Inquiry {
    fn now(ask: Ask) -> Self {
        Self { question: Question::of(&ask), ask, began: meter::usage().duration, replayed: false }
    }

    /// Says how it went.
    fn effect(&self, (outcome, failed): (String, bool), received_bytes: usize) -> Effect {
        Effect {
            kind: self.ask.kind,
            target: self.ask.target.clone(),
            outcome,
            failed,
            at_us: self.began.as_micros() as u64,
            duration_us: meter::usage().duration.saturating_sub(self.began).as_micros() as u64,
            sent_bytes: self.ask.sent_bytes,
            received_bytes: received_bytes as u64,
            replayed: self.replayed,
        }
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
    /// Has something done outside, waits for it, and reads the answer. What the work makes, and the answer, are not in the memory of the run.
    /// The work may leave with others what it makes, but nothing that it finds here: that the run would miss at its end.
    pub fn effect<T: Answer, R>(&mut self, ask: Ask, work: impl AsyncFn() -> T, read: impl FnOnce(&T) -> R) -> Result<R, HostError> {
        let mut asked = Inquiry::now(ask);
        let again = self.again(&asked.question)?;
        asked.replayed = again.is_some();
        let answer: T = match again {
            Some(answer) => answer,
            None => self.ask(std::slice::from_ref(&asked), work)?,
        };
        let result = self.answered(&asked, &answer, read);
        meter::beside(|| drop(answer));
        result
    }

    /// The same for several things at once: the future gives as many answers, in the same order.
    pub fn effects<T: Answer, R>(
        &mut self,
        asks: Vec<Ask>,
        work: impl AsyncFn() -> Vec<T>,
        mut read: impl FnMut(&T) -> R,
    ) -> Result<Vec<R>, HostError> {
        let mut asked: Vec<_> = asks.into_iter().map(Inquiry::now).collect();
        let again: Vec<Option<T>> = asked.iter().map(|asked| self.again(&asked.question)).collect::<Result<_, _>>()?;
        let answers = match again.into_iter().collect::<Option<Vec<T>>>() {
            Some(answers) if !answers.is_empty() => {
                asked.iter_mut().for_each(|asked| asked.replayed = true);
                answers
            }
            _ => self.ask(&asked, work)?,
        };
        let results = asked.iter().zip(&answers).map(|(asked, answer)| self.answered(asked, answer, &mut read)).collect();
        meter::beside(|| drop(answers));
        results
    }

    /// Waits for the answer to one ask or several. Those whose run ends before that are recorded: they may have been done.
    fn ask<T>(&mut self, asked: &[Inquiry], work: impl AsyncFn() -> T) -> Result<T, HostError> {
        let answer = self.wait(work);
        if matches!(answer, Err(HostError::Stopped)) {
            let outcome = if meter::usage().stop == Some(Stop::Deadline) { Outcome::TimedOut } else { Outcome::Cancelled };
            for asked in asked {
                self.record(|| asked.effect((outcome.as_str().into(), true), 0))?;
            }
        }
        answer
    }

    /// Records what an answer says of itself, and reads it.
    fn answered<T: Answer, R>(&mut self, asked: &Inquiry, answer: &T, read: impl FnOnce(&T) -> R) -> Result<R, HostError> {
        self.record(|| asked.effect(answer.outcome(), answer.received_bytes()))?;
        self.with_run(|run| {
            let kept = meter::beside(|| answer.without_credentials());
            run.effects().keep(&asked.question.words, &asked.question.digest, kept.as_ref().unwrap_or(answer));
            meter::beside(|| drop(kept));
        })?;
        Ok(read(answer))
    }

    /// Records an effect, which outlives the run.
    fn record(&mut self, effect: impl FnOnce() -> Effect) -> Result<(), HostError> {
        self.with_run(|run| {
            let effects = run.effects();
            meter::keep(|| effects.record(effect()));
        })
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

    /// Waits for some work, within what is left of the run.
    pub fn wait<T>(&mut self, work: impl AsyncFn() -> T) -> Result<T, HostError> {
        let waiter = self.with_run(|run| run.waiter.clone())?;
        let waiter = waiter.ok_or("it cannot wait here")?;
        // What is done elsewhere is not the run's: its memory is neither taken nor given back by it.
        let waited = meter::beside(|| wait::wait(&*waiter, work(), meter::time_left(), meter::cancel_flag()));
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
