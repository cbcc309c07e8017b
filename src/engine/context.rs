//! What a script sees of its request: the constant `ctx`, and `log::…`.
//!
//! `ctx` is a mark without content; its properties are read from the run that stands on this thread. So reading it costs nothing until a
//! property is asked for, it is visible inside `fn`s and closures, and no compiled script can hold a request's values.

use std::cell::RefCell;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map, Module, Position};

use super::{meter, value};
use crate::{
    clock::id_text,
    execution::{Invocation, LogLevel, LogLine, Param},
    function::{Limits, SharedFunction},
};

/// The name that scripts read it by.
pub const CTX: &str = "ctx";

/// The run that stands on this thread.
pub struct Current {
    /// What asked for it.
    pub invocation: Invocation,
    /// What runs.
    pub function: SharedFunction,
    /// The body as the script sees it.
    pub body: Dynamic,
    /// Values that were asked for once, for the next time.
    query: Option<Map>,
    headers: Option<Map>,
    /// What it logged.
    pub log: Log,
}

/// The lines that a run logged, up to its limits.
#[derive(Debug, Default)]
pub struct Log {
    /// In order.
    pub lines: Vec<LogLine>,
    /// Those that did not fit.
    pub dropped: u32,
    bytes: usize,
}

impl Log {
    fn append(&mut self, level: LogLevel, message: String, limits: &Limits) {
        if self.lines.len() >= limits.log_lines as usize || self.bytes + message.len() > limits.log_size.bytes() {
            self.dropped += 1;
            return;
        }
        self.bytes += message.len();
        self.lines.push(LogLine { at_us: meter::usage().duration.as_micros() as u64, level, message });
    }
}

impl Current {
    /// Prepares a run; `body` is what [`super::body::read`] made of the invocation's.
    pub fn new(invocation: Invocation, function: SharedFunction, body: Dynamic) -> Self {
        // Shared, so that reading one field of a large body does not copy the whole of it. `let b = ctx.request.body` copies.
        Self { invocation, function, body: body.into_shared(), query: None, headers: None, log: Log::default() }
    }

    fn query(&mut self) -> Map {
        let uri = &self.invocation.uri;
        self.query
            .get_or_insert_with(|| {
                let mut map = Map::new();
                for (key, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
                    map.entry(key.as_ref().into()).or_insert_with(|| value.as_ref().into());
                }
                map
            })
            .clone()
    }

    fn query_all(&self) -> Map {
        let mut map = Map::new();
        for (key, value) in form_urlencoded::parse(self.invocation.uri.query().unwrap_or_default().as_bytes()) {
            let values = map.entry(key.as_ref().into()).or_insert_with(|| Dynamic::from_array(Vec::new()));
            if let Ok(mut values) = values.as_array_mut() {
                values.push(value.as_ref().into());
            }
        }
        map
    }

    fn headers(&mut self) -> Map {
        let headers = &self.invocation.headers;
        self.headers
            .get_or_insert_with(|| {
                let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
                headers
                    .keys()
                    .map(|name| {
                        // RFC 9110, section 5.3, joins with a comma; RFC 9113, section 8.2.3, joins cookies with a semicolon.
                        let separator = if name == http::header::COOKIE { "; " } else { ", " };
                        let joined = headers.get_all(name).iter().map(text).collect::<Vec<_>>().join(separator);
                        (name.as_str().into(), joined.into())
                    })
                    .collect()
            })
            .clone()
    }

