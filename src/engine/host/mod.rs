//! What scripts can call beside Rhai's own functions: modules such as `log`, which need no import.
//!
//! `MODULES` is the only list, and `CLASSES` that of values with methods. Check, plans, registration and the tables in
//! `docs/functions.md` read them. A new module is a file here and a line in the list.

mod call;
pub mod check;
mod convert;
mod crypto;
mod csv;
pub mod definitions;
mod effect;
mod encoding;
mod event;
mod html;
pub mod http;
mod json;
mod jwt;
mod keys;
pub mod kv;
pub mod log;
mod math;
mod options;
mod pem;
mod re;
mod register;
mod render;
mod reveal;
pub mod secret;
pub mod sql;
mod text;
pub mod time;
pub mod unavailable;
mod url;
mod webhook;
mod xml;

pub use call::{Call, Standing};
pub use effect::{Answer, Ask};
pub use options::Options;
pub(super) use register::{by_script, register};
pub use render::NAME as RENDER;

use crate::{
    engine::value::plain::{HostObject, Value},
    function::grants::Grants,
};

/// The modules that every script can call. The one without a name has functions that are called without one.
pub static MODULES: [&HostModule; 18] = [
    &GLOBAL,
    &log::MODULE,
    &http::MODULE,
    &kv::MODULE,
    &sql::MODULE,
    &crypto::MODULE,
    &jwt::MODULE,
    &encoding::MODULE,
    &webhook::MODULE,
    &time::MODULE,
    &re::MODULE,
    &json::MODULE,
    &csv::MODULE,
    &xml::MODULE,
    &html::MODULE,
    &html::MARKDOWN,
    &url::MODULE,
    &math::MODULE,
];

/// The functions that are called without a module.
static GLOBAL: HostModule = HostModule {
    name: "",
    about: "Functions that are called without a module.",
    functions: &[secret::FUNCTION, render::FUNCTION, event::EMIT, event::RETRY, event::DEAD],
};

/// The classes of values with methods of their own.
pub static CLASSES: [&ObjectClass; 4] = [&http::CLASS, &secret::CLASS, &sql::CLASS, &time::CLASS];

/// A module of functions.
#[derive(Debug)]
pub struct HostModule {
    /// The name that scripts call it by.
    pub name: &'static str,
    /// What it is for, in one sentence.
    pub about: &'static str,
    /// Its functions.
    pub functions: &'static [HostFunction],
}

/// A function of a module, or a method of a class. No two of one module have the same name.
#[derive(Debug)]
pub struct HostFunction {
    /// Its name in the module.
    pub name: &'static str,
    /// What it takes, at most [`MAX_ARGUMENTS`]. Those that may be left out come last.
    pub parameters: &'static [Parameter],
    /// What it gives, in words: `string`, `map`, `()`.
    pub returns: &'static str,
    /// What a call does to the world outside of the run.
    pub kind: Kind,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// What the front-matter must declare for it, if anything.
    pub needs: Option<Requirement>,
    /// What can be wrong with a call as it is written.
    pub check: Option<check::Check>,
    /// Does it. The arguments have the types that the parameters ask for.
    pub call: fn(&mut Call<'_>) -> HostResult,
}

/// What a function takes in one place.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub takes: Type,
    /// Whether it may be left out.
    pub is_optional: bool,
}

/// What an argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Any value.
    Any,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// Any number.
    Number,
    /// A string.
    Text,
    /// A string that is a statement of SQL.
    Sql,
    /// A string, which stands for its UTF-8, or a blob.
    Bytes,
    /// An array.
    Array,
    /// A map.
    Map,
    /// A closure, or the name of a function.
    Closure,
    /// An object of the class with this name.
    Object(&'static str),
    /// A string, a blob, or a secret.
    BytesOrSecret,
    /// A string, or an object of the class with this name.
    TextOr(&'static str),
}

/// What a call does to the world outside of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: its result follows from its arguments.
    Pure,
    /// Its effect is kept back until the run ends, and can be undone.
    Held,
    /// It waits for something outside, or changes it. It is never called twice for one call of a script, and never on a thread that serves
    /// connections.
    Waits,
}

impl Kind {
    /// Returns the word for it in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Held => "held",
            Self::Waits => "waits",
        }
    }
}

/// What all objects of one type have in common.
#[derive(Debug)]
pub struct ObjectClass {
    /// Its name in messages and documents: `Time`.
    pub name: &'static str,
    /// What is read by `value.name`.
    pub properties: &'static [Property],
    /// What is called by `value.name(…)`. The object itself is the first argument, and no parameter of the list.
    pub methods: &'static [HostFunction],
}

/// A property of objects of one class.
#[derive(Debug)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// What it gives, in words.
    pub returns: &'static str,
    /// What it is, in one sentence.
    pub about: &'static str,
    /// Reads it.
    pub get: fn(&dyn HostObject) -> HostResult,
}

/// What the front-matter of a script must declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// `[http]`
    Http,
    /// `[kv]`
    Kv,
    /// `[sql]`
    Sql,
    /// `secrets`
    Secrets,
}

