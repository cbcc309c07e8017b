//! Settings as a file writes them, and the manifest that follows from them.

use std::sync::Arc;

use serde::Deserialize;

use super::{
    Cors, Diagnostic, FilePath, FunctionName, Manifest, Position, Role, foreign,
    grants::{Grants, http::AllowList, kv::KvSection, secret::SecretName, sql::SqlGrant},
    handler::{Handler, MAX_HANDLERS, WrittenHandler},
    limits::{LONGEST_BACKGROUND_RUN, LimitOverrides, LimitPolicy},
    misplaced,
    quantity::{LONGEST, Span},
    retry::WrittenRetry,
    role::{ENDING, topic_of},
    route::Method,
    schedule::{MAX_SCHEDULES, Schedule, WrittenSchedule},
    tables::{TableKind, Tables},
    toml_text,
    topic::{Topic, TopicPattern},
    within::Within,
};
use crate::access::Scope;

/// The settings that one file writes; every key may be missing. Knows where each stands.
#[derive(Debug)]
pub struct WrittenSettings {
    file: FilePath,
    /// What the keys were read from.
    toml: Box<str>,
    keys: Keys,
}

/// The keys of a front-matter.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    description: Option<String>,
    methods: Option<Vec<Method>>,
    timeout: Option<Within<Span, 1, LONGEST>>,
    auth: Option<Auth>,
    capture: Option<bool>,
    cors: Option<Cors>,
    http: Option<HttpSection>,
    kv: Option<KvSection>,
    sql: Option<SqlGrant>,
    #[serde(default)]
    secrets: Vec<SecretName>,
    #[serde(default)]
    schedule: Tables<WrittenSchedule>,
    #[serde(default)]
    on: Tables<WrittenHandler>,
    #[serde(default)]
    retry: Option<WrittenRetry>,
    #[serde(default)]
    limits: LimitOverrides,
}

/// The section `[http]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpSection {
    allow: AllowList,
}

