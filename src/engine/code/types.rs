//! Which variables are plain numbers.
//!
//! A function has a version for each list of types that it is called with in its file. In a version, a variable that only ever gets whole
//! numbers needs no look at what it holds. The order of statements does not count.

use std::collections::{HashMap, HashSet};

use crate::engine::{
    ir::{
        AssignIn, Block, Call, Chain, Condition, Constant, Expr, FunctionId, Item, Link, LinkKind, Op, Over, Root, Slot, Statement, Switch,
        UnaryOp, Unit,
    },
    own::native,
};

/// The function of Rhai that puts `()` in the place of what it is called on.
const TAKE: &str = "take";

/// What an expression gives, or a variable holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Type {
    /// Nothing: it leaves by `return`, `throw` or an error, or is not known yet.
    #[default]
    Never,
    /// A whole number.
    Int,
    /// A number with a point.
    Float,
    /// A boolean.
    Bool,
    /// Anything.
    Any,
}

impl Type {
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, one) | (one, Self::Never) => one,
            (one, same) if one == same => one,
            _ => Self::Any,
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float)
    }
}

/// The number of a version in [`Types`].
pub type VersionId = usize;

/// A function that is called with arguments of these types.
#[derive(Debug)]
pub struct Version {
    pub function: FunctionId,
    /// What its variables hold, by place. A parameter that gets something else later is more than its argument.
    pub places: Box<[Type]>,
    /// What it gives.
    pub result: Type,
    /// The versions that call it.
    callers: Vec<VersionId>,
}

/// How many versions a function has at most, beside the one for anything.
const MAX_VERSIONS: usize = 8;

/// The versions of all functions of a file.
#[derive(Debug)]
pub struct Types<'u> {
    unit: &'u Unit,
    pub versions: Vec<Version>,
    by_arguments: HashMap<(FunctionId, Box<[Type]>), VersionId>,
    /// How many versions each function has.
    counts: Box<[usize]>,
    /// What can be called as a method and assign to its `this`.
    methods: HashSet<&'u str>,
    /// The versions to look at, again or for the first time.
    open: Vec<VersionId>,
}

impl<'u> Types<'u> {
    /// Finds the versions of a file's functions: each for arguments of any types, and for those of the calls in the file.
    pub fn of(unit: &'u Unit) -> Self {
        let counts = vec![0; unit.functions.len()].into();
        let methods = unit.functions.iter().map(|function| function.name.as_str()).chain(["call", TAKE]).collect();
        let mut types = Self { unit, versions: Vec::new(), by_arguments: HashMap::new(), counts, methods, open: Vec::new() };
        for (function, parameters) in unit.functions.iter().map(|function| function.parameters.len()).enumerate() {
            types.add(function, vec![Type::Any; parameters].into());
        }
        while let Some(version) = types.open.pop() {
            types.look(version);
        }
        types
    }

    /// Whether a method may make something else of what it is called on: a function of the file does by `this`, one of an imported file may.
    /// Rhai's own leave numbers what they are, but for one.
    fn may_assign(&self, name: &str, arguments: usize) -> bool {
        self.methods.contains(name) || self.unit.imports > 0 && native::lookup(name, arguments + 1).is_none()
    }

    /// Returns the version for a call with arguments of these types.
    pub fn version(&self, function: FunctionId, arguments: &[Type]) -> VersionId {
        // The versions for anything are the first.
        self.by_arguments.get(&(function, arguments.into())).copied().unwrap_or(function)
    }

    fn add(&mut self, function: FunctionId, arguments: Box<[Type]>) -> VersionId {
        let declared = &self.unit.functions[function].places;
        let known = arguments.iter().copied().chain(std::iter::repeat(Type::Never));
        let places = declared.iter().zip(known).map(|(place, known)| if place.is_shared { Type::Any } else { known }).collect();
        let id = self.versions.len();
        self.versions.push(Version { function, places, result: Type::Never, callers: Vec::new() });
        self.by_arguments.insert((function, arguments), id);
        self.counts[function] += 1;
        self.open.push(id);
        id
    }

    /// Finds or adds the version that a call asks for. It is not known before its arguments are.
    fn want(&mut self, call: &Call, arguments: Box<[Type]>, caller: VersionId) {
        if arguments.contains(&Type::Never) {
            return;
        }
        let function = call.function;
        let known = self.by_arguments.get(&(function, arguments.clone())).copied();
        let version = match known {
            Some(version) => version,
            None if self.counts[function] > MAX_VERSIONS => function,
            None => self.add(function, arguments),
        };
        let callers = &mut self.versions[version].callers;
        if !callers.contains(&caller) {
            callers.push(caller);
        }
    }

