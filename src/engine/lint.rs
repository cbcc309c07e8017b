//! What the compiler lets through and a run would trip over: functions that do not exist, properties that `ctx` does not have, imports
//! that cannot be known before the run.

use std::{
    any::TypeId,
    collections::{BTreeSet, HashMap, HashSet},
};

use rhai::{AST, ASTFlags, ASTNode, Engine, Expr, FnAccess, FnCallExpr, Ident, Namespace, Position, Stmt, Token};

use super::{
    ast::{chain, changes, is_request},
    context::{
        CTX,
        properties::{PATH, REQUEST, properties},
    },
    host::{log::LOG, unavailable},
    place, words,
};
use crate::function::{Diagnostic, FilePath, Role, diagnostic::near_miss};

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

/// The functions that every script can call, and how many arguments each takes.
#[derive(Debug)]
pub struct KnownFunctions(HashMap<String, BTreeSet<usize>>);

impl KnownFunctions {
    /// Lists an engine's functions.
    pub fn of(engine: &Engine) -> Self {
        let own_names =
            |info: rhai::FuncInfo| info.namespace.is_empty().then(|| (info.metadata.name.to_string(), info.metadata.param_types.len()));
        let mut functions: HashMap<String, BTreeSet<usize>> = HashMap::new();
        for (name, arguments) in engine.collect_fn_metadata(None, own_names, true) {
            if unavailable::function(&name).is_none() {
                functions.entry(name).or_default().insert(arguments);
            }
        }
        Self(functions)
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name) || KEYWORDS.contains(&name)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).chain(KEYWORDS)
    }

    /// Returns how many arguments a function takes; none: there is no such function, or only the engine knows.
    fn counts(&self, name: &str) -> impl Iterator<Item = usize> {
        self.0.get(name).filter(|_| !KEYWORDS.contains(&name)).into_iter().flatten().copied()
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

/// A constant of a module, `alias::NAME`.
#[derive(Debug, Clone)]
pub struct ModuleConstant {
    /// The module's alias.
    pub alias: String,
    /// The constant's name.
    pub name: String,
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
    /// Every constant of a module that is read.
    pub constants: Vec<ModuleConstant>,
    /// The functions that an importer can call: name and number of parameters.
    pub exported: Vec<(String, usize)>,
    /// Names that may hold a closure that is called like a method.
    pub properties: HashSet<String>,
    /// Whether a value is put under a name that is computed, which may be the name of any method.
    pub computes_names: bool,
    /// Whether it may change a value that it only reads.
    pub changes_in_place: bool,
}

/// A call by method syntax that only another file can explain.
#[derive(Debug, Clone)]
pub struct OpenMethod {
    /// The method's name.
    pub name: String,
    /// How many arguments it is given.
    pub arguments: usize,
    /// How many the methods of this name take that are known; empty: none is.
    pub takes: Vec<usize>,
    /// Where.
    pub position: Position,
    /// `?.`: it is not called where there is nothing.
    pub optional: bool,
}

/// What looking through a file gave.
#[derive(Debug, Default)]
pub struct Findings {
    /// What it says about others.
    pub references: References,
    /// The methods still to be explained.
    pub methods: Vec<OpenMethod>,
    /// What is wrong by itself.
    pub errors: Vec<Diagnostic>,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// Looks through a compiled file.
pub fn lint(ast: &AST, known: &KnownFunctions, file: &FilePath, text: &str) -> Findings {
    let mut own: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut references = References::default();
    for function in ast.iter_functions() {
        own.entry(function.name).or_default().push(function.params.len());
        if function.access == FnAccess::Public && !function.name.starts_with("anon$") {
            references.exported.push((function.name.to_owned(), function.params.len()));
        }
    }
    let mut walk = Walk::new(known, own, file, text);
    walk.findings.references = references;
    ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(statement)) => walk.statement(statement),
            Some(ASTNode::Expr(expression)) => walk.expression(expression, path),
            _ => {}
        }
        walk.findings.references.changes_in_place |= path.last().is_some_and(changes::may_be_in_place);
        true
    });
    walk.finish()
}

/// Reports a method that no function and no closure explains. It is an error where it cannot work: not where a name that is computed may
/// be this one, or where it is called only if there is something.
pub fn unknown_method(known: &KnownFunctions, file: &FilePath, text: &str, method: &OpenMethod, names_are_known: bool) -> Diagnostic {
    let name = &method.name;
    let message = match &method.takes[..] {
        [] => format!("unknown method `{name}`"),
        takes => format!("as a method, {}", words::takes(name, takes, method.arguments)),
    };
    let diagnostic = match names_are_known && !method.optional {
        true => Diagnostic::error(file.clone(), message),
        false => Diagnostic::warning(file.clone(), message),
    };
    let hint = match (&method.takes[..], near_miss(name, known.names())) {
        ([], Some(near)) => format!("did you mean `{near}`?"),
        ([], None) => format!("a closure that a map holds under this name is called by `.{name}.call(…)`"),
        _ => "what stands before the dot is no argument; in a function of the file it is `this`".into(),
    };
    place::mark(diagnostic, text, method.position).hint(hint)
}

