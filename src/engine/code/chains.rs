//! Chains: `root.key[index].method(…)`, read and assigned to.
//!
//! A chain is evaluated as Rhai does it: first all indexes and arguments, from left to right, then the root, then link by link.

use rhai::{Position, Stmt};
use smallvec::SmallVec;

use super::{
    Compiler, Ex,
    links::{Assignment, Link, Method, Step},
    machine::bound,
    walk::{Walk, is_body_constant},
};
use crate::engine::{
    context::reading::Reading,
    ir,
    own::{Key, Value, native},
};

/// The values of indexes and arguments.
pub(super) type Operands = SmallVec<[Value; 4]>;

/// Where a chain begins.
enum Root {
    Place {
        slot: usize,
        is_constant: bool,
    },
    This(Position),
    Expr(Ex),
    /// Of the request. Its body may be a constant; a closure has `ctx` at a place, which its own closures capture.
    Request {
        value: Ex,
        is_body: bool,
        captured: Option<usize>,
    },
    /// A constant of a module.
    Constant(Ex),
}

impl Compiler<'_> {
    /// Reads what a chain leads to, or calls the method at its end.
    pub fn chain(&mut self, chain: &ir::Chain) -> Ex {
        let (operands, links) = (self.operands(&chain.links), self.links(&chain.links, false));
        let root = self.root(&chain.root);
        if let (Root::Place { slot, .. }, Some(keys)) = (&root, keys(&links)) {
            let (slot, size) = (*slot, self.frame);
            return Box::new(move |machine, code, frame| {
                if let Some(value) = read(&frame[slot], &keys) {
                    return Ok(value.clone());
                }
                let (own, free) = frame.split_at_mut(size);
                Walk::new(machine, code, free).at_place(&mut own[slot], &links, &mut [])
            });
        }
        self.walk(root, operands, links, None)
    }

    /// Assigns to what a chain leads to.
    pub fn assign_in(&mut self, assign: &ir::AssignIn) -> Ex {
        let value = self.expr(&assign.value);
        let (operands, links) = (self.operands(&assign.chain.links), self.links(&assign.chain.links, true));
        let root = self.root(&assign.chain.root);
        let (name, root_position) = match &assign.chain.root {
            ir::Root::Variable(variable) => (self.places[variable.slot].name.clone(), variable.position),
            ir::Root::This(position) => ("".into(), *position),
            ir::Root::Expr(ir::Expr::ModuleConstant(constant)) => (constant.name.clone(), constant.node.start_position()),
            ir::Root::Expr(_) => ("".into(), Position::NONE),
        };
        let position = match &*assign.node {
            Stmt::Assignment(assignment) => assignment.0.position(),
            _ => Position::NONE,
        };
        let assignment = Assignment { op: assign.op.clone(), position, name, root_position, node: assign.node.clone() };
        let value = match &root {
            // Rhai asks whether there is one before it evaluates anything.
            Root::This(position) if links.is_empty() => self.bound_before(*position, value),
            _ => value,
        };
        self.walk(root, operands, links, Some((value, assignment)))
    }

    fn walk(&mut self, root: Root, operands: Box<[Ex]>, links: Box<[Link]>, assign: Option<(Ex, Assignment)>) -> Ex {
        let (size, this) = (self.frame, self.this);
        Box::new(move |machine, code, frame| {
            let assign = match &assign {
                Some((value, assignment)) => Some((value(machine, code, frame)?.flatten(), assignment)),
                None => None,
            };
            let mut values = Operands::new();
            for operand in &operands {
                values.push(operand(machine, code, frame)?.flatten());
            }
            let (place, is_constant) = match &root {
                Root::Place { slot, is_constant } => (*slot, *is_constant),
                Root::This(position) => {
                    bound(frame, this, *position)?;
                    (this, matches!(frame[this + 1], Value::Bool(false)))
                }
                Root::Expr(root) => {
                    let mut value = root(machine, code, frame)?.flatten();
                    let mut walk = Walk { assign, ..Walk::new(machine, code, &mut frame[size..]) };
                    return walk.follow(&mut value, &links, &mut values, false);
                }
                Root::Constant(root) => {
                    let mut value = root(machine, code, frame)?;
                    let mut walk = Walk { assign, is_constant: true, ..Walk::new(machine, code, &mut frame[size..]) };
                    return walk.follow(&mut value, &links, &mut values, true);
                }
                Root::Request { value, is_body, captured } => {
                    let mut value = value(machine, code, frame)?;
                    let held = match captured.map(|slot| &frame[slot]) {
                        Some(Value::Shared(shared)) => Some(shared.clone()),
                        _ => None,
                    };
                    let is_constant = *is_body && is_body_constant();
                    let mut walk = Walk { assign, is_constant, ..Walk::new(machine, code, &mut frame[size..]) };
                    return match held {
                        Some(shared) => walk.holding(&shared, |walk| walk.follow(&mut value, &links, &mut values, true)),
                        None => walk.follow(&mut value, &links, &mut values, true),
                    };
                }
            };
            let (own, free) = frame.split_at_mut(size);
            let mut walk = Walk { assign, is_constant, ..Walk::new(machine, code, free) };
            walk.at_place(&mut own[place], &links, &mut values)
        })
    }

    /// Makes closures of the indexes and arguments of links, in their order.
    fn operands(&mut self, links: &[ir::Link]) -> Box<[Ex]> {
        let mut operands = Vec::new();
        for link in links {
            match &link.kind {
                ir::LinkKind::Property(..) => {}
                ir::LinkKind::Index(index) => operands.push(self.expr(index)),
                ir::LinkKind::Method(_, arguments, _) => operands.extend(arguments.iter().map(|argument| self.expr(argument))),
            }
        }
        operands.into()
    }

    fn links(&mut self, links: &[ir::Link], is_assigned: bool) -> Box<[Link]> {
        let mut below = is_assigned;
        let mut built: Vec<Link> = Vec::with_capacity(links.len());
        for link in links.iter().rev() {
            let step = match &link.kind {
                ir::LinkKind::Property(name) => Step::Property { key: Key::new(name), getter: native::lookup(name, 1) },
                ir::LinkKind::Index(..) => Step::Index,
                ir::LinkKind::Method(name, arguments, position) => {
                    let method = Method::new(self.unit, name, arguments.len(), *position);
                    below = method.may_change;
                    Step::Method(Box::new(method))
                }
            };
            built.push(Link { step, is_optional: link.is_optional, changes: below, node: link.node.clone() });
        }
        built.reverse();
        built.into()
    }

    fn root(&mut self, root: &ir::Root) -> Root {
        match root {
            ir::Root::Variable(variable) => Root::Place { slot: variable.slot, is_constant: self.places[variable.slot].is_constant },
            ir::Root::This(position) => {
                self.has_this = true;
                Root::This(*position)
            }
            ir::Root::Expr(ir::Expr::Request(request)) => Root::Request {
                value: self.request(request),
                is_body: Reading::of(&request.names).is_some_and(|(reading, _)| reading.is_body()),
                captured: self.captured_request(),
            },
            ir::Root::Expr(ir::Expr::ModuleConstant(constant)) => Root::Constant(self.module_constant(constant)),
            ir::Root::Expr(root) => Root::Expr(self.expr(root)),
        }
    }
}

/// Returns the properties that links read, if they do nothing else; `true`: what it is asked of may be `()`.
fn keys(links: &[Link]) -> Option<Box<[(Key, bool)]>> {
    let key = |link: &Link| match &link.step {
        Step::Property { key, .. } => Some((key.clone(), link.is_optional)),
        _ => None,
    };
    links.iter().map(key).collect()
}

/// Reads properties of maps; none: something is no map.
#[inline]
fn read<'a>(mut value: &'a Value, keys: &[(Key, bool)]) -> Option<&'a Value> {
    for (key, is_optional) in keys {
        value = match value {
            Value::Map(map) => map.find(key).unwrap_or(&Value::Unit),
            Value::Unit if *is_optional => return Some(value),
            _ => return None,
        };
    }
    Some(value)
}