    /// Looks at a version until nothing new is found in it.
    fn look(&mut self, version: VersionId) {
        let body = &self.unit.functions[self.versions[version].function].body;
        let places = std::mem::take(&mut self.versions[version].places);
        let mut look = Look { places, result: self.versions[version].result, version, is_settled: false, types: self };
        while !look.is_settled {
            look.is_settled = true;
            look.block(body);
            let last = look.types.of_block(body, &look.places);
            look.result(last);
        }
        let Look { places, result, .. } = look;
        let version = &mut self.versions[version];
        version.places = places;
        if version.result != result {
            version.result = result;
            self.open.extend(&version.callers);
        }
    }

    /// Returns what an expression gives where the variables are these.
    pub fn of_expr(&self, expr: &Expr, places: &[Type]) -> Type {
        match expr {
            Expr::Constant(Constant::Int(_)) => Type::Int,
            Expr::Constant(Constant::Float(_)) => Type::Float,
            Expr::Constant(Constant::Bool(_)) | Expr::And(_) | Expr::Or(_) => Type::Bool,
            Expr::Variable(variable) => places[variable.slot],
            Expr::Unary(unary) => match (unary.op, self.of_expr(&unary.operand, places)) {
                (_, Type::Never) => Type::Never,
                (UnaryOp::Not, Type::Bool) => Type::Bool,
                (UnaryOp::Minus | UnaryOp::Plus, number) if number.is_number() => number,
                _ => Type::Any,
            },
            Expr::Binary(binary) => operation(binary.op, self.of_expr(&binary.left, places), self.of_expr(&binary.right, places)),
            Expr::Call(call) => {
                let arguments = self.of_arguments(call, places);
                if arguments.contains(&Type::Never) {
                    return Type::Never;
                }
                self.versions[self.version(call.function, &arguments)].result
            }
            Expr::Block(block) => self.of_block(block, places),
            Expr::If(parts) => self.of_block(&parts.then, places).join(self.of_block(&parts.otherwise, places)),
            Expr::Switch(switch) => self.of_switch(switch, places),
            _ => Type::Any,
        }
    }

    fn of_switch(&self, switch: &Switch, places: &[Type]) -> Type {
        let otherwise = if switch.default.is_none() { Type::Any } else { Type::Never };
        switch.arms.iter().fold(otherwise, |joined, arm| joined.join(self.of_expr(&arm.value, places)))
    }

    /// Returns what the arguments of a call are.
    pub fn of_arguments(&self, call: &Call, places: &[Type]) -> Box<[Type]> {
        call.arguments.iter().map(|argument| self.of_expr(argument, places)).collect()
    }

    /// Returns what a block gives.
    pub fn of_block(&self, block: &Block, places: &[Type]) -> Type {
        match block.statements.last() {
            Some(Statement::Expr(value)) => self.of_expr(value, places),
            Some(Statement::Return(_) | Statement::Throw(..) | Statement::Break(_) | Statement::Continue) => Type::Never,
            _ => Type::Any,
        }
    }
}

/// Returns what an operator gives. A type that is not known yet gives none.
pub fn operation(op: Op, left: Type, right: Type) -> Type {
    let (left, right) = match (left, right) {
        (Type::Never, _) | (_, Type::Never) => return Type::Never,
        both => both,
    };
    let numbers = left.is_number() && right.is_number();
    match op {
        Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Remainder | Op::Power if numbers => {
            if left == right {
                left
            } else {
                Type::Float
            }
        }
        Op::ShiftLeft | Op::ShiftRight | Op::And | Op::Or | Op::Xor if (left, right) == (Type::Int, Type::Int) => Type::Int,
        Op::And | Op::Or | Op::Xor if (left, right) == (Type::Bool, Type::Bool) => Type::Bool,
        Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual | Op::Equal | Op::NotEqual if numbers => Type::Bool,
        Op::Equal | Op::NotEqual if (left, right) == (Type::Bool, Type::Bool) => Type::Bool,
        _ => Type::Any,
    }
}

/// One look at a version.
struct Look<'t, 'u> {
    types: &'t mut Types<'u>,
    version: VersionId,
    places: Box<[Type]>,
    result: Type,
    is_settled: bool,
}

impl Look<'_, '_> {
    fn of(&self, expr: &Expr) -> Type {
        self.types.of_expr(expr, &self.places)
    }

    /// Tells that a variable gets a value of this type.
    fn set(&mut self, slot: Slot, of: Type) {
        let joined = self.places[slot].join(of);
        self.is_settled &= joined == self.places[slot];
        self.places[slot] = joined;
    }