/// What callers must bring.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "expected \"token\", or a scope: { scope = \"deploy\" }")]
enum Auth {
    Any(Token),
    With(Allowing),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Token {
    Token,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowing {
    scope: Scope,
}

impl Auth {
    /// Returns what a token must allow; the least is allowed by all.
    fn scope(self) -> Scope {
        match self {
            Self::Any(Token::Token) => Scope::Read,
            Self::With(Allowing { scope }) => scope,
        }
    }
}

/// Keys that stand above every section.
const TOP_KEYS: [&str; 6] = ["description", "methods", "timeout", "auth", "capture", "secrets"];

/// Says where a key belongs that stands where it is not known.
fn where_it_belongs(key: &str) -> Option<String> {
    let section = match key {
        _ if TOP_KEYS.contains(&key) => return Some(format!("`{key}` belongs above the first `[section]`: move its line up")),
        "cron" | "every" | "zone" | "missed" | "grace" | "max_late" | "overlap" | "spread" => "[[schedule]]",
        "topic" => "[[on]]",
        "attempts" => "[retry]",
        "timezone" | "tz" => return Some("the key is `zone`, below `[[schedule]]`".into()),
        "enabled" | "disabled" => return Some("`picloud pause NAME` stops a schedule, and `picloud resume NAME` lets it run again".into()),
        _ => return None,
    };
    Some(format!("`{key}` belongs below `{section}`"))
}

/// Lines of a file before the TOML of its front-matter.
const LINES_BEFORE: u32 = 1;

impl WrittenSettings {
    /// Reads the TOML of a file's front-matter. The error says where in the file, and why.
    pub fn parse(file: &FilePath, toml: &str) -> Result<Self, Box<Diagnostic>> {
        let keys = toml_text::parse(toml).map_err(|problem| {
            if let Some(merge) = foreign::unresolved_merge(file, toml, problem.position) {
                return Box::new(in_file(merge));
            }
            let message = match problem.message.as_str() {
                unknown if unknown.starts_with("unknown key") => format!("{unknown} in front-matter"),
                other => format!("front-matter: {other}"),
            };
            let unknown = problem.message.strip_prefix("unknown key `").and_then(|rest| rest.strip_suffix('`'));
            let hint = unknown.and_then(where_it_belongs).or(problem.hint);
            Box::new(in_file(Diagnostic::error(file.clone(), message).at(toml, problem.position)).maybe_hint(hint))
        })?;
        let written = Self { file: file.clone(), toml: toml.into(), keys };
        match written.nonsense() {
            Some(found) => Err(Box::new(found)),
            None => Ok(written),
        }
    }

    /// Returns what is wrong with keys that are right one by one.
    fn nonsense(&self) -> Option<Diagnostic> {
        let Keys { methods, timeout, auth, cors, limits, http, kv, sql, secrets, .. } = &self.keys;
        if timeout.is_some() && limits.timeout.is_some() {
            return Some(self.error("timeout", "`timeout` is given twice".into()));
        }
        if limits.file.is_some() {
            let error = self.error("file", "`file` cannot be set in the file that it is about".into());
            return Some(error.hint("it is a key of `[limits]` in picloud.toml"));
        }
        if methods.as_ref().is_some_and(Vec::is_empty) {
            let error = self.error("methods", "`methods` is empty: the function would never answer".into());
            return Some(error.hint("leave `methods` out to answer any method"));
        }
        let of_scripts = [("http", http.is_some()), ("kv", kv.is_some()), ("sql", sql.is_some()), ("secrets", !secrets.is_empty())];
        if Role::of(&self.file) == Some(Role::Module)
            && let Some((key, _)) = of_scripts.into_iter().find(|(_, is_there)| *is_there)
        {
            let error = self.error(key, format!("`{key}` is for functions and guards, and this file is a module"));
            return Some(error.hint("write it into each function that imports the module and is to use it"));
        }
        if let Some(found) = self.nonsense_of_triggers() {
            return Some(found);
        }
        // Above all in a guard it would look as if it did something.
        let of_functions = [("auth", auth.is_some()), ("cors", cors.is_some())];
        let (key, _) = of_functions.into_iter().find(|(_, is_there)| *is_there)?;
        matches!(Role::of(&self.file), Some(Role::Guard | Role::Module)).then(|| {
            let error = self.error(key, format!("`{key}` is for functions, and this file is none"));
            error.hint("write it into each function that it is meant for")
        })
    }

    /// Returns what is wrong with what starts the function beside requests.
    fn nonsense_of_triggers(&self) -> Option<Diagnostic> {
        let Keys { methods, auth, cors, schedule, on, retry, .. } = &self.keys;
        let role = Role::of(&self.file);
        let of_functions = [("schedule", !schedule.is_empty()), ("on", !on.is_empty()), ("retry", retry.is_some())];
        if let (false, Some((key, _))) = (role.is_some_and(Role::is_function), of_functions.into_iter().find(|(_, is_there)| *is_there)) {
            let error = self.error(key, format!("`{key}` is for functions, and this file is none"));
            let moved = misplaced::belongs_at(&self.file).map(|meant| misplaced::hint(&meant));
            return Some(error.hint(moved.unwrap_or("write it into the function that it is to start".into())));
        }
        let of_urls = [("methods", methods.is_some()), ("auth", auth.is_some()), ("cors", cors.is_some())];
        if let (true, Some((key, _))) = (role.is_some_and(Role::has_settings), of_urls.into_iter().find(|(_, is_there)| *is_there)) {
            let error = self.error(key, format!("`{key}` is for functions with a URL, and this one has none"));
            return Some(error.hint("leave it out: nobody can call this function from outside"));
        }
        if role == Some(Role::Schedule) && schedule.is_empty() {
            let error =
                Diagnostic::error(self.file.clone(), "this file does not say when it runs").at(&self.toml, Position { line: 1, column: 1 });
            let error = if self.toml.is_empty() { error } else { in_file(error) };
            return Some(error.hint("add `[[schedule]]` and `cron = \"30 2 * * *\"` between two lines of `+++` at its beginning"));
        }
        if let Some(why) = retry.as_ref().and_then(WrittenRetry::nonsense) {
            return Some(self.error("retry.base", why).hint("`max` is the longest wait of all: lower `base`, or raise `max`"));
        }
        let lists = [("schedule", schedule.len(), MAX_SCHEDULES, schedule.unnamed()), ("on", on.len(), MAX_HANDLERS, on.unnamed())];
        lists.into_iter().find_map(|(key, count, most, unnamed)| {
            let error = |at: usize, message| self.error(&format!("{key}.{at}"), message);
            if count > most {
                return Some(error(most, format!("`[[{key}]]` is there {count} times, and a function may have {most}")));
            }
            let error = error(unnamed?, format!("the `[[{key}]]` number {} has no name of its own", unnamed? + 1));
            Some(error.hint("give each but the first another `name`: it is how it is known from the others"))
        })
    }

    /// Returns what is odd, and lets the file go live all the same.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        let Keys { schedule, on, .. } = &self.keys;
        let odd = schedule.iter().enumerate().filter_map(|(at, written)| {
            let warning = self.error(&format!("schedule.{at}.grace"), written.oddity()?).as_warning();
            Some(warning.hint("`max_late` is the latest of all: lower `grace`, or raise `max_late`"))
        });
        let timeout = self.limits().timeout.map(Within::get).filter(|timeout| *timeout > LONGEST_BACKGROUND_RUN);
        let too_long =
            timeout.filter(|_| !schedule.is_empty() || !on.is_empty() || Role::of(&self.file) == Some(Role::Event)).map(|timeout| {
                let message = format!("`timeout` is {timeout}, and a run of an event or a schedule ends after {LONGEST_BACKGROUND_RUN}");
                self.error("timeout", message).as_warning().hint("do the work in parts: emit an event for the next one")
            });
        odd.chain(too_long).collect()
    }

    /// Returns when the function runs by itself.
    fn schedules(&self) -> Result<Vec<Schedule>, Box<Diagnostic>> {
        self.resolved(&self.keys.schedule, WrittenSchedule::resolve)
    }

    /// Makes what such tables say. The error is at the table that is wrong.
    fn resolved<W: TableKind, T>(&self, tables: &Tables<W>, resolve: impl Fn(&W) -> Result<T, String>) -> Result<Vec<T>, Box<Diagnostic>> {
        let resolved = tables.iter().enumerate().map(|(at, written)| {
            resolve(written).map_err(|error| {
                let (message, hint) = toml_text::explained(&error);
                Box::new(self.error(&format!("{}.{at}", W::KEY), message).maybe_hint(hint))
            })
        });
        resolved.collect()
    }

    /// Returns which events the function handles.
    fn handlers(&self) -> Result<Vec<Handler>, Box<Diagnostic>> {
        let own = topic_of(&self.file).filter(|_| Role::of(&self.file) == Some(Role::Event));
        let own = own.map(|topic| topic.parse::<Topic>()).transpose().map_err(|error| {
            let message = format!("the path of this file says its topic, and {error}");
            Box::new(Diagnostic::error(self.file.clone(), message).hint(error.hint))
        })?;
        let own = own.as_ref().map(TopicPattern::from);
        let mut handlers = self.resolved(&self.keys.on, |written| written.resolve(own.as_ref()))?;
        if let Some(topic) = own.filter(|own| !handlers.iter().any(|handler| handler.topic == *own)) {
            if let Some(at) = handlers.iter().position(|handler| handler.name.is_none()) {
                let error = self
                    .error(&format!("on.{at}"), "an `[[on]]` has no name of its own, and the path of this file is a handler, too".into());
                return Err(Box::new(error.hint("give it a `name`: it is how it is known from the others")));
            }
            handlers.insert(0, Handler { name: None, topic, key: None });
        }
        Ok(handlers)
    }

    /// Returns what it allows its script to reach. The error says why a section cannot stand as it is.
    pub fn grants(&self) -> Result<Grants, Box<Diagnostic>> {
        let Keys { http, kv, sql, secrets, .. } = &self.keys;
        let function = FunctionName::new(self.file.strip_suffix(ENDING).unwrap_or(&self.file));
        let namespace = kv.as_ref().map(|kv| kv.namespace(&function)).transpose();
        Ok(Grants {
            http: http.as_ref().map(|http| Arc::new(http.allow.clone())),
            kv: namespace.map_err(|why| Box::new(self.error("kv", why.to_string())))?,
            sql: sql.as_ref().map(|sql| sql.database.clone()),
            secrets: secrets.clone(),
        })
    }

    /// Says that a diagnostic is about the value of a key, such as `sql.database` or `secrets.0`.
    pub fn mark(&self, found: Diagnostic, key: &str) -> Diagnostic {
        match toml_text::position_of(&self.toml, key) {
            Some(place) => in_file(found.at(&self.toml, place)),
            None => found,
        }
    }

    /// Returns the line of the file with the value of a key, or of a limit, if it has one.
    pub fn line_of(&self, key: &str) -> Option<u32> {
        let place = toml_text::position_of(&self.toml, key).or_else(|| toml_text::position_of(&self.toml, &format!("limits.{key}")));
        place.map(|place| place.line + LINES_BEFORE)
    }

    /// Returns the limits that it sets.
    fn limits(&self) -> LimitOverrides {
        let Keys { timeout, limits, .. } = &self.keys;
        LimitOverrides { timeout: timeout.or(limits.timeout), ..limits.clone() }
    }

    /// Reports an error at the line of a key, which may be one of the limits.
    fn error(&self, key: &str, message: String) -> Diagnostic {
        let place = toml_text::position_of(&self.toml, key).or_else(|| toml_text::position_of(&self.toml, &format!("limits.{key}")));
        let line = place.map_or(1, |place| place.line);
        in_file(Diagnostic::error(self.file.clone(), message).at(&self.toml, Position { line, column: 1 }))
    }
}

/// Turns a place in the TOML into the place in the file.
fn in_file(found: Diagnostic) -> Diagnostic {
    let position = found.position.map(|position| Position { line: position.line + LINES_BEFORE, ..position });
    Diagnostic { position, ..found }
}

/// Returns what holds for a file that writes these settings. The errors are about values that this node does not allow.
pub fn resolve(policy: &LimitPolicy, own: &WrittenSettings) -> Result<Manifest, Vec<Diagnostic>> {
    let limits = policy.default.with(&own.limits());
    if let Some((key, value, ceiling)) = limits.first_above(&policy.ceiling) {
        let error = own.error(key, format!("`{key}` is {value}, above this node's ceiling of {ceiling}"));
        return Err(vec![error.hint(format!("lower it, or raise `{key}` in the section `[ceilings]` of picloud.toml"))]);
    }
    let Keys { description, methods, auth, capture, cors, retry, .. } = &own.keys;
    Ok(Manifest {
        description: description.clone(),
        methods: methods.clone(),
        auth: auth.map(Auth::scope),
        limits,
        capture: *capture,
        cors: cors.clone(),
        schedules: own.schedules().map_err(|found| vec![*found])?,
        handlers: own.handlers().map_err(|found| vec![*found])?,
        retry: retry.unwrap_or_default(),
        grants: own.grants().map_err(|found| vec![*found])?,
    })
}
