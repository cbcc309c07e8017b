//! The module `kv`: values that outlive a run.

use std::sync::Arc;

use super::{
    Answer, Ask, Call, HostError, HostFunction, HostModule, HostResult, Parameter, Requirement, Type, WRONG_KIND,
    json::{from_json, to_json},
};
use crate::{
    capability::kv::{Add, EntryPage, Json, Key, KeyValue, KeyedEntry, KvError, MAX_VALUE_BYTES, MAX_VERSION, Range, Set, SetResult, Ttl},
    engine::value::plain::Value,
    execution::EffectKind,
    function::grants::kv::Namespace,
};

const KEY: Parameter = Parameter::new("key", Type::Text);
const OPTIONS: Parameter = Parameter::optional("options", Type::Map);

/// The module.
pub static MODULE: HostModule = HostModule {
    name: "kv",
    about: "Keeps values under keys, in the namespace of the front-matter.",
    functions: &[
        HostFunction::reaching(
            Requirement::Kv,
            "get",
            &[KEY, OPTIONS],
            "value",
            "Gives the value of a key, or `()`; with `#{ meta: true }` a map of `value`, `version` and `expires` (milliseconds since 1970).",
            get,
        ),
        HostFunction::reaching(
            Requirement::Kv,
            "set",
            &[KEY, Parameter::new("value", Type::Any), OPTIONS],
            "whole number",
            "Keeps a value and gives its version; `()` if the key has another version than `if_version` (0: it must not be there). Option: `ttl`.",
            set,
        ),
        HostFunction::reaching(
            Requirement::Kv,
            "add",
            &[KEY, Parameter::optional("number", Type::Int), OPTIONS],
            "whole number",
            "Adds to a number, 1 where none is given, and gives the sum. Option: `ttl`.",
            add,
        ),
        HostFunction::reaching(Requirement::Kv, "delete", &[KEY], "boolean", "Removes a key and says whether it was there.", delete),
        HostFunction::reaching(
            Requirement::Kv,
            "list",
            &[Parameter::optional("prefix", Type::Text), OPTIONS],
            "array",
            "Gives maps of `key`, `value`, `version` and `expires` in the order of keys. Options: `limit` (100, at most 1,000) and `after`, a key.",
            list,
        ),
        HostFunction::reaching(
            Requirement::Kv,
            "update",
            &[KEY, Parameter::new("change", Type::Closure), OPTIONS],
            "value",
            "Keeps what a closure makes of the value, again if somebody else was faster. Option: `ttl`.",
            update,
        ),
    ],
};

/// How often [`update`] begins anew before it says that too many change the key.
const MAX_TRIES: u32 = 100;

/// What a call needs to reach the store.
struct Reach {
    store: Arc<dyn KeyValue>,
    namespace: Namespace,
}

fn reach(call: &mut Call<'_>) -> Result<Reach, HostError> {
    let namespace = call.with_run(|run| run.grants().and_then(|grants| grants.kv.clone()))?;
    let namespace = namespace.ok_or("the front-matter does not declare the key-value store; add `[kv]`")?;
    let store = call.with_run(|run| run.capabilities().and_then(|all| all.kv.clone()))?;
    Ok(Reach { store: store.ok_or("there is no key-value store without a node; `--url` names one")?, namespace })
}

impl Reach {
    fn ask(&self, what: &str, key: &str) -> Ask {
        Ask::new(EffectKind::Kv, format!("{what} {}/{key}", self.namespace))
    }
}

/// Makes of an error a map that a script can look into: `kind`, `message`.
fn thrown(why: KvError) -> HostError {
    let kind = match why {
        KvError::TooManyKeys { .. } | KvError::TooManyBytes { .. } => "full",
        KvError::Away => "unavailable",
        _ => WRONG_KIND,
    };
    HostError::Thrown(Value::map([("kind", kind.into()), ("message", why.to_string().into())]))
}

impl<T: AnswerOfStore> Answer for Result<T, KvError> {
    fn outcome(&self) -> (String, bool) {
        match self {
            Ok(answer) => (answer.word().into(), false),
            Err(_) => ("error".into(), true),
        }
    }

    fn received_bytes(&self) -> usize {
        self.as_ref().map_or(0, AnswerOfStore::bytes)
    }
}

/// What the store answers.
trait AnswerOfStore: serde::Serialize + serde::de::DeserializeOwned + Send + 'static {
    fn word(&self) -> &'static str {
        "ok"
    }
    fn bytes(&self) -> usize {
        0
    }
}

impl AnswerOfStore for Option<crate::capability::kv::Entry> {
    fn word(&self) -> &'static str {
        if self.is_some() { "found" } else { "absent" }
    }
    fn bytes(&self) -> usize {
        self.as_ref().map_or(0, |entry| entry.value.as_str().len())
    }
}

impl AnswerOfStore for SetResult {
    fn word(&self) -> &'static str {
        match self {
            Self::Done(_) => "ok",
            Self::Conflict(_) => "conflict",
        }
    }
}

impl AnswerOfStore for i64 {}
impl AnswerOfStore for bool {}

impl AnswerOfStore for EntryPage {
    fn bytes(&self) -> usize {
        self.entries.iter().map(|listed| listed.entry.value.as_str().len()).sum()
    }
}

fn key(call: &Call<'_>) -> Result<Key, HostError> {
    call.text(0).parse().map_err(thrown)
}

fn json(value: &Value) -> Result<Json, HostError> {
    let text = to_json(value, MAX_VALUE_BYTES)?;
    text.parse().map_err(thrown)
}

fn number(version: u64) -> Value {
    Value::Int(i64::try_from(version).unwrap_or(i64::MAX))
}