    fn params(&self) -> Map {
        let value = |param: &Param| match param {
            Param::Absent => Dynamic::UNIT,
            Param::One(text) => text.as_str().into(),
            Param::Many(segments) => Dynamic::from_array(segments.iter().map(|segment| segment.as_str().into()).collect()),
        };
        self.invocation.params.iter().map(|(name, param)| (name.as_ref().into(), value(param))).collect()
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// Puts a run on this thread.
pub fn enter(current: Current) {
    CURRENT.set(Some(current));
}

/// Takes the run off this thread.
pub fn leave() -> Option<Current> {
    CURRENT.take()
}

type Read<T> = Result<T, Box<EvalAltResult>>;

fn read<T>(read: impl FnOnce(&mut Current) -> T) -> Read<T> {
    CURRENT.with_borrow_mut(|current| match current {
        Some(current) => Ok(read(current)),
        None => Err("`ctx` is there only while a request runs, not while a module is loaded".into()),
    })
}

fn id(id: i64) -> ImmutableString {
    std::str::from_utf8(&id_text(id)).expect("the alphabet is ASCII").into()
}

#[derive(Clone)]
struct Ctx;
#[derive(Clone)]
struct Request;

/// Makes `ctx` and `log::…` known to an engine.
pub fn register(engine: &mut Engine) {
    #[expect(deprecated, reason = "not deprecated but volatile, as its note says; the version is pinned and tests hold the behaviour")]
    engine.on_var(|name, index, _| Ok((index == 0 && name == CTX).then(|| Dynamic::from(Ctx))));

    engine.register_type_with_name::<Ctx>("ctx").register_type_with_name::<Request>("ctx.request");
    engine
        .register_get("execution_id", |_: &mut Ctx| read(|run| id(run.invocation.execution_id.0)))
        .register_get("script_id", |_: &mut Ctx| read(|run| ImmutableString::from(run.function.script_id.to_string())))
        .register_get("script_name", |_: &mut Ctx| read(|run| ImmutableString::from(run.function.name.as_str())))
        .register_get("version", |_: &mut Ctx| read(|run| ImmutableString::from(run.function.version.to_string())))
        .register_get("deployment", |_: &mut Ctx| read(|run| id(run.invocation.deployment.0)))
        .register_get("request_id", |_: &mut Ctx| {
            read(|run| match &run.invocation.request_id {
                Some(request_id) => String::from_utf8_lossy(request_id.as_bytes()).into_owned().into(),
                None => id(run.invocation.execution_id.0),
            })
        })
        .register_get("invocation_type", |_: &mut Ctx| read(|run| ImmutableString::from(run.invocation.trigger.as_str())))
        .register_get("request", |_: &mut Ctx| Request);
    engine
        .register_get("method", |_: &mut Request| read(|run| ImmutableString::from(run.invocation.method.as_str())))
        .register_get("path", |_: &mut Request| read(|run| ImmutableString::from(run.invocation.uri.path())))
        .register_get("params", |_: &mut Request| read(|run| run.params()))
        .register_get("query", |_: &mut Request| read(Current::query))
        .register_get("query_all", |_: &mut Request| read(|run| run.query_all()))
        .register_get("headers", |_: &mut Request| read(Current::headers))
        .register_get("body", |_: &mut Request| read(|run| run.body.clone()))
        .register_get("raw_body", |_: &mut Request| read(|run| run.invocation.body.to_vec()))
        .register_get("remote_addr", |_: &mut Request| {
            read(|run| run.invocation.remote_addr.map_or(Dynamic::UNIT, |address| address.to_string().into()))
        });
    engine.register_static_module("log", log_module().into());
}

/// The properties of `ctx`, then those of `ctx.request`; check looks names up here.
pub const PROPERTIES: [&[&str]; 2] = [
    &["execution_id", "script_id", "script_name", "version", "deployment", "request_id", "invocation_type", "request"],
    &["method", "path", "params", "query", "query_all", "headers", "body", "raw_body", "remote_addr"],
];

fn log_module() -> Module {
    let mut module = Module::new();
    for (name, level) in [("trace", LogLevel::Trace), ("info", LogLevel::Info), ("warn", LogLevel::Warn), ("error", LogLevel::Error)] {
        module.set_native_fn(name, move |message: Dynamic| {
            read(|run| {
                let limits = &run.function.manifest.limits;
                meter::keep(|| run.log.append(level, value::to_text(&message, limits.log_size.bytes()), limits));
            })
        });
    }
    module
}

/// Says that a name exists in other Rhai programs and not here.
pub fn unavailable(name: &str) -> Option<&'static str> {
    Some(match name {
        "print" | "debug" => "use `log::info(…)`: its lines are kept with the execution",
        "eval" => "write the code in the file, or import a module",
        "sleep" => "a function that waits holds a place that another could use; answer at once",
        "timestamp" => "the execution's duration is recorded for you",
        _ => return None,
    })
}

/// Makes an error that carries no position yet; the engine fills in where it was raised.
pub fn error(message: impl Into<String>) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE).into()
}