/// A call of a function that is not known.
struct UnknownCall {
    name: String,
    arguments: usize,
    /// How many the functions of this name take; empty: there is none.
    takes: Vec<usize>,
    at: Position,
}

struct Walk<'a> {
    known: &'a KnownFunctions,
    /// The file's own functions: name → numbers of parameters.
    own: HashMap<&'a str, Vec<usize>>,
    /// Calls of functions that are not known, or not with so many arguments, unless the script asks whether they are there.
    unknown: Vec<UnknownCall>,
    /// The variables and constants that it declares.
    declared: HashSet<String>,
    /// Those that it exports, and the constants of its own that it reads by `global::`.
    wanted: Vec<(String, Position)>,
    /// Functions that the script asks for with `is_def_fn`.
    asked_for: HashSet<String>,
    /// Where `?.` calls a method.
    optional: HashSet<Position>,
    /// Findings about `ctx`, which are none where a closure captures a variable of this name.
    about_ctx: Vec<Diagnostic>,
    captures_other_ctx: bool,
    file: &'a FilePath,
    text: &'a str,
    findings: Findings,
}

impl<'a> Walk<'a> {
    fn new(known: &'a KnownFunctions, own: HashMap<&'a str, Vec<usize>>, file: &'a FilePath, text: &'a str) -> Self {
        Self {
            known,
            own,
            unknown: Vec::new(),
            declared: HashSet::new(),
            wanted: Vec::new(),
            asked_for: HashSet::new(),
            optional: HashSet::new(),
            about_ctx: Vec::new(),
            captures_other_ctx: false,
            file,
            text,
            findings: Findings::default(),
        }
    }

