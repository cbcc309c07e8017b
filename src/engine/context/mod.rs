//! What a script sees of its request: the constant `ctx`, and `log::…`.
//!
//! `ctx` is a mark without content; its properties are read from the run that stands on this thread. So reading it costs nothing until a
//! property is asked for, it is visible inside `fn`s and closures, and no compiled script can hold a request's values.

use std::{any::TypeId, cell::RefCell};

use http::HeaderName;
use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, ImmutableString, Map, Module, NativeCallContext, Position, RhaiFunc, Shared};

use super::{meter, sizes::Sizes, value};
use crate::{
    clock::id_text,
    execution::{HttpRequest, Invocation, LogLevel, LogLine, Param},
    function::{Limits, SharedFunction},
};

/// The name that scripts read it by.
pub const CTX: &str = "ctx";

/// The run that stands on this thread.
pub struct Current {
    /// What asked for it.
    pub invocation: Box<Invocation>,
    /// What runs.
    pub function: SharedFunction,
    /// The body as the scripts see it. A plan may take out what nobody reads after it.
    pub body: Dynamic,
    /// Whether some script of this run could change a body that it only reads: each then reads a copy.
    copies_body: bool,
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

/// How far a log was.
#[derive(Debug, Clone, Copy)]
pub struct LogMark {
    lines: usize,
    dropped: u32,
    bytes: usize,
}

/// Bytes of one line: a part of what all may have, so that a long one leaves room for those after it, which often say what went wrong.
fn line_size(limits: &Limits) -> usize {
    let all = limits.log_size.bytes();
    (all / 8).max(SHORTEST_LINE).min(all)
}

/// However little a log may have, a line of it may be as long as this.
const SHORTEST_LINE: usize = 1024;

impl Log {
    /// Returns how far it is, for [`rewind`](Self::rewind).
    pub fn mark(&self) -> LogMark {
        LogMark { lines: self.lines.len(), dropped: self.dropped, bytes: self.bytes }
    }

    /// Forgets what came after the mark.
    pub fn rewind(&mut self, mark: LogMark) {
        meter::keep(|| self.lines.truncate(mark.lines));
        (self.dropped, self.bytes) = (mark.dropped, mark.bytes);
    }

    fn append(&mut self, level: LogLevel, message: &Dynamic, limits: &Limits) {
        let message = value::to_line(message, line_size(limits));
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
    pub fn new(invocation: Box<Invocation>, function: SharedFunction, body: Dynamic, copies_body: bool) -> Self {
        Self { invocation, function, body, copies_body, query: None, headers: None, log: Log::default() }
    }

    /// Returns how large the largest values are that a script can read from this request. Above half of what is allowed they are exact;
    /// below it they may be less than said here.
    pub fn sizes(&self, allowed: Sizes) -> Sizes {
        let HttpRequest { uri, headers, params, body, .. } = &self.invocation.request;
        let texts = headers.values().map(|value| value.len() + 2).sum::<usize>() + uri.path().len() + uri.query().map_or(0, str::len);
        // A byte that is not UTF-8 becomes a character of three.
        let head = Sizes {
            string: 3 * texts + self.function.name.as_str().len() + IDS,
            array: uri.path().len(),
            map: headers.keys_len().max(params.len()),
        };
        let query = uri.query().map_or(0, str::len);
        let most = Sizes { string: 3 * body.len(), array: body.len().max(query), map: body.len().max(query) / 2 + 1 };
        if most.or(head).fits(allowed.half()) {
            return most.or(head);
        }
        let pairs = self.pairs().count();
        Sizes::of(&self.body).or(head).or(Sizes { string: 0, array: body.len().max(pairs), map: pairs })
    }

    /// Appends a line to its log.
    pub fn log(&mut self, level: LogLevel, message: &Dynamic) {
        let limits = &self.function.manifest.limits;
        meter::keep(|| self.log.append(level, message, limits));
    }

    /// Returns the body as Rhai reads it: shared, so that one field of a large body is read without a copy of the whole, and read-only, so
    /// that no method changes it. `let b = ctx.request.body` copies.
    fn shared_body(&mut self) -> Dynamic {
        if self.copies_body {
            return self.body.clone();
        }
        if !self.body.is_shared() {
            self.body = self.body.take().into_read_only().into_shared();
        }
        self.body.clone()
    }

    /// The names and values of the query, decoded, in order.
    fn pairs(&self) -> form_urlencoded::Parse<'_> {
        form_urlencoded::parse(self.invocation.request.uri.query().unwrap_or_default().as_bytes())
    }