impl Requirement {
    /// Returns whether a script has what is needed.
    pub fn is_met(self, grants: Option<&Grants>) -> bool {
        grants.is_some_and(|grants| match self {
            Self::Http => grants.http.is_some(),
            Self::Kv => grants.kv.is_some(),
            Self::Sql => grants.sql.is_some(),
            Self::Secrets => !grants.secrets.is_empty(),
        })
    }

    /// Returns the lines to add.
    pub fn lines(self) -> &'static str {
        match self {
            Self::Http => "`[http]` with `allow = [\"https://…\"]`",
            Self::Kv => "`[kv]`",
            Self::Sql => "`[sql]` with `database = \"…\"`",
            Self::Secrets => "`secrets = [\"…\"]`",
        }
    }
}

/// What a host function gives, or the error that its script sees.
pub type HostResult = Result<Value, HostError>;

/// The `kind` of an error about what a function was asked for, where errors are maps.
pub const WRONG_KIND: &str = "invalid";

/// Why a host function gives nothing.
#[derive(Debug)]
pub enum HostError {
    /// What it was asked for makes no sense, or does not work. The script can catch the message.
    Wrong(String),
    /// The script can catch this value.
    Thrown(Value),
    /// A closure of the script failed.
    Script(Box<rhai::EvalAltResult>),
    /// The run is stopped: no script can catch that.
    Stopped,
}

impl<T: Into<String>> From<T> for HostError {
    fn from(message: T) -> Self {
        Self::Wrong(message.into())
    }
}

/// Most parameters of a host function, or of a method with its object. So the arguments of a call have their place on the stack.
pub const MAX_ARGUMENTS: usize = 4;

/// Finds the class of objects that say so.
pub fn class(name: &str) -> Option<&'static ObjectClass> {
    CLASSES.into_iter().find(|class| class.name == name)
}

/// Finds a function that is called without a module.
pub fn global(name: &str) -> Option<&'static HostFunction> {
    GLOBAL.function(name)
}

/// Returns whether what a method of this name calls may ask for the run that it is called in.
pub fn needs_run(method: &str) -> bool {
    global(method).is_some()
        || CLASSES.into_iter().flat_map(|class| class.methods).any(|known| known.name == method && known.kind != Kind::Pure)
}

/// Finds a module by its name.
pub fn module(name: &str) -> Option<&'static HostModule> {
    MODULES.into_iter().find(|module| module.name == name)
}

impl HostModule {
    /// Finds a function by its name.
    pub fn function(&self, name: &str) -> Option<&'static HostFunction> {
        self.functions.iter().find(|function| function.name == name)
    }
}

impl HostFunction {
    /// Makes a function.
    pub const fn new(
        name: &'static str,
        parameters: &'static [Parameter],
        returns: &'static str,
        kind: Kind,
        about: &'static str,
        call: fn(&mut Call<'_>) -> HostResult,
    ) -> Self {
        Self { name, parameters, returns, kind, about, needs: None, check: None, call }
    }

    /// Makes a function whose result follows from its arguments.
    pub const fn pure(
        name: &'static str,
        parameters: &'static [Parameter],
        returns: &'static str,
        about: &'static str,
        call: fn(&mut Call<'_>) -> HostResult,
    ) -> Self {
        Self::new(name, parameters, returns, Kind::Pure, about, call)
    }

    /// Makes a function that reaches something outside, which the front-matter must declare.
    pub const fn reaching(
        needs: Requirement,
        name: &'static str,
        parameters: &'static [Parameter],
        returns: &'static str,
        about: &'static str,
        call: fn(&mut Call<'_>) -> HostResult,
    ) -> Self {
        Self::new(name, parameters, returns, Kind::Waits, about, call).needing(needs)
    }

    /// Says what the front-matter must declare for it.
    pub const fn needing(self, need: Requirement) -> Self {
        Self { needs: Some(need), ..self }
    }

    /// Says what can be wrong with a call as it is written.
    pub const fn checked(self, check: check::Check) -> Self {
        Self { check: Some(check), ..self }
    }

    /// Returns whether check must see each call of it, with its arguments.
    pub fn is_looked_at(&self) -> bool {
        self.kind == Kind::Waits || self.needs.is_some() || self.check.is_some()
    }

    /// Returns whether it is `emit`, if it is called without a module.
    pub fn emits(&self) -> bool {
        self.name == event::EMIT.name
    }

    /// Returns whether its first argument is a statement of SQL.
    pub fn takes_sql(&self) -> bool {
        self.parameters.first().is_some_and(|parameter| parameter.takes == Type::Sql)
    }

    /// Returns how many arguments it may be given.
    pub fn counts(&self) -> std::ops::RangeInclusive<usize> {
        let optional = self.parameters.iter().filter(|parameter| parameter.is_optional).count();
        self.parameters.len() - optional..=self.parameters.len()
    }
}

impl Parameter {
    /// Makes a parameter that must be given.
    pub const fn new(name: &'static str, takes: Type) -> Self {
        Self { name, takes, is_optional: false }
    }

    /// Makes a parameter that may be left out.
    pub const fn optional(name: &'static str, takes: Type) -> Self {
        Self { name, takes, is_optional: true }
    }
}

impl Type {
    /// Returns whether a value is one.
    pub fn admits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Any, _)
            | (Self::Bool, Value::Bool(_))
            | (Self::Int | Self::Number, Value::Int(_))
            | (Self::Number, Value::Float(_))
            | (Self::Text | Self::Sql | Self::TextOr(_), Value::Text(_))
            | (Self::Bytes | Self::BytesOrSecret, Value::Text(_) | Value::Blob(_))
            | (Self::Array, Value::Array(_))
            | (Self::Map, Value::Map(_))
            | (Self::Closure, Value::Closure(_)) => true,
            (Self::Object(class) | Self::TextOr(class), Value::Object(object)) => object.0.class() == class,
            (Self::BytesOrSecret, Value::Object(object)) => object.0.class() == SECRET,
            _ => false,
        }
    }