/// Reads what is kept under a key: its value, its version, its end in milliseconds since 1970.
fn read(call: &mut Call<'_>, reach: &Reach, key: &Key) -> Result<Option<(Value, u64, Option<i64>)>, HostError> {
    call.effect(
        reach.ask("get", key.as_str()),
        async || reach.store.get(&reach.namespace, key).await,
        |found| match found {
            Ok(None) => Ok(None),
            Ok(Some(entry)) => Ok(Some((from_json(entry.value.as_str())?, entry.version, entry.expires_us.map(|us| us / 1_000)))),
            Err(why) => Err(thrown(why.clone())),
        },
    )?
}

fn write(call: &mut Call<'_>, reach: &Reach, key: &Key, set: Set) -> Result<SetResult, HostError> {
    let ask = reach.ask("set", key.as_str()).of(set.value.as_str()).of(format!("{:?} {:?}", set.ttl, set.if_version));
    let ask = ask.sending(set.value.as_str().len());
    call.effect(ask, async || reach.store.set(&reach.namespace, key, set.clone()).await, |stored| stored.clone().map_err(thrown))?
}

fn get(call: &mut Call<'_>) -> HostResult {
    let (key, with_meta) = (key(call)?, call.options(1, &["meta"])?.flag("meta")?.unwrap_or(false));
    let reach = reach(call)?;
    let found = read(call, &reach, &key)?;
    Ok(match found {
        None => Value::Unit,
        Some((value, version, expires)) if with_meta => {
            Value::map([("value", value), ("version", number(version)), ("expires", expires.into())])
        }
        Some((value, ..)) => value,
    })
}

fn ttl(call: &Call<'_>, at: usize, names: &'static [&'static str]) -> Result<Option<Ttl>, HostError> {
    call.options(at, names)?.span("ttl")?.map(Ttl::try_from).transpose().map_err(thrown)
}

fn set(call: &mut Call<'_>) -> HostResult {
    const NAMES: &[&str] = &["ttl", "if_version"];
    let (key, value, ttl) = (key(call)?, json(call.argument(1))?, ttl(call, 2, NAMES)?);
    let if_version = call.options(2, NAMES)?.count("if_version", MAX_VERSION)?;
    let reach = reach(call)?;
    match write(call, &reach, &key, Set { value, ttl, if_version })? {
        SetResult::Done(version) => Ok(number(version)),
        SetResult::Conflict(_) => Ok(Value::Unit),
    }
}

fn add(call: &mut Call<'_>) -> HostResult {
    let (key, delta, ttl) = (key(call)?, call.int(1).unwrap_or(1), ttl(call, 2, &["ttl"])?);
    let reach = reach(call)?;
    let ask = reach.ask("add", key.as_str()).of(format!("{delta} {ttl:?}"));
    let added = async || reach.store.add(&reach.namespace, &key, Add { delta, ttl }).await;
    call.effect(ask, added, |sum| sum.clone().map(Value::Int).map_err(thrown))?
}

fn delete(call: &mut Call<'_>) -> HostResult {
    let key = key(call)?;
    let reach = reach(call)?;
    let ask = reach.ask("delete", key.as_str());
    call.effect(
        ask,
        async || reach.store.delete(&reach.namespace, &key).await,
        |was_there| was_there.clone().map(Value::Bool).map_err(thrown),
    )?
}

/// Entries of a page where nobody says how many.
const PAGE: u32 = 100;
/// Bytes of values of a page.
const PAGE_BYTES: usize = 1 << 20;

fn list(call: &mut Call<'_>) -> HostResult {
    let as_key = |text: &str| (!text.is_empty()).then(|| text.parse::<Key>()).transpose().map_err(thrown);
    let options = call.options(1, &["limit", "after"])?;
    let limit = options.int("limit")?.map_or(PAGE, |limit| u32::try_from(limit).unwrap_or(0));
    let (prefix, after) = (as_key(call.text(0))?, as_key(options.text("after")?.unwrap_or_default())?);
    let shown = prefix.as_ref().map_or(String::new(), ToString::to_string);
    let range = Range::new(prefix, after.clone(), limit, PAGE_BYTES).map_err(thrown)?;
    let reach = reach(call)?;
    let ask = reach.ask("list", &shown).of(format!("{limit} {after:?}"));
    call.effect(
        ask,
        async || reach.store.list(&reach.namespace, &range).await,
        |page| match page {
            Err(why) => Err(thrown(why.clone())),
            Ok(EntryPage { entries, .. }) => {
                let entry = |listed: &KeyedEntry| {
                    let KeyedEntry { key, entry } = listed;
                    Ok(Value::map([
                        ("key", key.as_str().into()),
                        ("value", from_json(entry.value.as_str())?),
                        ("version", number(entry.version)),
                        ("expires", entry.expires_us.map(|us| us / 1_000).into()),
                    ]))
                };
                entries.iter().map(entry).collect::<Result<Vec<_>, HostError>>().map(Value::Array)
            }
        },
    )?
}

fn update(call: &mut Call<'_>) -> HostResult {
    let (key, ttl) = (key(call)?, ttl(call, 2, &["ttl"])?);
    let Value::Closure(change) = call.take(1) else { return Err("`change` is a closure".into()) };
    let reach = reach(call)?;
    for _ in 0..MAX_TRIES {
        let (before, version) = read(call, &reach, &key)?.map_or((Value::Unit, 0), |(value, version, _)| (value, version));
        let after = call.call_back(&change, vec![before])?;
        let value = json(&after)?;
        if let SetResult::Done(_) = write(call, &reach, &key, Set { value, ttl, if_version: Some(version) })? {
            return Ok(after);
        }
    }
    let message = format!("`{key}` was changed by others each time, {MAX_TRIES} times");
    Err(HostError::Thrown(Value::map([("kind", "conflict".into()), ("message", message.into())])))
}
