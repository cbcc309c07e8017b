//! From Rhai's syntax tree to the one of [`ir`](super::ir): variables get places, and calls the functions that they mean.

mod calls;
mod chains;
mod expressions;
mod nodes;
mod request;
mod scope;
mod statements;

#[cfg(test)]
mod print;
#[cfg(test)]
mod tests;

use rhai::{AST, ASTNode, Expr, FnAccess, ImmutableString, Module, Position, ScriptFuncDef, Shared, Stmt};

use super::ir::{Block, Function, FunctionId, Slot, Unit};
use scope::{Captures, Imports, Scope};

/// Why a file runs in Rhai as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The path of an `import` is none that is written there.
    ImportPath,
    /// Two imports have one alias, and something asks for it.
    ImportTwice,
    /// `f!()`, `eval`, `is_def_var`: they see variables by name.
    Scope,
    /// More variables at one moment than a script may have.
    Variables,
    /// A closure that captures a constant here and a variable there.
    Capture,
    /// Syntax that is not Rhai's own.
    Syntax,
}

type Lowered<T> = Result<T, Reason>;

/// Lowers one file; none: it runs in Rhai as a whole.
pub fn lower(ast: &AST) -> Option<Unit> {
    try_lower(ast).ok()
}

fn try_lower(ast: &AST) -> Lowered<Unit> {
    let mut definitions: Vec<&Shared<ScriptFuncDef>> = ast.iter_fn_def().collect();
    definitions.sort_unstable_by(|one, other| key(one).cmp(&key(other)).then_with(|| place(one).cmp(&place(other))));
    let mut file = File {
        requests: request::captured(ast, &definitions),
        definitions: &definitions,
        imports: Imports::default(),
        captures: Captures::default(),
    };
    let mut main = Body::new(&mut file, None);
    let body = main.top(ast.statements())?;
    let main = Function {
        name: ImmutableString::new(),
        parameters: [].into(),
        this_type: None,
        is_private: false,
        places: main.scope.into_places(),
        body,
    };
    let mut functions = Vec::with_capacity(definitions.len() + 1);
    for (id, definition) in definitions.iter().enumerate() {
        functions.push(function(&mut file, id, definition)?);
    }
    functions.push(main);
    file.captures.mark(&mut functions)?;
    Ok(Unit { main: functions.len() - 1, functions: functions.into(), imports: file.imports.count })
}

/// What functions are sorted by. Closures come first, in the order of the file.
fn key(definition: &ScriptFuncDef) -> (&str, usize, Option<&str>) {
    if is_closure(&definition.name) {
        return ("", 0, None);
    }
    (&definition.name, definition.params.len(), definition.this_type.as_deref())
}

fn place(definition: &ScriptFuncDef) -> Position {
    definition.body.start_position()
}

fn is_closure(name: &str) -> bool {
    name.starts_with("anon$")
}

fn function(file: &mut File<'_>, id: FunctionId, definition: &Shared<ScriptFuncDef>) -> Lowered<Function> {
    let mut function = Body::new(file, Some(id));
    for parameter in &definition.params {
        function.scope.declare(parameter, false)?;
    }
    // The statements of a function are not public. A walk comes by them, one after the other.
    let alone = AST::new([], Module::from([definition.clone()]));
    let mut statements = Vec::new();
    let mut failed = None;
    alone.walk(&mut |path| match path {
        [ASTNode::Stmt(statement)] => match function.statement(statement) {
            Ok(statement) => {
                statements.push(statement);
                true
            }
            Err(reason) => {
                failed = Some(reason);
                false
            }
        },
        _ => true,
    });
    if let Some(reason) = failed {
        return Err(reason);
    }
    let slots = definition.params.len()..function.scope.places.len();
    let body = Block { statements: statements.into(), slots, cost: function.cost };
    Ok(Function {
        name: definition.name.clone(),
        parameters: definition.params.iter().cloned().collect(),
        this_type: definition.this_type.clone(),
        is_private: definition.access == FnAccess::Private,
        places: function.scope.into_places(),
        body,
    })
}

/// What all functions of a file share.
struct File<'a> {
    /// In the order of their numbers.
    definitions: &'a [&'a Shared<ScriptFuncDef>],
    /// The closures in which a captured `ctx` is the request.
    requests: Vec<ImmutableString>,
    imports: Imports,
    captures: Captures,
}

impl File<'_> {
    /// Finds the function that a call means.
    fn function(&self, name: &str, arguments: usize) -> Option<FunctionId> {
        self.definitions.binary_search_by(|definition| key(definition).cmp(&(name, arguments, None))).ok()
    }

    /// Finds the only function of this name.
    fn pointed(&self, name: &str) -> Option<FunctionId> {
        if is_closure(name) {
            return self.definitions.iter().position(|definition| definition.name == name);
        }
        let first = self.definitions.partition_point(|definition| key(definition).0 < name);
        let mut named = self.definitions[first..].iter().take_while(|definition| definition.name == name);
        let is_alone = named.next().is_some_and(|definition| definition.this_type.is_none()) && named.next().is_none();
        is_alone.then_some(first)
    }
}

/// A function while its statements are lowered.
struct Body<'b, 'a> {
    file: &'b mut File<'a>,
    /// None: what stands outside of functions.
    id: Option<FunctionId>,
    scope: Scope,
    /// How many blocks there are around.
    depth: usize,
    /// What the statements so far cost.
    cost: u32,
}

impl<'b, 'a> Body<'b, 'a> {
    fn new(file: &'b mut File<'a>, id: Option<FunctionId>) -> Self {
        Self { file, id, scope: Scope::default(), depth: 0, cost: 0 }
    }

    /// Lowers what stands outside of functions.
    fn top(&mut self, statements: &[Stmt]) -> Lowered<Block> {
        let statements = all(statements, |statement| self.statement(statement))?;
        Ok(Block { statements, slots: 0..self.scope.places.len(), cost: self.cost })
    }

    /// Lowers a block. What it costs is not yet counted where it stands.
    fn block(&mut self, statements: &[Stmt]) -> Lowered<Block> {
        self.block_with(|_| Ok(()), statements).map(|((), block)| block)
    }

    /// Lowers a block with variables of its own, such as those of a loop. They are no part of its slots.
    fn block_with<T>(&mut self, declare: impl FnOnce(&mut Self) -> Lowered<T>, statements: &[Stmt]) -> Lowered<(T, Block)> {
        let outside = std::mem::take(&mut self.cost);
        let names = self.scope.begin();
        let imports = self.file.imports.begin();
        self.depth += 1;
        let declared = declare(self)?;
        let first: Slot = self.scope.places.len();
        let statements = all(statements, |statement| self.statement(statement))?;
        self.depth -= 1;
        self.file.imports.end(imports);
        self.scope.end(names);
        let cost = std::mem::replace(&mut self.cost, outside);
        Ok((declared, Block { statements, slots: first..self.scope.places.len(), cost }))
    }
}

/// A link as it is written.
struct LinkNode<'e> {
    /// A property, a method call, or the expression between brackets.
    node: &'e Expr,
    is_index: bool,
    is_optional: bool,
    /// Where the dot or the bracket stands.
    position: Position,
}

/// Lowers each of these.
fn all<T, L>(items: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>, mut lower: impl FnMut(T) -> Lowered<L>) -> Lowered<Box<[L]>> {
    let items = items.into_iter();
    let mut lowered = Vec::with_capacity(items.len());
    for item in items {
        lowered.push(lower(item)?);
    }
    Ok(lowered.into())
}
