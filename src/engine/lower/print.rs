//! The lowered tree as text, for tests.

use std::fmt::Write;

use crate::engine::ir::{
    Block, Chain, Condition, Constant, Expr, Function, Item, LinkKind, OpAssign, Over, Root, Statement, Unit, Variable,
};

/// Prints a unit: its functions, then what stands outside of them.
pub fn print(unit: &Unit) -> String {
    let mut out = String::new();
    for function in &unit.functions {
        let mut printer = Printer { unit, function };
        if !function.name.is_empty() {
            let this = function.this_type.as_ref().map(|of| format!("{of}.")).unwrap_or_default();
            let places: Vec<_> = (0..function.parameters.len()).map(|slot| printer.place(slot)).collect();
            let _ = write!(out, "fn {this}{}({}) ", printer.name(&function.name), places.join(", "));
        }
        let _ = writeln!(out, "{}", printer.block(&function.body));
    }
    out
}

struct Printer<'a> {
    unit: &'a Unit,
    function: &'a Function,
}

impl Printer<'_> {
    /// Closures are named by their number: their names are hashes.
    fn name(&self, name: &str) -> String {
        match self.unit.functions.iter().position(|function| function.name == name) {
            Some(id) if name.starts_with("anon$") => format!("anon{id}"),
            _ => name.into(),
        }
    }

    /// A variable and its place; `*` if it is shared, `!` if it is constant.
    fn place(&self, slot: usize) -> String {
        let place = &self.function.places[slot];
        format!("{}@{slot}{}{}", place.name, if place.is_shared { "*" } else { "" }, if place.is_constant { "!" } else { "" })
    }

    fn variable(&self, variable: &Variable) -> String {
        self.place(variable.slot)
    }

    fn block(&mut self, block: &Block) -> String {
        let statements: Vec<_> = block.statements.iter().map(|statement| self.statement(statement)).collect();
        format!("{{{}}}", statements.join("; "))
    }

    fn maybe(&mut self, value: &Option<Expr>) -> String {
        value.as_ref().map(|value| format!(" {}", self.expr(value))).unwrap_or_default()
    }

    fn op(op: &Option<OpAssign>) -> String {
        op.as_ref().map(|op| format!("{:?}=", op.op)).unwrap_or_else(|| "=".into())
    }

    fn statement(&mut self, statement: &Statement) -> String {
        match statement {
            Statement::Nothing => "-".into(),
            Statement::Let { slot, value, is_global } => {
                format!("{} {} = {}", if *is_global { "global" } else { "let" }, self.place(*slot), self.expr(value))
            }
            Statement::Assign(assign) => format!("{} {} {}", self.place(assign.slot), Self::op(&assign.op), self.expr(&assign.value)),
            Statement::AssignIn(assign) => {
                format!(
                    "{} {} {} by {}",
                    self.chain(&assign.chain),
                    Self::op(&assign.op),
                    self.expr(&assign.value),
                    statement_node(&assign.node)
                )
            }
            Statement::AssignNowhere(assign) => format!("{} =! {}", self.expr(&assign.target), self.expr(&assign.value)),
            Statement::Expr(value) => self.expr(value),
            Statement::While { condition, body } => {
                let condition = condition.as_ref().map(|condition| self.condition(condition)).unwrap_or_default();
                format!("while({condition}) {}", self.block(body))
            }
            Statement::Do { body, condition, until } => {
                format!("do {} {}({})", self.block(body), if *until { "until" } else { "while" }, self.condition(condition))
            }
            Statement::For(parts) => {
                let counter = parts.counter.map(|slot| format!(", {}", self.place(slot))).unwrap_or_default();
                let over = match &parts.over {
                    Over::Range { from, to, is_inclusive, .. } => {
                        format!("{}..{}{}", self.expr(from), if *is_inclusive { "=" } else { "" }, self.expr(to))
                    }
                    Over::Value(value) => self.expr(value),
                };
                format!("for({}{counter} in {over}) {}", self.place(parts.slot), self.block(&parts.body))
            }
            Statement::Break(value) => format!("break{}", self.maybe(value)),
            Statement::Continue => "continue".into(),
            Statement::Return(value) => format!("return{}", self.maybe(value)),
            Statement::Throw(value, _) => format!("throw{}", self.maybe(value)),
            Statement::Try(parts) => {
                let caught = parts.caught.map(|slot| format!("({})", self.place(slot))).unwrap_or_default();
                format!("try {} catch{caught} {}", self.block(&parts.body), self.block(&parts.handler))
            }
            Statement::Import(import) => format!("import {} as #{}", import.path, import.id),
        }
    }

    fn condition(&mut self, condition: &Condition) -> String {
        self.expr(&condition.expr)
    }

    fn list(&mut self, values: &[Expr]) -> String {
        let values: Vec<_> = values.iter().map(|value| self.expr(value)).collect();
        values.join(", ")
    }

    fn items(&mut self, items: &[Item]) -> String {
        let items: Vec<_> = items.iter().map(|item| self.expr(&item.value)).collect();
        items.join(", ")
    }

    fn conditions(&mut self, conditions: &[Condition]) -> String {
        let conditions: Vec<_> = conditions.iter().map(|condition| self.condition(condition)).collect();
        conditions.join(", ")
    }

    fn chain(&mut self, chain: &Chain) -> String {
        let mut out = match &chain.root {
            Root::Variable(variable) => self.variable(variable),
            Root::This(_) => "this".into(),
            Root::Expr(value) => format!("({})", self.expr(value)),
        };
        for link in &chain.links {
            out += if link.is_optional { "?" } else { "" };
            out += &match &link.kind {
                LinkKind::Property(name) => format!(".{name}"),
                LinkKind::Index(index) => format!("[{}]", self.expr(index)),
                LinkKind::Method(name, arguments, _) => format!(".{name}({})", self.list(arguments)),
            };
        }
        out
    }

    fn expr(&mut self, value: &Expr) -> String {
        match value {
            Expr::Constant(Constant::Function(id)) => format!("&{}", self.name(&self.unit.functions[*id].name)),
            Expr::Constant(constant) => match constant {
                Constant::Unit => "()".into(),
                Constant::Bool(value) => format!("{value}"),
                Constant::Int(value) => format!("{value}"),
                Constant::Float(value) => format!("{value:?}"),
                Constant::Char(value) => format!("{value:?}"),
                Constant::Text(value) => format!("{value:?}"),
                other => format!("{other:?}"),
            },
            Expr::Variable(variable) => self.variable(variable),
            Expr::This(_) => "this".into(),
            Expr::ModuleConstant(of) => format!("{}::{}", of.import.map(|id| format!("#{id}")).unwrap_or("global".into()), of.name),
            Expr::Request(request) => {
                ["ctx"].into_iter().chain(request.names.iter().map(|name| name.as_str())).collect::<Vec<_>>().join("/")
            }
            Expr::Unknown(node) => format!("rhai {node:?}"),
            Expr::Text(items) => format!("text[{}]", self.items(items)),
            Expr::List(items) => format!("[{}]", self.items(items)),
            Expr::Map(entries) => {
                let entries: Vec<_> = entries.iter().map(|(key, item)| format!("{key}: {}", self.expr(&item.value))).collect();
                format!("#[{}]", entries.join(", "))
            }
            Expr::And(conditions) => format!("and({})", self.conditions(conditions)),
            Expr::Or(conditions) => format!("or({})", self.conditions(conditions)),
            Expr::Coalesce(values) => format!("first({})", self.list(values)),
            Expr::Unary(unary) => format!("{:?}({})", unary.op, self.expr(&unary.operand)),
            Expr::Binary(binary) => format!("{:?}({}, {})", binary.op, self.expr(&binary.left), self.expr(&binary.right)),
            Expr::Call(call) => format!("{}({})", self.unit.functions[call.function].name, self.list(&call.arguments)),
            Expr::ModuleCall(call) => {
                let import = call.import.map(|id| format!("#{id} ")).unwrap_or_default();
                format!("{import}{}::{}({})", call.path.join("::"), call.name, self.list(&call.arguments))
            }
            Expr::NativeCall(call) => format!("~{}({})", call.name, self.list(&call.arguments)),
            Expr::SpecialCall(call) => format!("!{}({})", call.name, self.list(&call.arguments)),
            Expr::Chain(chain) => self.chain(chain),
            Expr::Closure(closure) => {
                format!("&{}({})", self.name(&self.unit.functions[closure.function].name), self.list(&closure.captures))
            }
            Expr::Block(block) => self.block(block),
            Expr::If(parts) => {
                format!("if({}) {} {}", self.condition(&parts.condition), self.block(&parts.then), self.block(&parts.otherwise))
            }
            Expr::Switch(switch) => {
                let arms: Vec<_> = switch
                    .arms
                    .iter()
                    .enumerate()
                    .map(|(number, arm)| {
                        let hashed = switch.cases.iter().filter(|(_, arms)| arms.contains(&number)).count();
                        let ranges = switch.ranges.iter().filter(|range| range.index() == number).map(|range| format!("{range:?}"));
                        let mut cases: Vec<String> = ranges.filter_map(|range| Some(range.split_once(' ')?.0.to_string())).collect();
                        // A range is hashed, too.
                        cases.extend(std::iter::repeat_n("#".to_string(), hashed - cases.len()));
                        if switch.default == Some(number) {
                            cases.push("_".into());
                        }
                        let condition =
                            arm.condition.as_ref().map(|condition| format!(" if {}", self.condition(condition))).unwrap_or_default();
                        format!("{}{condition} => {}", cases.join("|"), self.expr(&arm.value))
                    })
                    .collect();
                format!("switch({}) [{}]", self.expr(&switch.on), arms.join(", "))
            }
        }
    }
}

/// Prints an assignment of Rhai's tree, without places.
fn statement_node(node: &rhai::Stmt) -> String {
    let rhai::Stmt::Assignment(parts) = node else { return format!("{node:?}") };
    format!("{} = {}", node_text(&parts.1.lhs), node_text(&parts.1.rhs))
}

fn node_text(node: &rhai::Expr) -> String {
    match node {
        rhai::Expr::Variable(variable, ..) => variable.1.to_string(),
        rhai::Expr::Property(property, _) => property.2.to_string(),
        rhai::Expr::Dot(parts, ..) => format!("{}.{}", node_text(&parts.lhs), node_text(&parts.rhs)),
        rhai::Expr::Index(parts, ..) => format!("{}[{}]", node_text(&parts.lhs), node_text(&parts.rhs)),
        other => format!("{other:?}"),
    }
}
