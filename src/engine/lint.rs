//! What the compiler lets through and a run would trip over: functions that do not exist, properties that `ctx` does not have, imports
//! that cannot be known before the run.

use std::{
    any::TypeId,
    collections::{HashMap, HashSet},
};

use rhai::{AST, ASTNode, Engine, Expr, FnAccess, FnCallExpr, Position, Stmt, Token};

use super::{context, failure};
use crate::function::{Diagnostic, FilePath, diagnostic::near_miss};

/// Names that the engine handles itself and does not list among its functions.
pub const KEYWORDS: [&str; 10] = ["Fn", "call", "curry", "is_shared", "type_of", "is_def_var", "is_def_fn", "range", "this", "tag"];

/// Most arguments of one call or parameters of one function: the compiler needs time that grows with their square and cannot be
/// interrupted (10,000 parameters take 0.7 s).
const MAX_ARGUMENTS: usize = 256;
/// Most commas directly between braces: the arms of a `switch`, or the parameters of a closure.
const MAX_BETWEEN_BRACES: usize = 2_000;

/// Most findings told of one file: nobody reads more, and finding the line of each takes time that grows with the file.
const MAX_FINDINGS: usize = 100;
/// Most imports of one file.
pub const MAX_IMPORTS: usize = 32;

/// The functions that every script can call.
#[derive(Debug)]
pub struct KnownFunctions(HashSet<String>);

impl KnownFunctions {
    /// Lists an engine's functions.
    pub fn of(engine: &Engine) -> Self {
        let names = engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true);
        Self(names.into_iter().filter(|name| context::unavailable(name).is_none()).chain(KEYWORDS.map(String::from)).collect())
    }
}

/// Lists an engine's functions, as [`super::Engine::functions`] says.
pub fn functions(engine: &Engine) -> Vec<(String, Vec<TypeId>)> {
    let signature = |info: rhai::FuncInfo| {
        let module = if info.namespace.is_empty() { String::new() } else { format!("{}::", info.namespace) };
        Some((format!("{module}{}", info.metadata.name), info.metadata.param_types.to_vec()))
    };
    engine.collect_fn_metadata(None, signature, true)
}

/// An `import` statement.
#[derive(Debug, Clone)]
pub struct Import {
    /// As written.
    pub path: String,
    /// The name that the module gets, if it gets one.
    pub alias: Option<String>,
    /// Where the path stands.
    pub position: Position,
}

/// A call of a module's function, `alias::name(…)`.
#[derive(Debug, Clone)]
pub struct ModuleCall {
    /// The module's alias.
    pub alias: String,
    /// The function's name.
    pub name: String,
    /// How many arguments.
    pub arguments: usize,
    /// Where.
    pub position: Position,
}

/// What one file says about others, for the checks that need to see them.
#[derive(Debug, Clone, Default)]
pub struct References {
    /// Every import, dead branches too.
    pub imports: Vec<Import>,
    /// Every call into a module.
    pub calls: Vec<ModuleCall>,
    /// The functions that an importer can call: name and number of parameters.
    pub exported: Vec<(String, usize)>,
    /// Names that may hold a closure that is called like a method.
    pub properties: HashSet<String>,
}

/// Calls by method syntax that only another file can explain.
pub type OpenMethods = Vec<(String, Position)>;

/// Looks through a compiled file. Returns what it says about others, the methods still to be explained, and what is wrong by itself.
pub fn lint(ast: &AST, known: &KnownFunctions, file: &FilePath, text: &str) -> (References, OpenMethods, Vec<Diagnostic>) {
    let mut own: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut references = References::default();
    for function in ast.iter_functions() {
        own.entry(function.name).or_default().push(function.params.len());
        if function.access == FnAccess::Public && !function.name.starts_with("anon$") {
            references.exported.push((function.name.to_owned(), function.params.len()));
        }
    }
    let mut walk = Walk { known, own, references, methods: Vec::new(), file, text, found: Vec::new() };
    ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(statement)) => walk.statement(statement),
            Some(ASTNode::Expr(expression)) => walk.expression(expression),
            _ => {}
        }
        true
    });
    let Walk { references, mut methods, found, .. } = walk;
    methods.retain(|(name, _)| !references.properties.contains(name));
    methods.truncate(MAX_FINDINGS);
    (references, methods, found)
}

