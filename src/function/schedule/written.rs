//! The keys of `[[schedule]]`, as a file writes them.

use serde::Deserialize;
use serde_json::Value;

use super::{
    MissedPolicy, Overlap, Schedule,
    expression::{Expression, Zone},
    is_name, not_a_name,
    when::When,
};
use crate::function::{
    quantity::{LONGEST, Size, Span},
    tables::TableKind,
    within::Within,
};

/// Most bytes of an `input`, as JSON.
const MAX_INPUT: usize = 64 * 1024;

/// One `[[schedule]]`. Each key is right by itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenSchedule {
    name: Option<String>,
    cron: Option<Expression>,
    every: Option<Within<Span, 1_000, LONGEST>>,
    zone: Option<Zone>,
    #[serde(default)]
    missed: MissedPolicy,
    grace: Option<Within<Span, 1_000, LONGEST>>,
    max_late: Option<Within<Span, 1_000, LONGEST>>,
    #[serde(default)]
    overlap: Overlap,
    spread: Option<Within<Span, 0, LONGEST>>,
    input: Option<Value>,
}

impl TableKind for WrittenSchedule {
    const KEY: &'static str = "schedule";
    const MAIN: &'static str = "cron";

    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl WrittenSchedule {
    /// Returns the schedule that it is. The error is about the keys together.
    pub fn resolve(&self) -> Result<Schedule, String> {
        let Self { name, grace, max_late, spread, input, .. } = self.clone();
        if let Some(name) = name.as_deref().filter(|name| !is_name(name)) {
            return Err(not_a_name("schedule", name));
        }
        if input.as_ref().is_some_and(has_date) {
            return Err("`input` has a date or a time, and JSON has none\nhint: write it as a text: `\"1979-05-27\"`".into());
        }
        if input.as_ref().is_some_and(|input| input.to_string().len() > MAX_INPUT) {
            return Err(format!("`input` is larger than {}\nhint: keep it in a store, and name it here", Size(MAX_INPUT as u64)));
        }
        if (self.missed, self.overlap) == (MissedPolicy::All, Overlap::Replace) {
            return Err("`missed = \"all\"` runs each time that was missed, and `overlap = \"replace\"` cancels all but the last\nhint: write `missed = \"once\"`, or another `overlap`".into());
        }
        Ok(Schedule {
            name,
            when: self.when()?,
            missed: self.missed,
            grace: grace.map_or(Span::seconds(60), Within::get),
            max_late: max_late.map_or(Span::seconds(24 * 3600), Within::get),
            overlap: self.overlap,
            spread: spread.map_or(Span::seconds(0), Within::get),
            input,
        })
    }

    /// Returns what is odd about the keys together.
    pub fn oddity(&self) -> Option<String> {
        let (grace, schedule) = (self.grace?.get(), self.resolve().ok()?);
        let is_odd = grace > schedule.max_late;
        is_odd.then(|| format!("`grace` is {grace}, and what is later than `max_late`, which is {}, is not run", schedule.max_late))
    }

    fn when(&self) -> Result<When, String> {
        match (self.cron.clone(), self.every) {
            (Some(expression), None) => Ok(When::Cron { expression, zone: self.zone.clone().unwrap_or_default() }),
            (None, Some(_)) if self.zone.is_some() => {
                Err("`zone` is for `cron`: `every` counts from 1970 in UTC\nhint: leave `zone` out".into())
            }
            (None, Some(every)) => Ok(When::Every { every: every.get() }),
            (Some(_), Some(_)) => Err("`cron` and `every` are both there\nhint: write one of them".into()),
            (None, None) => Err("it does not say when\nhint: add `cron = \"30 2 * * *\"`, or `every = \"15m\"`".into()),
        }
    }
}

/// Returns whether a value of TOML has a date or a time in it. Its reader makes a map with this one key of those.
fn has_date(input: &Value) -> bool {
    match input {
        Value::Object(map) => map.contains_key("$__toml_private_datetime") || map.values().any(has_date),
        Value::Array(list) => list.iter().any(has_date),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_no_input() {
        let resolve = |input: &str| toml::from_str::<WrittenSchedule>(&format!("every = \"1h\"\ninput = {input}")).unwrap().resolve();
        for input in ["1979-05-27", "{ day = 1979-05-27 }", "[[07:32:00]]"] {
            assert!(resolve(input).unwrap_err().starts_with("`input` has a date or a time"), "{input}");
        }
        assert!(resolve("{ day = \"1979-05-27\" }").is_ok());
    }

    #[test]
    fn what_is_caught_up_cannot_be_replaced_too() {
        let resolve = |keys: &str| toml::from_str::<WrittenSchedule>(&format!("every = \"1h\"\n{keys}")).unwrap().resolve();
        let error = resolve("missed = \"all\"\noverlap = \"replace\"").unwrap_err();
        assert!(error.contains("cancels all but the last\nhint: write `missed = \"once\"`"), "{error}");
        assert!(resolve("missed = \"all\"\noverlap = \"allow\"").is_ok() && resolve("overlap = \"replace\"").is_ok());
    }
}
