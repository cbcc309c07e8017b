//! Host functions as Rhai and plans call them: everything that is registered with an engine.

use std::{any::TypeId, cmp::Ordering, collections::BTreeSet};

use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, ImmutableString, Module, NativeCallContext, RhaiFunc, Shared};

use super::{
    CLASSES, Call, HostError, HostFunction, HostModule, MAX_ARGUMENTS, MODULES, ObjectClass, SECRET, Standing, WRONG_KIND,
    convert::{from_own, from_rhai, to_own, to_rhai},
};
use crate::engine::own::{self, native::Caller};
use crate::engine::value::plain::{Object, Value};

/// What host functions and Rhai exchange, or the error that a script sees.
type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// Makes the host functions known to an engine.
pub fn register(engine: &mut Engine) {
    for module in MODULES {
        match module.name {
            "" => drop(engine.register_global_module(registered(module).into())),
            name => drop(engine.register_static_module(name, registered(module).into())),
        }
    }
    engine.register_global_module(methods().into());
    engine.register_type_with_name::<Object>("object");
    engine.register_indexer_get(|object: &mut Object, name: ImmutableString| property(object, &name));
    for name in ["to_string", "print"] {
        engine.register_fn(name, |object: &mut Object| object.0.shown());
    }
    for name in ["to_debug", "debug"] {
        engine.register_fn(name, |object: &mut Object| object.0.shown());
    }
    engine.register_fn("+", |text: ImmutableString, object: Object| joined(&object, &text, true));
    engine.register_fn("+", |object: Object, text: ImmutableString| joined(&object, &text, false));
    engine.register_fn("==", |left: Object, right: Object| left.0.compare(&*right.0) == Some(Ordering::Equal));
    engine.register_fn("!=", |left: Object, right: Object| left.0.compare(&*right.0) != Some(Ordering::Equal));
    engine.register_fn("==", |text: ImmutableString, object: Object| same(&object, &text));
    engine.register_fn("==", |object: Object, text: ImmutableString| same(&object, &text));
    engine.register_fn("!=", |text: ImmutableString, object: Object| same(&object, &text).map(std::ops::Not::not));
    engine.register_fn("!=", |object: Object, text: ImmutableString| same(&object, &text).map(std::ops::Not::not));
    engine.register_fn("<", |left: Object, right: Object| ordered(&left, &right).map(Ordering::is_lt));
    engine.register_fn("<=", |left: Object, right: Object| ordered(&left, &right).map(Ordering::is_le));
    engine.register_fn(">", |left: Object, right: Object| ordered(&left, &right).map(Ordering::is_gt));
    engine.register_fn(">=", |left: Object, right: Object| ordered(&left, &right).map(Ordering::is_ge));
}

/// Compares an object with a text. No object is one; a secret has one inside, which `==` does not see.
fn same(object: &Object, _: &str) -> Result<bool> {
    match object.0.class() {
        SECRET => Err("a secret is compared by `crypto::equal(text, secret)`, and never by `==`".into()),
        _ => Ok(false),
    }
}

/// Joins a text and an object: to a text, unless the object keeps what it is.
fn joined(object: &Object, text: &str, is_before: bool) -> Dynamic {
    match object.0.joined(text, is_before) {
        Some(object) => Dynamic::from(object),
        None if is_before => format!("{text}{}", object.0.shown()).into(),
        None => format!("{}{text}", object.0.shown()).into(),
    }
}

fn ordered(left: &Object, right: &Object) -> Result<Ordering> {
    let (names, order) = ((left.0.class(), right.0.class()), left.0.compare(&*right.0));
    order.ok_or_else(|| format!("a value of type {} cannot be compared with one of type {}", names.0, names.1).into())
}

/// Returns what can be asked of an object.
fn class_of(object: &Object) -> Result<&'static ObjectClass> {
    super::class(object.0.class()).ok_or_else(|| "nothing can be asked of it".into())
}

fn property(object: &Object, name: &str) -> Result<Dynamic> {
    let class = class_of(object)?;
    match class.properties.iter().find(|property| property.name == name) {
        Some(property) => (property.get)(&*object.0).map_err(|error| thrown(name, error)).and_then(to_rhai),
        None => {
            let names: Vec<_> = class.properties.iter().map(|property| format!("`{}`", property.name)).collect();
            let has = if names.is_empty() { "none".into() } else { names.join(", ") };
            Err(format!("a value of type {} has no property `{name}`; it has {has}", class.name).into())
        }
    }
}

