//! The constant `ctx` as the engine knows it. It is a mark without content: its properties read the run that stands on the thread.

use std::any::TypeId;

use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, ImmutableString, Module, NativeCallContext, Position, RhaiFunc, Shared};

use super::{
    CTX,
    properties::{OF_CTX, OF_REQUEST, REQUEST},
    running,
};

#[derive(Clone)]
struct Ctx;
#[derive(Clone)]
struct Request;

/// Whether a value stands for `ctx.request`.
pub fn is_request(value: &Dynamic) -> bool {
    value.is::<Request>()
}

/// Makes `ctx` known to an engine.
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
        engine.register_get(name, move |_: &mut Ctx| running(get));
    }
    for (name, get) in OF_REQUEST {
        engine.register_get(name, move |_: &mut Request| running(get));
    }
    engine.register_global_module(no_setters().into());
}

/// Answers Rhai's search for a setter. After a method at the end of a chain, Rhai wants to put back what the method may have changed. It
/// looks for a setter of the property, then for one of all properties. There is nothing to put back.
fn no_setters() -> Module {
    let mut module = Module::new();
    for of in [TypeId::of::<Ctx>(), TypeId::of::<Request>()] {
        let no_setter = RhaiFunc::Method {
            func: Shared::new(|_: Option<NativeCallContext>, _: &mut [&mut Dynamic]| {
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