    /// Says what only the whole file could tell.
    fn finish(mut self) -> Findings {
        for UnknownCall { name, arguments, takes, at } in std::mem::take(&mut self.unknown) {
            if self.asked_for.contains(&name) {
                continue;
            }
            if !takes.is_empty() {
                self.tell(at, words::takes(&name, &takes, arguments), None);
                continue;
            }
            let near = near_miss(&name, self.known.names().chain(self.own.keys().copied())).map(|near| format!("did you mean `{near}`?"));
            self.tell(at, format!("unknown function `{name}`"), near);
        }
        for (name, at) in std::mem::take(&mut self.wanted) {
            if !self.declared.contains(&name) {
                let near = near_miss(&name, self.declared.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
                self.tell(at, format!("this file declares no `{name}`"), near);
            }
        }
        let mut findings = self.findings;
        if !self.captures_other_ctx {
            let (errors, warnings): (Vec<_>, Vec<_>) = self.about_ctx.into_iter().partition(Diagnostic::is_error);
            findings.errors.extend(errors);
            findings.warnings.extend(warnings);
        }
        findings.methods.retain(|method| !findings.references.properties.contains(&method.name));
        for found in [&mut findings.errors, &mut findings.warnings] {
            found.truncate(MAX_FINDINGS);
        }
        findings.methods.truncate(MAX_FINDINGS);
        findings
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::FnCall(call, at) => self.call(call, *at),
            Stmt::Assignment(assignment) => self.assignment(&assignment.1.lhs),
            Stmt::Var(variable, ..) => drop(self.declared.insert(variable.0.name.to_string())),
            Stmt::Export(export, _) => self.wanted.push((export.0.name.to_string(), export.0.pos)),
            Stmt::Share(captured) => {
                self.captures_other_ctx |= captured.iter().any(|(variable, place)| variable.name == CTX && place.is_some());
            }
            Stmt::Import(import, at) => {
                let (path, alias) = &**import;
                match path {
                    _ if self.findings.references.imports.len() == MAX_IMPORTS => {
                        self.report(*at, format!("more than {MAX_IMPORTS} imports"), "let one module import several others");
                    }
                    Expr::StringConstant(path, position) => self.findings.references.imports.push(Import {
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

    fn expression(&mut self, expression: &Expr, path: &[ASTNode]) {
        let properties = &mut self.findings.references.properties;
        match expression {
            Expr::FnCall(call, at) => self.call(call, *at),
            Expr::MethodCall(call, at) => self.method(call, *at),
            Expr::Map(map, at) => {
                properties.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
                self.response_map(&map.0, *at, path);
            }
            Expr::Variable(variable, ..) if !variable.2.is_empty() => self.constant(&variable.2, &variable.1),
            Expr::Property(property, _) => drop(properties.insert(property.2.to_string())),
            Expr::Dot(dot, flags, _) => {
                if flags.contains(ASTFlags::NEGATED)
                    && let Expr::MethodCall(_, at) = first_link(&dot.rhs)
                {
                    self.optional.insert(*at);
                }
                self.ctx_property(&dot.lhs, &dot.rhs, path);
                self.change(expression);
            }
            Expr::Index(index, ..) => {
                if let Expr::StringConstant(key, _) = first_link(&index.rhs) {
                    properties.insert(key.to_string());
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, call: &FnCallExpr, at: Position) {
        if call.op_token.is_some() {
            return;
        }
        let name = call.name.as_str();
        match (name, &call.args[..]) {
            ("is_def_fn", [Expr::StringConstant(asked, _), ..]) => drop(self.asked_for.insert(asked.to_string())),
            ("set", [_, key, _]) => self.names(key),
            _ => {}
        }
        if !call.namespace.is_empty() {
            let mut alias = call.namespace.path.iter().map(|part| part.name.as_str());
            if let (Some(alias), None) = (alias.next(), alias.next()) {
                self.findings.references.calls.push(ModuleCall {
                    alias: alias.into(),
                    name: name.into(),
                    arguments: call.args.len(),
                    position: at,
                });
            }
            return;
        }
        if let Some(hint) = unavailable::function(name)
            && !self.own.contains_key(name)
        {
            return self.report(at, format!("`{name}` is not available here"), hint);
        }
        if KEYWORDS.contains(&name) || name.starts_with("anon$") {
            return;
        }
        let arguments = call.args.len();
        let takes = self.takes(name, 0);
        if !takes.contains(&arguments) {
            self.unknown.push(UnknownCall { name: name.into(), arguments, takes, at });
        }
    }

    /// Returns how many arguments functions of this name take, less those that stand before a dot.
    fn takes(&self, name: &str, before_dot: usize) -> Vec<usize> {
        let own = self.own.get(name).into_iter().flatten().copied();
        let known = self.known.counts(name).filter_map(|count| count.checked_sub(before_dot));
        own.chain(known).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn method(&mut self, call: &FnCallExpr, at: Position) {
        let name = call.name.as_str();
        if let ("set", [key, _]) = (name, &call.args[..]) {
            self.names(key);
        }
        if call.op_token.is_some() || KEYWORDS.contains(&name) {
            return;
        }
        let (arguments, takes) = (call.args.len(), self.takes(name, 1));
        // A function that takes nothing is known, and nobody's method.
        let is_open = if takes.is_empty() { !self.known.has(name) } else { !takes.contains(&arguments) };
        if is_open {
            let optional = self.optional.contains(&at);
            self.findings.methods.push(OpenMethod { name: name.into(), arguments, takes, position: at, optional });
        }
    }

    /// A value is put under this key: a method may have its name.
    fn names(&mut self, key: &Expr) {
        let references = &mut self.findings.references;
        match key {
            Expr::StringConstant(key, _) => drop(references.properties.insert(key.to_string())),
            // The place of an element, not a name.
            Expr::IntegerConstant(..) => {}
            _ => references.computes_names = true,
        }
    }

    /// `kk::NAME`, or `global::NAME` of the file itself.
    fn constant(&mut self, namespace: &Namespace, name: &str) {
        let [alias] = &namespace.path[..] else { return };
        let (name, position) = (name.to_owned(), alias.pos);
        match alias.name.as_str() {
            "global" => self.wanted.push((name, position)),
            alias => self.findings.references.constants.push(ModuleConstant { alias: alias.into(), name, position }),
        }
    }

    /// `#{ status: 404, body: … }`: it is sent as JSON, with 200.
    fn response_map(&mut self, entries: &[(Ident, Expr)], at: Position, path: &[ASTNode]) {
        let is_status =
            |name: &str| matches!(name.replace('_', "").to_ascii_lowercase().as_str(), "status" | "statuscode") && name != "statusCode";
        let is_code = |value: &Expr| matches!(value, Expr::IntegerConstant(100..=599, _));
        let status = entries.iter().find(|(key, value)| is_status(&key.name) && is_code(value));
        let others = || entries.iter().filter(|(key, _)| matches!(key.name.as_str(), "body" | "headers")).count();
        let is_inside = matches!(path, [.., ASTNode::Expr(Expr::Map(..) | Expr::Array(..)), _]);
        if let Some((key, _)) = status
            && entries.len() > 1
            && others() == entries.len() - 1
            && !is_inside
        {
            let message = format!("a map with `{}` is no response: it is sent as JSON, with the status 200", key.name);
            let warning = place::mark(Diagnostic::warning(self.file.clone(), message), self.text, at);
            self.findings.warnings.push(warning.hint(format!("a response says `statusCode`, not `{}`", key.name)));
        }
    }

    /// `ctx.reqest` or `ctx.request.qurey`: the only values whose properties are known before the run.
    fn ctx_property(&mut self, lhs: &Expr, rhs: &Expr, path: &[ASTNode]) {
        if !is_request(lhs) {
            return;
        }
        let [of_ctx, of_request] = properties();
        let Expr::Property(first, at) = first_link(rhs) else { return };
        self.known_property("ctx", &of_ctx, &first.2, *at);
        if first.2 == REQUEST
            && let Expr::Dot(chain, ..) = rhs
            && let Expr::Property(second, at) = first_link(&chain.rhs)
        {
            self.known_property("ctx.request", &of_request, &second.2, *at);
            self.path_in_guard(&second.2, *at, path);
        }
    }

    /// What a guard decides by the path as it was sent is decided otherwise for the same function under another spelling of its path.
    fn path_in_guard(&mut self, property: &str, at: Position, path: &[ASTNode]) {
        let is_logged = |node: &ASTNode| matches!(node, ASTNode::Expr(Expr::FnCall(call, _)) if call.namespace.path.first().is_some_and(|root| root.name == LOG));
        if property == PATH && Role::of(self.file) == Some(Role::Guard) && !path.iter().any(is_logged) {
            let message = "`ctx.request.path` is the path as it was sent: one function answers at several, such as `/a` and `/%61`";
            let hint = "a guard guards by its folder; where it must know what was matched, `ctx.request.route` says it";
            self.about_ctx.push(place::mark(Diagnostic::warning(self.file.clone(), message), self.text, at).hint(hint));
        }
    }

    /// A change to what `ctx` gave would be lost without a word: it gives copies.
    fn assignment(&mut self, target: &Expr) {
        let mut root = target;
        while let Expr::Dot(chain, ..) | Expr::Index(chain, ..) = root {
            root = &chain.lhs;
        }
        if is_request(root) {
            let error = place::mark(Diagnostic::error(self.file.clone(), "`ctx` cannot be changed"), self.text, root.position());
            self.about_ctx.push(error.hint(copy_hint(target)));
        }
        if let Some(key) = last_index(target) {
            self.names(key);
        }
    }

    /// The same by a method. One of the file's own changes a copy at most.
    fn change(&mut self, chain: &Expr) {
        if let Some((call, at)) = changes::of_request(chain)
            && !self.own.contains_key(call.name.as_str())
        {
            let message = format!("`{}` changes what it is called on, and `ctx` cannot be changed", call.name);
            let error = place::mark(Diagnostic::error(self.file.clone(), message), self.text, at);
            self.about_ctx.push(error.hint(copy_hint(chain)));
        }
    }

    fn known_property(&mut self, of: &str, known: &[&str], name: &str, at: Position) {
        if !known.contains(&name) {
            let hint = match near_miss(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
            };
            let error = Diagnostic::error(self.file.clone(), format!("`{of}` has no `{name}`"));
            self.about_ctx.push(place::mark(error, self.text, at).hint(hint));
        }
    }

    fn report(&mut self, at: Position, message: impl Into<String>, hint: impl Into<String>) {
        self.tell(at, message, Some(hint.into()));
    }

    fn tell(&mut self, at: Position, message: impl Into<String>, hint: Option<String>) {
        if self.findings.errors.len() < MAX_FINDINGS {
            self.findings.errors.push(place::mark(Diagnostic::error(self.file.clone(), message), self.text, at).maybe_hint(hint));
        }
    }
}

/// Says how to copy the part of the request that a chain is about.
fn copy_hint(chain: &Expr) -> String {
    let links = chain::take_apart(chain).map_or(Vec::new(), |(_, links)| links);
    let mut names = links.iter().map_while(|link| match link.node {
        Expr::Property(property, _) => Some(property.2.as_str()),
        _ => None,
    });
    match (names.next(), names.next()) {
        (Some(REQUEST), Some(name)) => format!("copy what you need: `let {name} = ctx.request.{name};`"),
        (Some(name), _) => format!("copy what you need: `let {name} = ctx.{name};`"),
        (None, _) => "choose another name, or copy what you need: `let query = ctx.request.query;`".into(),
    }
}

/// Returns what stands next in a chain of which this is the right side.
fn first_link(rest: &Expr) -> &Expr {
    match rest {
        Expr::Dot(chain, ..) | Expr::Index(chain, ..) => &chain.lhs,
        last => last,
    }
}

/// Returns the index that a target of an assignment ends with, if it does.
fn last_index(target: &Expr) -> Option<&Expr> {
    match target {
        Expr::Index(chain, flags, _) if flags.contains(ASTFlags::BREAK) || !matches!(chain.rhs, Expr::Dot(..) | Expr::Index(..)) => {
            Some(&chain.rhs)
        }
        Expr::Dot(chain, ..) | Expr::Index(chain, ..) => last_index(&chain.rhs),
        _ => None,
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
