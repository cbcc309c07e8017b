//! Every function beside Rhai's, or ours that replaces it: the result, the receiver afterwards, the error.

use std::time::Duration;

use rhai::{AST, Array, Dynamic, NativeCallContext, Scope};

use super::*;
use crate::{
    engine::{class::Class, meter::limits::Allowance, own::limits, value::sizes::Sizes},
    function::LimitPolicy,
};

/// Values of all types, and functions with none to three parameters. Among the texts are names and numbers, among the numbers edges.
const VALUES: &str = r#"
let factor = 2;
[
    (), true, false, 0, 1, 2, -1, -3, 7, 9223372036854775807, -9223372036854775807 - 1, 2.5, -0.0, 1e300,
    'b', 'é', 'ß', "", " ", "b", "aéb b", " Ab,c,,d ", "12", "-2.5e1", "[1, {\"a\": null}]", "{", "a text that is longer than fourteen bytes",
    [], [()], [3, 1, 2], [2, 2, 1, 1, 2], [1.5, 0.5], ["b", "a", "b"], ['b', 'a'], [true, false], [1, 'a', "x", 1.5, [2], #{a: 'c'}, blob(2)],
    [[1], [2, 3]], [1, 2.0, 3],
    #{}, #{a: 1, "b c": ["q\""], d: #{e: ()}}, #{b: 2, a: 3}, blob(), blob(3, 65), "aé".to_blob(), 0..2, 1..=1, -1..5, 2..0,
    || this, |x| x > 1, |x, y| x == y, |x, y, z| [x, y, z], |x| x * factor, |x| throw x, |x, y| if x == y { 0 } else if x < y { 1 } else { -1 },
    || { this = [this]; true }, |a, x| { a + x }, |key, value| key == "a", Fn("abs"), Fn("nothing")
]
"#;

/// Calls functions as Rhai does.
struct RhaiCaller<'a, 'b>(&'a NativeCallContext<'b>);

impl Caller for RhaiCaller<'_, '_> {
    fn call(&mut self, function: &Value, this: Option<&mut Value>, arguments: &mut [Value]) -> Result<Value, Failure> {
        let function = function.to_rhai().cast::<rhai::FnPtr>();
        with_this(this, |this| function.call_raw(self.0, this, taken(arguments)))
    }

    fn visit(&mut self, visit: Visit<'_>) -> Result<Value, Failure> {
        let Visit { native, function, this, arguments, index, this_at } = visit;
        let function = function.to_rhai().cast::<rhai::FnPtr>();
        let mut arguments = taken(arguments);
        with_this(this, |this| match (&mut arguments[..], index) {
            ([], Some(index)) => function.call_raw_with_extra_args(native, self.0, this, [], [index.into()], this_at),
            ([one], Some(index)) => function.call_raw_with_extra_args(native, self.0, this, [one.take()], [index.into()], this_at),
            ([one], None) => function.call_raw_with_extra_args(native, self.0, this, [one.take()], [], this_at),
            ([one, other], Some(index)) => {
                function.call_raw_with_extra_args(native, self.0, this, [one.take(), other.take()], [index.into()], this_at)
            }
            _ => panic!("nothing calls so"),
        })
    }
}

fn taken(arguments: &mut [Value]) -> Vec<Dynamic> {
    arguments.iter_mut().map(|argument| std::mem::take(argument).into_rhai()).collect()
}

fn with_this(this: Option<&mut Value>, call: impl FnOnce(Option<&mut Dynamic>) -> Result<Dynamic, Failure>) -> Result<Value, Failure> {
    let Some(place) = this else { return call(None).map(Value::of) };
    let (mut this, before) = (place.to_rhai(), place.to_rhai());
    let result = call(Some(&mut this));
    if format!("{this:?}") != format!("{before:?}") {
        *place = Value::of(this);
    }
    result.map(Value::of)
}

/// What a call gave: its result or its error, and the receiver.
type Outcome = (Result<String, String>, String);

fn shown(value: &Dynamic) -> String {
    // Pointers to functions come back from our values in another form.
    let value = Value::of(value.clone()).into_rhai();
    format!("{}: {value:?}", value.type_name())
}

fn outcome(result: Result<Dynamic, Failure>, receiver: &Dynamic) -> Outcome {
    let result = result.map(|value| shown(&value)).map_err(|mut error| {
        error.clear_position();
        error.to_string()
    });
    (result, shown(receiver))
}

fn ours(context: &NativeCallContext, name: &str, receiver: &Dynamic, arguments: &[Dynamic]) -> Option<Outcome> {
    let (mut this, mut arguments): (_, Vec<_>) = (Value::of(receiver.clone()), arguments.iter().cloned().map(Value::of).collect());
    let method = lookup(name, arguments.len() + 1)?.of(&this)?;
    let mut caller = RhaiCaller(context);
    let result = (method.run)(&mut caller, &mut this, &mut arguments);
    let (counted, after) = (this.sizes(), this.to_rhai());
    assert_eq!(counted, Value::of(after.clone()).sizes(), "the sizes of what `{name}` leaves");
    let unchanged = || shown(&after) == shown(receiver);
    match result {
        Ok(None) => {
            assert!(unchanged(), "`{name}` changes what it is not for");
            None
        }
        Ok(Some(value)) => {
            assert!(!matches!(method.effect, Effect::Reads | Effect::Holds) || unchanged(), "`{name}` changes what it reads");
            Some(outcome(Ok(value.to_rhai()), &after))
        }
        Err(error) => Some(outcome(Err(error), &after)),
    }
}

fn theirs(context: &NativeCallContext, ast: &AST, receiver: &Dynamic, arguments: &[Dynamic]) -> Outcome {
    let mut scope = Scope::new();
    scope.push_dynamic("v", receiver.clone());
    let result = call(context, ast, &mut scope, arguments);
    outcome(result, &scope.get_value::<Dynamic>("v").unwrap())
}

fn call(context: &NativeCallContext, ast: &AST, scope: &mut Scope, arguments: &[Dynamic]) -> Result<Dynamic, Failure> {
    for (number, argument) in arguments.iter().enumerate() {
        scope.push_dynamic(format!("a{number}"), argument.clone());
    }
    context.engine().eval_ast_with_scope(scope, ast)
}

/// Whether Rhai refuses a call on a constant.
fn is_refused(context: &NativeCallContext, ast: &AST, receiver: &Dynamic, arguments: &[Dynamic]) -> bool {
    let mut scope = Scope::new();
    scope.push_constant_dynamic("v", receiver.clone());
    let result = call(context, ast, &mut scope, arguments);
    result.is_err_and(|error| matches!(*error, EvalAltResult::ErrorNonPureMethodCallOnConstant(..)))
}

/// Whether a value has this property, as Rhai sees it.
fn has_property(context: &NativeCallContext, receiver: &Dynamic, name: &str) -> bool {
    let ast = context.engine().compile(format!("v.{name}")).unwrap();
    let mut scope = Scope::new();
    scope.push_dynamic("v", receiver.clone());
    call(context, &ast, &mut scope, &[]).is_ok()
}

/// Calls with all lists of so many of these values.
fn for_each_list(values: &[Dynamic], count: usize, list: &mut Vec<Dynamic>, call: &mut impl FnMut(&[Dynamic])) {
    if list.len() == count {
        return call(list);
    }
    for value in values {
        list.push(value.clone());
        for_each_list(values, count, list, call);
        list.pop();
    }
}

fn compare(context: &NativeCallContext, functions: &AST, values: &[Dynamic]) -> Result<usize, Failure> {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (count, natives) in NATIVES.iter().enumerate() {
        for name in natives.keys() {
            let names: Vec<_> = (1..count).map(|number| format!("a{}", number - 1)).collect();
            let call = context.engine().compile(format!("v.{name}({})", names.join(", ")))?;
            let ast = functions.clone_functions_only().merge(&call);
            let mut seen = [false; KINDS];
            for receiver in values {
                let value = Value::of(receiver.clone());
                let Some(method) = natives[name].of(&value) else { continue };
                let is_map = matches!(value, Value::Map(_));
                if !is_map && count == 1 && has_property(context, receiver, name) != method.is_property {
                    wrong.push(format!("{receiver:?}.{name} as a property: it is one for us: {}", method.is_property));
                }
                let kind = kind(&value).unwrap();
                // Of the many lists of two and three, some.
                let mut turn = 0;
                for_each_list(values, count - 1, &mut Vec::new(), &mut |arguments| {
                    turn += 1;
                    if turn % [1, 1, 1, 3, 29][count] > 0 {
                        return;
                    }
                    let Some(ours) = ours(context, name, receiver, arguments) else { return };
                    compared += 1;
                    if !std::mem::replace(&mut seen[kind], true) {
                        let is_refused = is_refused(context, &ast, receiver, arguments);
                        if (method.effect == Effect::Changes) != is_refused {
                            wrong.push(format!("{receiver:?}.{name}({arguments:?}) on a constant: refused is {is_refused}"));
                        }
                    }
                    let theirs = theirs(context, &ast, receiver, arguments);
                    if ours != theirs && wrong.len() < 100 {
                        wrong.push(format!("{receiver:?}.{name}({arguments:?})\n   ours: {ours:?}\n theirs: {theirs:?}"));
                    }
                });
            }
            for (kind, method) in natives[name].methods.iter().enumerate() {
                if seen[kind] != method.is_some() {
                    wrong.push(format!("`{name}` with {count} arguments is never compared for type {kind}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(compared)
}

#[test]
fn they_do_what_rhai_does() {
    meter::start(&Allowance { time: Duration::from_secs(600), operations: u64::MAX, memory: 1 << 30, cancel: None, cpu: None });
    let mut engine = Class::new(&LimitPolicy::default().default).rhai;
    engine.set_strict_variables(false);
    limits::allow(Sizes::allowed_in(&engine));
    let ast = engine.compile(VALUES).unwrap();
    let functions = ast.clone_functions_only();
    engine.register_fn("compare", move |context: NativeCallContext, values: Array| {
        compare(&context, &functions, &values).map(|compared| assert!(compared > 20_000, "only {compared} calls were compared"))
    });
    // Where the methods stand that it is compared with: errors inside of closures have that place.
    let call = engine.compile("  compare(values)").unwrap();
    let mut scope = Scope::new();
    scope.push("values", engine.eval_ast::<Array>(&ast).unwrap());
    engine.eval_ast_with_scope::<()>(&mut scope, &ast.clone_functions_only().merge(&call)).unwrap();
}