    /// Tells that the function gives a value of this type.
    fn result(&mut self, of: Type) {
        let joined = self.result.join(of);
        self.is_settled &= joined == self.result;
        self.result = joined;
    }

    fn block(&mut self, block: &Block) {
        block.statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Nothing | Statement::Continue | Statement::Import(_) => {}
            Statement::Let { slot, value, .. } => {
                self.expr(value);
                self.set(*slot, self.of(value));
            }
            Statement::Assign(assign) => {
                self.expr(&assign.value);
                let value = self.of(&assign.value);
                let changed = assign.op.as_ref().map_or(value, |op| operation(op.op, self.places[assign.slot], value));
                self.set(assign.slot, changed);
            }
            Statement::AssignIn(assign) => self.assign_in(assign),
            Statement::AssignNowhere(assign) => [&assign.value, &assign.target].into_iter().for_each(|part| self.expr(part)),
            Statement::Expr(value) => self.expr(value),
            Statement::While { condition, body } => {
                condition.iter().for_each(|condition| self.condition(condition));
                self.block(body);
            }
            Statement::Do { body, condition, .. } => {
                self.block(body);
                self.condition(condition);
            }
            Statement::For(parts) => {
                let item = match &parts.over {
                    Over::Range { from, to, .. } => {
                        [from, to].into_iter().for_each(|end| self.expr(end));
                        match self.of(from).join(self.of(to)) {
                            Type::Int => Type::Int,
                            Type::Never => Type::Never,
                            _ => Type::Any,
                        }
                    }
                    Over::Value(value) => {
                        self.expr(value);
                        Type::Any
                    }
                };
                self.set(parts.slot, item);
                parts.counter.into_iter().for_each(|counter| self.set(counter, Type::Int));
                self.block(&parts.body);
            }
            Statement::Break(value) | Statement::Throw(value, _) => value.iter().for_each(|value| self.expr(value)),
            Statement::Return(value) => {
                value.iter().for_each(|value| self.expr(value));
                let of = value.as_ref().map_or(Type::Any, |value| self.of(value));
                self.result(of);
            }
            Statement::Try(parts) => {
                self.block(&parts.body);
                parts.caught.into_iter().for_each(|caught| self.set(caught, Type::Any));
                self.block(&parts.handler);
            }
        }
    }

    fn condition(&mut self, condition: &Condition) {
        self.expr(&condition.expr);
    }

    fn exprs(&mut self, exprs: &[Expr]) {
        exprs.iter().for_each(|expr| self.expr(expr));
    }

    fn item(&mut self, item: &Item) {
        self.expr(&item.value);
    }

    /// A part of a number is a bit of it: it stays a number. But Rhai finds that out.
    fn assign_in(&mut self, assign: &AssignIn) {
        self.expr(&assign.value);
        self.chain(&assign.chain);
    }

    fn chain(&mut self, chain: &Chain) {
        for link in &chain.links {
            match &link.kind {
                LinkKind::Property(..) => {}
                LinkKind::Index(index) => self.expr(index),
                LinkKind::Method(_, arguments, _) => self.exprs(arguments),
            }
        }
        match &chain.root {
            // A function of the file may make something else of its `this`; Rhai's own leave numbers what they are.
            Root::Variable(variable) => {
                let may_assign = |link: &Link| match &link.kind {
                    LinkKind::Method(name, arguments, _) => self.types.may_assign(name, arguments.len()),
                    _ => false,
                };
                if chain.links.iter().any(may_assign) {
                    self.set(variable.slot, Type::Any);
                }
            }
            Root::This(_) => {}
            Root::Expr(root) => self.expr(root),
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Constant(_) | Expr::Variable(_) | Expr::This(_) | Expr::ModuleConstant(_) | Expr::Request(_) | Expr::Unknown(_) => {}
            Expr::Text(items) | Expr::List(items) => items.iter().for_each(|item| self.item(item)),
            Expr::Map(entries) => entries.iter().for_each(|(_, item)| self.item(item)),
            Expr::And(conditions) | Expr::Or(conditions) => conditions.iter().for_each(|condition| self.condition(condition)),
            Expr::Coalesce(values) => self.exprs(values),
            Expr::Unary(unary) => self.expr(&unary.operand),
            Expr::Binary(binary) => [&binary.left, &binary.right].into_iter().for_each(|operand| self.expr(operand)),
            Expr::Call(call) => {
                self.exprs(&call.arguments);
                let arguments = self.types.of_arguments(call, &self.places);
                self.types.want(call, arguments, self.version);
            }
            Expr::ModuleCall(call) => self.exprs(&call.arguments),
            Expr::NativeCall(call) => {
                self.exprs(&call.arguments);
                if let (TAKE, Some(Expr::Variable(variable))) = (call.name.as_str(), call.arguments.first()) {
                    self.set(variable.slot, Type::Any);
                }
            }
            Expr::SpecialCall(call) => self.exprs(&call.arguments),
            Expr::Chain(chain) => self.chain(chain),
            Expr::Closure(closure) => self.exprs(&closure.captures),
            Expr::Block(block) => self.block(block),
            Expr::If(parts) => {
                self.condition(&parts.condition);
                self.block(&parts.then);
                self.block(&parts.otherwise);
            }
            Expr::Switch(switch) => {
                self.expr(&switch.on);
                for arm in &switch.arms {
                    arm.condition.iter().for_each(|condition| self.condition(condition));
                    self.expr(&arm.value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::lower::lower;

    /// The versions that are asked for with types, or are all that a function has, with what their variables are.
    fn typed(script: &str) -> String {
        let mut engine = rhai::Engine::new();
        engine.set_optimization_level(rhai::OptimizationLevel::None);
        let unit = lower(&engine.compile(script).unwrap()).unwrap();
        let types = Types::of(&unit);
        let mut lines = Vec::new();
        for (id, version) in types.versions.iter().enumerate() {
            let function = &unit.functions[version.function];
            let places = function.places.iter().zip(&version.places).map(|(place, of)| format!("{}: {of:?}", place.name));
            let name = if function.name.starts_with("anon$") { "||" } else { &function.name };
            let (arguments, _) = types.by_arguments.iter().find(|(_, known)| **known == id).unwrap();
            lines.push(format!("{name}{:?} {} -> {:?}", arguments.1, places.collect::<Vec<_>>().join(", "), version.result));
        }
        lines.join("; ")
    }

    const TYPED: &[(&str, &str)] = &[
        (
            "fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } } fib(22)",
            "fib[Any] n: Any -> Any; []  -> Int; fib[Int] n: Int -> Int",
        ),
        ("let x = 1; x += 2; let y = x; y += 0.5; let z = x * 2.0; x < z", "[] x: Int, y: Any, z: Float -> Bool"),
        (
            "let x = 1; let f = || x; for i in 0..x { } for i in 0..3 { let y = i; } for (a, i) in [] { }",
            "||[Any] x: Any -> Any; [] x: Any, f: Any, i: Any, i: Int, y: Int, i: Int, a: Any -> Any",
        ),
        ("fn f(a) { a = \"t\"; a } f(1); f(1.5)", "f[Any] a: Any -> Any; []  -> Any; f[Int] a: Any -> Any; f[Float] a: Any -> Any"),
        (
            "fn even(n) { if n == 0 { return true; } odd(n - 1) } fn odd(n) { if n == 0 { return false; } even(n - 1) } even(10)",
            "even[Any] n: Any -> Bool; odd[Any] n: Any -> Bool; []  -> Bool; even[Int] n: Int -> Bool; odd[Int] n: Int -> Bool",
        ),
        (
            "fn f() { this = \"t\"; } let x = 1; x.f(); let y = 1; y.abs(); let z = 1; z.set_bit(1, true); let a = 1; a.take(); let b = 1; take(b)",
            "f[]  -> Any; [] x: Any, y: Int, z: Int, a: Any, b: Any -> Any",
        ),
        (
            "let x = if true { 1 } else { throw 1 }; let y = switch x { 1 => 2, _ => 3 }; let z = switch x { 1 => 2 }",
            "[] x: Int, y: Int, z: Any -> Any",
        ),
        (
            "fn f(a, b) { a } f(1, 1); f(1.0, 1); f(true, 1); f((), 1); f(1, 1.0); f(1.0, 1.0); f(true, 1.0); f((), 1.0); f(1, true); f(1.0, true)",
            "f[Any, Any] a: Any, b: Any -> Any; []  -> Any; f[Int, Int] a: Int, b: Int -> Int; f[Float, Int] a: Float, b: Int -> Float; f[Bool, Int] a: Bool, b: Int -> Bool; f[Any, Int] a: Any, b: Int -> Any; f[Int, Float] a: Int, b: Float -> Int; f[Float, Float] a: Float, b: Float -> Float; f[Bool, Float] a: Bool, b: Float -> Bool; f[Any, Float] a: Any, b: Float -> Any",
        ),
    ];

    #[test]
    fn types_are_found() {
        let wrong: String = TYPED
            .iter()
            .filter(|(script, types)| typed(script) != *types)
            .map(|(script, _)| format!("    ({script:?}, {:?}),\n", typed(script)))
            .collect();
        assert!(wrong.is_empty(), "\n{wrong}");
    }
}
