//! What changes a value where it is. The engine knows of each function whether it does, and tells nobody; a test asks it about every one.

use rhai::{ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::{
    chain::{self, Link},
    is_request,
};
use crate::engine::context::properties::BODY;

/// They change it whatever it is.
pub const ALWAYS: [&str; 34] = [
    "append",
    "chop",
    "clear",
    "crop",
    "dedup",
    "drain",
    "fill_with",
    "insert",
    "make_lower",
    "make_upper",
    "mixin",
    "pad",
    "pop",
    "push",
    "remove",
    "replace",
    "retain",
    "reverse",
    "set",
    "set_bit",
    "set_bits",
    "set_tag",
    "shift",
    "sort",
    "sort_by",
    "sort_desc",
    "splice",
    "take",
    "trim",
    "truncate",
    "write_ascii",
    "write_be",
    "write_le",
    "write_utf8",
];

/// What it gives its function as `this` is a part of the value itself.
pub const FOR_EACH: &str = "for_each";

/// Returns the call that would change the request: `ctx.request.body.items.pop()`. What a method returns is the script's own.
pub fn of_request(chain: &Expr) -> Option<(&FnCallExpr, Position)> {
    let (root, links) = chain::take_apart(chain)?;
    let method = links.iter().find_map(|link| match link.node {
        Expr::MethodCall(call, at) if !link.is_index => Some((&**call, *at)),
        _ => None,
    });
    method.filter(|(call, _)| is_request(root) && ALWAYS.contains(&call.name.as_str()))
}

/// Returns whether this may change a value in place without one of these methods. That happens through `this`, or by an assignment to a
/// part of a body that has another name than `ctx.request.body`.
pub fn may_be_in_place(node: &ASTNode<'_>) -> bool {
    let is_body = |link: &Link<'_>| matches!(link.node, Expr::Property(property, _) if property.2 == BODY);
    match node {
        ASTNode::Expr(Expr::ThisPtr(_)) => true,
        ASTNode::Expr(Expr::MethodCall(call, _)) => call.name == FOR_EACH,
        ASTNode::Stmt(Stmt::Assignment(assignment)) => {
            chain::take_apart(&assignment.1.lhs).is_some_and(|(_, links)| links.iter().rev().skip(1).any(is_body))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        any::TypeId,
        collections::BTreeMap,
        ops::{Range, RangeInclusive},
        time::Duration,
    };

    use rhai::{Array, Blob, Dynamic, EvalAltResult, FLOAT, FnPtr, INT, ImmutableString, Map, NativeCallContext, Position};

    use super::*;
    use crate::{
        engine::{
            Engine,
            meter::{self, limits::Allowance},
        },
        function::LimitPolicy,
    };

    /// They change values of some types only, or when their function does so through `this`.
    const SOMETIMES: [&str; 2] = [FOR_EACH, "split"];

    /// Values of a type that scripts have, for a place among the arguments.
    fn samples(of: TypeId, place: usize) -> Vec<Dynamic> {
        #[expect(deprecated, reason = "not deprecated but volatile, as their notes say; the version is pinned")]
        let function = |answer: bool| Dynamic::from(FnPtr::from_fn("answer", move |_, _| Ok(answer.into())).unwrap());
        let is_first = place == 0;
        let text = || {
            Dynamic::from(if is_first {
                " aB b"
            } else if place == 1 {
                "b"
            } else {
                "c"
            })
        };
        let number = if is_first { vec![1.into()] } else { vec![0.into(), 1.into(), 30.into()] };
        let samples: [(TypeId, Vec<Dynamic>); 13] = [
            (TypeId::of::<ImmutableString>(), vec![text()]),
            (TypeId::of::<&str>(), vec![text()]),
            (TypeId::of::<Array>(), vec![Dynamic::from_array(vec![1.into(), 3.into(), 1.into(), 1.into()])]),
            (TypeId::of::<Map>(), vec![Dynamic::from_map(Map::from([(if is_first { "b" } else { "c" }.into(), 1.into())]))]),
            (TypeId::of::<Blob>(), vec![Dynamic::from_blob(vec![1, 2, 2, 3, 4, 5, 6, 7, 8, 9])]),
            (TypeId::of::<INT>(), number),
            (TypeId::of::<FLOAT>(), vec![Dynamic::from_float(1.5)]),
            (TypeId::of::<bool>(), vec![true.into(), false.into()]),
            (TypeId::of::<char>(), vec![if is_first { 'B' } else { 'x' }.into()]),
            (TypeId::of::<FnPtr>(), vec![function(true), function(false)]),
            (TypeId::of::<Range<INT>>(), vec![Dynamic::from(0..1_i64)]),
            (TypeId::of::<RangeInclusive<INT>>(), vec![Dynamic::from(0..=1_i64)]),
            (TypeId::of::<Dynamic>(), vec![2.into()]),
        ];
        // Nobody's request holds a range.
        let is_received = !is_first || ![TypeId::of::<Range<INT>>(), TypeId::of::<RangeInclusive<INT>>()].contains(&of);
        samples.into_iter().find(|(known, _)| *known == of && is_received).map(|(_, values)| values).unwrap_or_default()
    }

    /// Every list of arguments of these types.
    fn arguments(parameters: &[TypeId]) -> Vec<Vec<Dynamic>> {
        parameters.iter().enumerate().fold(vec![Vec::new()], |lists, (place, parameter)| {
            let samples = samples(*parameter, place);
            lists.iter().flat_map(|list| samples.iter().map(|sample| [&list[..], std::slice::from_ref(sample)].concat())).collect()
        })
    }

    /// What was seen of a method, in all its forms.
    #[derive(Default, Debug)]
    struct Behaviour {
        /// Some form is refused on a constant.
        refused: bool,
        /// Some is not.
        taken: bool,
        /// Some changes what it is called on.
        changes: bool,
    }

    #[test]
    fn every_method_is_known_to_change_or_to_read() {
        meter::start(&Allowance { time: Duration::from_secs(600), operations: u64::MAX, memory: 1 << 30, cancel: None, cpu: None });
        let engine = Engine::new(LimitPolicy::default());
        let class = engine.class(&engine.policy().default).unwrap();
        let global = class.rhai.new_global_runtime_state();
        let mut methods: BTreeMap<String, Behaviour> = BTreeMap::new();
        for (name, parameters) in engine.functions() {
            if !name.starts_with(|first: char| first.is_ascii_lowercase()) || name.contains(['$', ':']) || parameters.is_empty() {
                continue;
            }
            for values in arguments(&parameters) {
                let call = |values: &mut Vec<Dynamic>| {
                    let context = NativeCallContext::from((&class.rhai, name.as_str(), None, &global, Position::NONE));
                    context.call_native_fn_raw(name.as_str(), true, &mut values.iter_mut().collect::<Vec<_>>())
                };
                let mut fixed = values.clone();
                fixed[0] = fixed[0].clone().into_read_only();
                let refused = matches!(call(&mut fixed), Err(why) if matches!(*why, EvalAltResult::ErrorNonPureMethodCallOnConstant(..)));
                let mut called = values.clone();
                let _ = call(&mut called);
                let changes = format!("{:?}", called[0]) != format!("{:?}", values[0]) || called[0].tag() != values[0].tag();
                assert!(refused || !changes, "`{name}` changes a constant, as of {values:?}");
                let behaviour = methods.entry(name.clone()).or_default();
                behaviour.refused |= refused;
                behaviour.taken |= !refused;
                behaviour.changes |= changes;
            }
        }
        assert!(methods.len() > 100, "{}", methods.len());
        let names = |which: fn(&Behaviour) -> bool| {
            methods.iter().filter(|(_, behaviour)| which(behaviour)).map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        let mut known: Vec<_> = ALWAYS.into_iter().chain(SOMETIMES).collect();
        known.sort_unstable();
        assert_eq!(names(|method| method.refused), known, "these change what they are called on");
        assert_eq!(names(|method| method.refused && method.taken), ["split"], "these change it at times");
        // Not everything that `for_each` calls can be tried here.
        assert_eq!(names(|method| method.refused && !method.changes), [FOR_EACH], "these are refused, and only read");
    }
}