fn registered(host: &'static HostModule) -> Module {
    let mut module = Module::new();
    for function in host.functions {
        for count in function.counts() {
            let call = move |context: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| {
                call(function, host.name, context.as_ref(), arguments)
            };
            set(&mut module, function.name, vec![TypeId::of::<Dynamic>(); count], call);
        }
    }
    module
}

/// The methods of all objects: which of them is meant is known when one is called.
fn methods() -> Module {
    let mut module = Module::new();
    let names: BTreeSet<_> = CLASSES.into_iter().flat_map(|class| class.methods.iter().map(|method| method.name)).collect();
    for name in names {
        let with_name = || CLASSES.into_iter().flat_map(|class| class.methods).filter(move |method| method.name == name);
        for count in with_name().flat_map(HostFunction::counts).collect::<BTreeSet<_>>() {
            let call = move |context: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| {
                let object = arguments[0].read_lock::<Object>().map(|object| object.clone());
                let class = class_of(&object.ok_or("it is called on another value")?)?;
                match class.methods.iter().find(|method| method.name == name && method.counts().contains(&count)) {
                    Some(method) => call(method, class.name, context.as_ref(), arguments),
                    None => Err(format!("a value of type {} has no method `{name}` with {count} argument(s)", class.name).into()),
                }
            };
            let parameters = [TypeId::of::<Object>()].into_iter().chain(vec![TypeId::of::<Dynamic>(); count]).collect();
            set(&mut module, name, parameters, call);
        }
    }
    module
}

fn set(
    module: &mut Module,
    name: &'static str,
    parameters: Vec<TypeId>,
    call: impl Fn(Option<NativeCallContext>, &mut [&mut Dynamic]) -> Result<Dynamic> + Send + Sync + 'static,
) {
    let call = RhaiFunc::Pure { func: Shared::new(call), has_context: true, is_pure: true, is_volatile: false };
    FuncRegistration::new(name).in_internal_namespace().set_into_module_raw(module, parameters, call);
}

/// Calls a function with Rhai's arguments, which are the call's own.
fn call(
    function: &'static HostFunction,
    of: &'static str,
    context: Option<&NativeCallContext>,
    arguments: &mut [&mut Dynamic],
) -> Result<Dynamic> {
    let mut values = <[Value; MAX_ARGUMENTS]>::default();
    for (value, argument) in values.iter_mut().zip(&mut *arguments) {
        *value = from_rhai(argument.take().flatten())?;
    }
    let answered = answer(&mut Call::new(function, of, &mut values[..arguments.len()], Standing::OnThread(context)));
    answered.and_then(to_rhai).map_err(|mut error| {
        // Rhai gives errors of functions of modules no place.
        if let Some(context) = context.filter(|_| error.position().is_none()) {
            error.set_position(context.call_position());
        }
        error
    })
}

/// Has a call answered.
fn answer(call: &mut Call<'_>) -> Result<Value> {
    let name = call.name();
    let is_map = call.is_to_outside();
    call.answer().map_err(|error| thrown(&name, if is_map { as_map(&name, error) } else { error }))
}

/// Makes of an error of a function that reaches something outside a map, as all others of it are.
fn as_map(name: &str, error: HostError) -> HostError {
    match error {
        HostError::Wrong(message) => {
            HostError::Thrown(Value::map([("kind", WRONG_KIND.into()), ("message", format!("`{name}`: {message}").into())]))
        }
        other => other,
    }
}

/// Makes of an error what a script can catch.
fn thrown(name: &str, error: HostError) -> Box<EvalAltResult> {
    match error {
        HostError::Wrong(message) => format!("`{name}`: {message}").into(),
        HostError::Thrown(value) => match to_rhai(value) {
            Ok(value) => EvalAltResult::ErrorRuntime(value, rhai::Position::NONE).into(),
            Err(error) => error,
        },
        HostError::Script(error) => error,
        HostError::Stopped => EvalAltResult::ErrorTerminated(Dynamic::UNIT, rhai::Position::NONE).into(),
    }
}

/// Calls a function for the evaluator, with values that are the call's own.
pub fn by_script(
    function: &'static HostFunction,
    of: &'static str,
    caller: &mut dyn Caller,
    arguments: &mut [own::Value],
) -> Result<own::Value> {
    let mut values = <[Value; MAX_ARGUMENTS]>::default();
    for (value, argument) in values.iter_mut().zip(&mut *arguments) {
        *value = from_own(std::mem::take(argument))?;
    }
    answer(&mut Call::new(function, of, &mut values[..arguments.len()], Standing::OfScript(caller))).and_then(to_own)
}