/// Reports a method that no function and no closure explains.
pub fn unknown_method(known: &KnownFunctions, file: &FilePath, text: &str, name: &str, at: Position) -> Diagnostic {
    place(Diagnostic::error(file.clone(), format!("unknown method `{name}`")), text, at)
        .maybe_hint(near_miss(name, known.0.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?")))
}

/// Adds a position of the engine's to a finding.
pub fn place(diagnostic: Diagnostic, text: &str, at: Position) -> Diagnostic {
    match failure::position(at) {
        Some(position) => diagnostic.at(text, position),
        None => diagnostic,
    }
}

struct Walk<'a> {
    known: &'a KnownFunctions,
    /// The file's own functions: name → numbers of parameters.
    own: HashMap<&'a str, Vec<usize>>,
    references: References,
    methods: OpenMethods,
    file: &'a FilePath,
    text: &'a str,
    found: Vec<Diagnostic>,
}

impl Walk<'_> {
    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::FnCall(call, at) => self.call(call, *at),
            Stmt::Assignment(assignment) => self.assignment(&assignment.1.lhs),
            Stmt::Import(import, at) => {
                let (path, alias) = &**import;
                match path {
                    _ if self.references.imports.len() == MAX_IMPORTS => {
                        self.report(*at, format!("more than {MAX_IMPORTS} imports"), "let one module import several others");
                    }
                    Expr::StringConstant(path, position) => self.references.imports.push(Import {
                        path: path.to_string(),
                        alias: (!alias.name.is_empty()).then(|| alias.name.to_string()),
                        position: *position,
                    }),
                    _ => self.report(*at, "the path of an import must be a plain string", "write the path out, so that it can be checked"),
                }
            }
            _ => {}
        }
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::FnCall(call, at) => self.call(call, *at),
            Expr::MethodCall(call, at) => self.method(call, *at),
            Expr::Map(map, _) => self.references.properties.extend(map.0.iter().map(|(key, _)| key.name.to_string())),
            Expr::Property(property, _) => {
                self.references.properties.insert(property.2.to_string());
            }
            Expr::Dot(dot, ..) => self.ctx_property(&dot.lhs, &dot.rhs),
            _ => {}
        }
    }

    fn call(&mut self, call: &FnCallExpr, at: Position) {
        if call.op_token.is_some() {
            return;
        }
        let name = call.name.as_str();
        if !call.namespace.is_empty() {
            let mut alias = call.namespace.path.iter().map(|part| part.name.as_str());
            if let (Some(alias), None) = (alias.next(), alias.next()) {
                self.references.calls.push(ModuleCall { alias: alias.into(), name: name.into(), arguments: call.args.len(), position: at });
            }
            return;
        }
        if let Some(hint) = context::unavailable(name)
            && !self.own.contains_key(name)
        {
            return self.report(at, format!("`{name}` is not available here"), hint);
        }
        if self.known.0.contains(name) || name.starts_with("anon$") {
            return;
        }
        match self.own.get(name) {
            Some(counts) if counts.contains(&call.args.len()) => {}
            Some(counts) => {
                let takes = counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
                self.tell(at, format!("`{name}` takes {takes} argument(s), not {}", call.args.len()), None);
            }
            None => {
                let names = self.known.0.iter().map(String::as_str).chain(self.own.keys().copied());
                let near = near_miss(name, names).map(|near| format!("did you mean `{near}`?"));
                self.tell(at, format!("unknown function `{name}`"), near);
            }
        }
    }

    fn method(&mut self, call: &FnCallExpr, at: Position) {
        let name = call.name.as_str();
        if call.op_token.is_none() && !self.known.0.contains(name) && !self.own.contains_key(name) {
            self.methods.push((name.into(), at));
        }
    }

    /// `ctx.reqest` or `ctx.request.qurey`: the only values whose properties are known before the run.
    fn ctx_property(&mut self, lhs: &Expr, rhs: &Expr) {
        if !matches!(lhs, Expr::Variable(variable, ..) if variable.1 == context::CTX) {
            return;
        }
        let [of_ctx, of_request] = context::properties();
        match rhs {
            Expr::Property(property, at) => self.known_property("ctx", &of_ctx, &property.2, *at),
            Expr::Dot(chain, ..) => {
                let Expr::Property(first, at) = &chain.lhs else { return };
                self.known_property("ctx", &of_ctx, &first.2, *at);
                let second = match &chain.rhs {
                    Expr::Dot(rest, ..) | Expr::Index(rest, ..) => &rest.lhs,
                    last => last,
                };
                if first.2 == "request"
                    && let Expr::Property(second, at) = second
                {
                    self.known_property("ctx.request", &of_request, &second.2, *at);
                }
            }
            _ => {}
        }
    }

    /// A change to what `ctx` gave would be lost without a word: it gives copies.
    fn assignment(&mut self, target: &Expr) {
        let mut root = target;
        while let Expr::Dot(chain, ..) | Expr::Index(chain, ..) = root {
            root = &chain.lhs;
        }
        if matches!(root, Expr::Variable(variable, ..) if variable.1 == context::CTX && variable.0.is_none()) {
            let at = root.position();
            self.report(at, "`ctx` cannot be changed", "copy what you need: `let query = ctx.request.query;`");
        }
    }

    fn known_property(&mut self, of: &str, known: &[&str], name: &str, at: Position) {
        if !known.contains(&name) {
            let hint = match near_miss(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
            };
            self.report(at, format!("`{of}` has no `{name}`"), hint);
        }
    }

    fn report(&mut self, at: Position, message: impl Into<String>, hint: impl Into<String>) {
        self.tell(at, message, Some(hint.into()));
    }

    fn tell(&mut self, at: Position, message: impl Into<String>, hint: Option<String>) {
        if self.found.len() < MAX_FINDINGS {
            self.found.push(place(Diagnostic::error(self.file.clone(), message), self.text, at).maybe_hint(hint));
        }
    }
}

/// Returns where a list of arguments is too long to compile in sensible time.
pub fn endless_list(engine: &Engine, script: &str) -> Option<(Position, String)> {
    if script.bytes().filter(|byte| *byte == b',').count() < MAX_BETWEEN_BRACES {
        return None;
    }
    let inputs = [script];
    let (tokens, _) = engine.lex(&inputs);
    // For each open bracket, how many commas it may still hold.
    let mut commas = vec![MAX_BETWEEN_BRACES];
    for (token, at) in tokens {
        match token {
            Token::LeftParen => commas.push(MAX_ARGUMENTS),
            Token::LeftBrace => commas.push(MAX_BETWEEN_BRACES),
            // Literals are bounded by the limits on arrays and maps.
            Token::LeftBracket | Token::MapStart => commas.push(usize::MAX),
            Token::RightParen | Token::RightBracket | Token::RightBrace => {
                commas.pop();
            }
            Token::Comma => {
                if let Some(left) = commas.last_mut() {
                    let Some(fewer) = left.checked_sub(1) else {
                        return Some((at, format!("more than {MAX_ARGUMENTS} arguments or parameters")));
                    };
                    *left = fewer;
                }
            }
            Token::EOF => break,
            _ => {}
        }
    }
    None
}