    fn query(&mut self) -> Map {
        if self.query.is_none() {
            let mut map = Map::new();
            for (key, value) in self.pairs() {
                map.entry(key.as_ref().into()).or_insert_with(|| value.as_ref().into());
            }
            self.query = Some(map);
        }
        self.query.clone().unwrap_or_default()
    }

    fn query_all(&self) -> Map {
        let mut map = Map::new();
        for (key, value) in self.pairs() {
            let values = map.entry(key.as_ref().into()).or_insert_with(|| Dynamic::from_array(Vec::new()));
            if let Ok(mut values) = values.as_array_mut() {
                values.push(value.as_ref().into());
            }
        }
        map
    }

    fn headers(&mut self) -> Map {
        if self.headers.is_none() {
            let names = self.invocation.request.headers.keys();
            self.headers = Some(names.filter_map(|name| Some((name.as_str().into(), self.header(name)?.into()))).collect());
        }
        self.headers.clone().unwrap_or_default()
    }

    /// Returns a header's value; several of one name joined, by a comma as RFC 9110, section 5.3, has it, cookies by a semicolon as RFC
    /// 9113, section 8.2.3.
    fn header(&self, name: &HeaderName) -> Option<String> {
        let separator = if name == http::header::COOKIE { "; " } else { ", " };
        let values =
            self.invocation.request.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        values.reduce(|joined, value| joined + separator + value.as_str())
    }