    /// Returns what documents and messages call it.
    pub fn word(self) -> String {
        match self {
            Self::Any => "any value".into(),
            Self::Bool => "a boolean".into(),
            Self::Int => "a whole number".into(),
            Self::Number => "a number".into(),
            Self::Text | Self::Sql => "a string".into(),
            Self::Bytes => "a string or a blob".into(),
            Self::Array => "an array".into(),
            Self::Map => "a map".into(),
            Self::Closure => "a closure".into(),
            Self::Object(class) => format!("a value of type {class}"),
            Self::BytesOrSecret => "a string, a blob or a secret".into(),
            Self::TextOr(class) => format!("a string or a value of type {class}"),
        }
    }
}

/// The name of the class of secrets.
pub const SECRET: &str = "Secret";

#[cfg(test)]
mod tests {
    use super::*;

    fn functions() -> impl Iterator<Item = (&'static HostModule, &'static HostFunction)> {
        MODULES.into_iter().flat_map(|module| module.functions.iter().map(move |function| (module, function)))
    }

    fn methods() -> impl Iterator<Item = (&'static ObjectClass, &'static HostFunction)> {
        CLASSES.into_iter().flat_map(|class| class.methods.iter().map(move |method| (class, method)))
    }

    fn parameters(function: &HostFunction) -> String {
        let names = function.parameters.iter().map(|parameter| match parameter.is_optional {
            true => format!("[{}]", parameter.name),
            false => parameter.name.into(),
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// The rows of the tables in the documentation.
    fn rows() -> Vec<String> {
        let row = |call: String, function: &HostFunction| {
            format!("| `{call}({})` | {} | {} | {} |", parameters(function), function.returns, function.kind.as_str(), function.about)
        };
        let functions = functions().map(|(module, function)| match module.name {
            "" => row(function.name.into(), function),
            name => row(format!("{name}::{}", function.name), function),
        });
        let methods = methods().map(|(class, method)| row(format!("{}.{}", class.name, method.name), method));
        let property = |class: &ObjectClass, property: &Property| {
            format!("| `{}.{}` | {} | property | {} |", class.name, property.name, property.returns, property.about)
        };
        let properties = CLASSES.into_iter().flat_map(|class| class.properties.iter().map(move |of| property(class, of)));
        functions.chain(methods).chain(properties).collect()
    }

    #[test]
    fn the_documentation_lists_every_function_method_and_property() {
        let page = include_str!("../../../docs/functions.md");
        let table = page.split_once("<!-- host functions -->\n").and_then(|(_, rest)| rest.split_once("<!-- end -->"));
        let documented: Vec<_> = table.expect("the page marks its table").0.lines().filter(|line| line.starts_with("| `")).collect();
        let listed = rows();
        assert_eq!(documented, listed, "the table should be:\n{}", listed.join("\n"));
    }

    #[test]
    fn each_call_has_one_meaning_and_room_for_its_arguments() {
        let all =
            || functions().map(|(module, function)| (module.name, function)).chain(methods().map(|(class, method)| (class.name, method)));
        let mut calls: Vec<_> = all().map(|(of, function)| (of, function.name)).collect();
        let count = calls.len();
        calls.sort_unstable();
        calls.dedup();
        assert_eq!(calls.len(), count);
        for (_, function) in all() {
            let first_optional = function.parameters.iter().position(|parameter| parameter.is_optional).unwrap_or(usize::MAX);
            assert!(function.parameters.iter().skip(first_optional).all(|parameter| parameter.is_optional), "{}", function.name);
            assert!(function.about.ends_with('.') && !function.returns.is_empty(), "{}", function.name);
        }
        assert!(functions().all(|(_, function)| function.parameters.len() <= MAX_ARGUMENTS));
        assert!(methods().all(|(_, method)| method.parameters.len() < MAX_ARGUMENTS));
        assert!(MODULES.iter().all(|module| unavailable::module(module.name).is_none()));
    }

    #[test]
    fn what_waits_is_called_by_the_name_of_its_module() {
        // So check sees every such call, and no closure holds one.
        assert!(functions().all(|(module, function)| function.kind != Kind::Waits || !module.name.is_empty()));
        // A method that waits is one of an object that only a function that waits gives.
        assert!(methods().all(|(class, method)| method.kind != Kind::Waits || class.name == sql::CLASS.name));
    }
}