    fn params(&self) -> Map {
        self.invocation.request.params.iter().map(|(name, param)| (name.as_ref().into(), param_value(param))).collect()
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

/// Does something with the run that stands on this thread, if there is one.
pub fn with<T>(work: impl FnOnce(&mut Current) -> T) -> Option<T> {
    CURRENT.with_borrow_mut(|current| current.as_mut().map(work))
}

type Read<T> = Result<T, Box<EvalAltResult>>;

fn read<T>(read: impl FnOnce(&mut Current) -> T) -> Read<T> {
    with(read).ok_or_else(|| "`ctx` is there only while a request runs, not while a module is loaded".into())
}

fn id(id: i64) -> ImmutableString {
    std::str::from_utf8(&id_text(id)).expect("the alphabet is ASCII").into()
}

#[derive(Clone)]
struct Ctx;
#[derive(Clone)]
struct Request;

type Getter = fn(&mut Current) -> Dynamic;

/// Bytes of the longest text that names something of a run, such as a version or an address.
const IDS: usize = 256;

/// The properties of `ctx` beside [`REQUEST`].
const OF_CTX: [(&str, Getter); 8] = [
    ("execution_id", |run| id(run.invocation.execution_id.0).into()),
    ("script_id", |run| run.function.script_id.to_string().into()),
    ("script_name", |run| run.function.name.as_str().into()),
    ("version", |run| run.function.version.to_string().into()),
    ("deployment", |run| id(run.invocation.deployment.0).into()),
    ("request_id", |run| match &run.invocation.request_id {
        Some(request_id) => String::from_utf8_lossy(request_id.as_bytes()).into_owned().into(),
        None => id(run.invocation.execution_id.0).into(),
    }),
    ("invocation_type", |run| run.invocation.trigger.as_str().into()),
    ("principal", |run| run.invocation.principal.as_deref().map_or(Dynamic::UNIT, |name| name.into())),
];

/// The properties of `ctx.request`.
const OF_REQUEST: [(&str, Getter); 10] = [
    ("method", |run| run.invocation.request.method.as_str().into()),
    (PATH, |run| run.invocation.request.uri.path().into()),
    ("route", |run| run.function.route.to_string().into()),
    ("params", |run| run.params().into()),
    ("query", |run| run.query().into()),
    ("query_all", |run| run.query_all().into()),
    ("headers", |run| run.headers().into()),
    (BODY, Current::shared_body),
    ("raw_body", |run| Dynamic::from_blob(run.invocation.request.body.to_vec())),
    ("remote_addr", |run| run.invocation.remote_addr.map_or(Dynamic::UNIT, |address| address.to_string().into())),
];

/// The property of `ctx` that has properties of its own.
pub const REQUEST: &str = "request";
/// The property of `ctx.request` that callers can write in several ways.
pub const PATH: &str = "path";
/// The property of `ctx.request` that may be large.
pub const BODY: &str = "body";

/// Makes `ctx` and `log::…` known to an engine.
pub fn register(engine: &mut Engine) {
    #[expect(deprecated, reason = "not deprecated but volatile, as its note says; the version is pinned and tests hold the behaviour")]
    engine.on_var(|name, index, context| {
        // A closure that captures a variable of this name has no place for it, but a value in its scope.
        let is_request = index == 0 && name == CTX && !context.scope().contains(CTX);
        Ok(is_request.then(|| Dynamic::from(Ctx)))
    });

    engine.register_type_with_name::<Ctx>("ctx").register_type_with_name::<Request>("ctx.request");
    engine.register_get(REQUEST, |_: &mut Ctx| Request);
    for (name, get) in OF_CTX {
        engine.register_get(name, move |_: &mut Ctx| read(get));
    }
    for (name, get) in OF_REQUEST {
        engine.register_get(name, move |_: &mut Request| read(get));
    }
    engine.register_static_module(LOG, log_module().into());
    engine.register_global_module(no_setters().into());
}

/// After a method at the end of a chain, Rhai looks for a way to put back what the method may have changed: for a setter of the property, then
/// for one of all properties. There is nothing to put back, and the two looks are no operations of the script.
fn no_setters() -> Module {
    let mut module = Module::new();
    for of in [TypeId::of::<Ctx>(), TypeId::of::<Request>()] {
        let no_setter = RhaiFunc::Method {
            func: Shared::new(|_: Option<NativeCallContext>, _: &mut [&mut Dynamic]| {
                meter::correct(2, 0);
                Err(EvalAltResult::ErrorIndexingType(String::new(), Position::NONE).into())
            }),
            has_context: false,
            is_pure: true,
            is_volatile: true,
        };
        let parameters = [of, TypeId::of::<ImmutableString>(), TypeId::of::<Dynamic>()];
        FuncRegistration::new("index$set$").in_global_namespace().set_into_module_raw(&mut module, parameters, no_setter);
    }
    module
}

/// The names of the properties of `ctx`, then those of `ctx.request`; check looks names up here.
pub fn properties() -> [Vec<&'static str>; 2] {
    [OF_CTX.iter().map(|(name, _)| *name).chain([REQUEST]).collect(), OF_REQUEST.iter().map(|(name, _)| *name).collect()]
}

/// A part of the request that can be read without the rest.
#[derive(Debug)]
pub enum Property {
    /// One of `ctx` or of `ctx.request`.
    Whole(Getter),
    /// `ctx.request.query.…`
    Query(ImmutableString),
    /// `ctx.request.headers.…`
    Header(HeaderName),
    /// `ctx.request.params.…`
    Param(ImmutableString),
}

impl Property {
    /// Finds a property of `ctx`.
    pub fn of_ctx(name: &str) -> Option<Self> {
        OF_CTX.iter().find(|(known, _)| *known == name).map(|(_, get)| Self::Whole(*get))
    }

    /// Finds a property of `ctx.request`.
    pub fn of_request(name: &str) -> Option<Self> {
        OF_REQUEST.iter().find(|(known, _)| *known == name).map(|(_, get)| Self::Whole(*get))
    }

    /// Finds an entry of a property of `ctx.request` that is a map.
    pub fn of_entry(name: &str, key: &ImmutableString) -> Option<Self> {
        match name {
            "query" => Some(Self::Query(key.clone())),
            "headers" => HeaderName::from_lowercase(key.as_bytes()).ok().map(Self::Header),
            "params" => Some(Self::Param(key.clone())),
            _ => None,
        }
    }

    /// Reads it; what is not there is `()`.
    pub fn read(&self, run: &mut Current) -> Dynamic {
        match self {
            Self::Whole(get) => get(run),
            Self::Query(key) => {
                run.pairs().find(|(name, _)| name == key.as_str()).map_or(Dynamic::UNIT, |(_, value)| value.as_ref().into())
            }
            Self::Header(name) => run.header(name).map_or(Dynamic::UNIT, Dynamic::from),
            Self::Param(key) => {
                let param = run.invocation.request.params.iter().find(|(name, _)| **name == *key.as_str());
                param.map_or(Dynamic::UNIT, |(_, param)| param_value(param))
            }
        }
    }
}

fn param_value(param: &Param) -> Dynamic {
    match param {
        Param::Absent => Dynamic::UNIT,
        Param::One(text) => text.as_str().into(),
        Param::Many(segments) => Dynamic::from_array(segments.iter().map(|segment| segment.as_str().into()).collect()),
    }
}

/// The module that scripts log with.
pub const LOG: &str = "log";
/// Its functions.
pub const LOG_LEVELS: [(&str, LogLevel); 4] =
    [("trace", LogLevel::Trace), ("info", LogLevel::Info), ("warn", LogLevel::Warn), ("error", LogLevel::Error)];

fn log_module() -> Module {
    let mut module = Module::new();
    for (name, level) in LOG_LEVELS {
        module.set_native_fn(name, move |message: Dynamic| read(|run| run.log(level, &message)));
    }
    module
}

const NO_NETWORK: &str = "scripts have no network: a function computes its answer from the request; docs/functions.md says what there is";
const NO_TIME: &str = "scripts have no clock: let the caller send the time; the start of each execution is recorded";
const NO_ENVIRONMENT: &str = "scripts have no environment: write what is no secret into the file, or a module";
const NO_FILES: &str = "scripts have no files: write what they need into a module";
const NO_CHANCE: &str = "scripts have no chance: `ctx.execution_id` is another one for each request";

/// Says that a module exists elsewhere and not here.
pub fn unavailable_module(name: &str) -> Option<&'static str> {
    Some(match name {
        "http" | "https" | "net" | "url" | "sql" | "db" | "redis" => NO_NETWORK,
        "time" | "date" | "datetime" | "chrono" => NO_TIME,
        "env" | "os" | "process" | "sys" => NO_ENVIRONMENT,
        "fs" | "file" | "files" | "io" | "path" => NO_FILES,
        "random" | "rand" | "uuid" => NO_CHANCE,
        _ => return None,
    })
}

/// Says that a name exists in other Rhai programs, or in other places where functions run, and not here.
pub fn unavailable(name: &str) -> Option<&'static str> {
    Some(match name {
        "fetch" | "curl" | "http_get" | "http_post" => NO_NETWORK,
        "now" | "today" | "date" | "time" | "unix_time" => NO_TIME,
        "env" | "getenv" | "get_env" => NO_ENVIRONMENT,
        "open_file" | "read_file" | "write_file" => NO_FILES,
        "rand" | "random" | "uuid" => NO_CHANCE,
        "require" | "include" => "`import \"name\" as name;` makes the functions of a module known",
        "print" | "debug" => "use `log::info(…)`: its lines are kept with the execution",
        "eval" => "write the code in the file, or import a module",
        "sleep" => "a function that waits holds a place that another could use; answer at once",
        "timestamp" => "the execution's duration is recorded for you",
        _ => return None,
    })
}

/// Says what a name is here that scripts of other languages have.
pub fn unavailable_variable(name: &str) -> Option<&'static str> {
    Some(match name {
        "console" | "logger" | "logging" => "use `log::info(…)`: its lines are kept with the execution",
        "JSON" | "json" => "use `parse_json(text)` and `value.to_json()`",
        "Math" | "math" => {
            "numbers have methods: `x.floor()`, `x.round()`, `x.abs()`, `x.sqrt()`; there are `min(a, b)` and `max(a, b)`, too"
        }
        "Date" | "datetime" => NO_TIME,
        "process" | "Deno" | "Bun" | "os" => NO_ENVIRONMENT,
        "axios" | "requests" => NO_NETWORK,
        "fs" => NO_FILES,
        "req" | "request" | "event" | "context" => "the request is `ctx.request`",
        "res" | "response" => "a response is what the script returns: `#{ statusCode: 404, body: \"…\" }`",
        "null" | "nil" | "undefined" | "None" => "nothing is written `()`",
        "True" => "write `true`",
        "False" => "write `false`",
        _ => return None,
    })
}

/// Makes an error that carries no position yet; the engine fills in where it was raised.
pub fn error(message: impl Into<String>) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE).into()
}
