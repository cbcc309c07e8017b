//! Looks through the syntax tree of one file.

use std::collections::{BTreeSet, HashMap, HashSet};

use rhai::{ASTFlags, ASTNode, Expr, FnCallExpr, Ident, Namespace, Position, Stmt};

use super::{
    findings::{Findings, HostCall, Import, MAX_IMPORTS, ModuleCall, ModuleConstant, OpenMethod},
    known::{KEYWORDS, KnownFunctions},
    objects::ObjectCalls,
    request::RequestCheck,
    response,
};
use crate::{
    engine::{
        ast::{changes, first_link},
        context::CTX,
        host::{self, HostFunction, check::Argument, unavailable},
        place, words,
    },
    function::{Diagnostic, FilePath, diagnostic::near_miss},
};

/// Most findings told of one file: nobody reads more, and finding the line of each takes time that grows with the file.
const MAX_FINDINGS: usize = 100;

/// A call of a function that is not known.
struct UnknownCall {
    name: String,
    arguments: usize,
    /// How many the functions of this name take; empty: there is none.
    takes: Vec<usize>,
    at: Position,
}

/// What is known of a file while its tree is walked.
pub struct Walk<'a> {
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
    about_ctx: RequestCheck<'a>,
    captures_other_ctx: bool,
    /// Calls of methods of host objects.
    objects: ObjectCalls<'a>,
    file: &'a FilePath,
    text: &'a str,
    /// What is found so far.
    pub findings: Findings,
}

impl<'a> Walk<'a> {
    /// Begins with a file, its own functions, and its closures, each with its last parameter.
    pub fn new(
        known: &'a KnownFunctions,
        own: HashMap<&'a str, Vec<usize>>,
        closures: HashMap<&'a str, &'a str>,
        file: &'a FilePath,
        text: &'a str,
    ) -> Self {
        Self {
            known,
            own,
            unknown: Vec::new(),
            declared: HashSet::new(),
            wanted: Vec::new(),
            asked_for: HashSet::new(),
            optional: HashSet::new(),
            about_ctx: RequestCheck::new(file, text),
            captures_other_ctx: false,
            objects: ObjectCalls::new(closures),
            file,
            text,
            findings: Findings::default(),
        }
    }

    /// Says what only the whole file could tell.
    pub fn finish(mut self) -> Findings {
        self.tell_unknown_calls();
        self.tell_missing_variables();
        let mut findings = self.findings;
        if !self.captures_other_ctx {
            let (errors, warnings): (Vec<_>, Vec<_>) = self.about_ctx.found.into_iter().partition(Diagnostic::is_error);
            findings.errors.extend(errors);
            findings.warnings.extend(warnings);
        }
        findings.references.host_calls.extend(self.objects.finish());
        findings.methods.retain(|method| !findings.references.properties.contains(&method.name));
        for found in [&mut findings.errors, &mut findings.warnings] {
            found.truncate(MAX_FINDINGS);
        }
        findings.methods.truncate(MAX_FINDINGS);
        findings
    }

    fn tell_unknown_calls(&mut self) {
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
    }

    fn tell_missing_variables(&mut self) {
        for (name, at) in std::mem::take(&mut self.wanted) {
            if !self.declared.contains(&name) {
                let near = near_miss(&name, self.declared.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
                self.tell(at, format!("this file declares no `{name}`"), near);
            }
        }
    }

    /// Looks at a statement, without what is inside it.
    pub fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::FnCall(call, at) => self.call(call, *at),
            Stmt::Assignment(assignment) => {
                let target = &assignment.1.lhs;
                self.about_ctx.assignment(target);
                if let Some(key) = last_index(target) {
                    self.names(key);
                }
            }
            Stmt::Var(variable, ..) => drop(self.declared.insert(variable.0.name.to_string())),
            Stmt::Export(export, _) => self.wanted.push((export.0.name.to_string(), export.0.pos)),
            Stmt::Share(captured) => {
                self.captures_other_ctx |= captured.iter().any(|(variable, place)| variable.name == CTX && place.is_some());
            }
            Stmt::Import(import, at) => self.import(&import.0, &import.1.name, *at),
            _ => {}
        }
    }

    fn import(&mut self, path: &Expr, alias: &str, at: Position) {
        match path {
            _ if self.findings.references.imports.len() == MAX_IMPORTS => {
                self.report(at, format!("more than {MAX_IMPORTS} imports"), "let one module import several others");
            }
            Expr::StringConstant(path, position) => self.findings.references.imports.push(Import {
                path: path.to_string(),
                alias: (!alias.is_empty()).then(|| alias.to_owned()),
                position: *position,
            }),
            _ => self.report(at, "the path of an import must be a plain string", "write the path out, so that it can be checked"),
        }
    }

    /// Looks at an expression at the end of this path, without what is inside it.
    pub fn expression(&mut self, expression: &Expr, path: &[ASTNode]) {
        let properties = &mut self.findings.references.properties;
        match expression {
            Expr::FnCall(call, at) => self.call(call, *at),
            Expr::MethodCall(call, at) => self.method(call, *at),
            Expr::InterpolatedString(parts, _) => {
                // In a text a secret is written by its name.
                if let Some(Expr::FnCall(_, at)) = parts.iter().find(|part| matches!(part, Expr::FnCall(call, _) if call.name == "secret"))
                {
                    let message = "a secret in `${…}` is written as `[secret …]`";
                    let warning = place::mark(Diagnostic::warning(self.file.clone(), message), self.text, *at);
                    self.findings.warnings.push(warning.hint("join it with `+`: `\"Bearer \" + secret(\"…\")` stays a secret"));
                }
            }
            Expr::Map(map, at) => {
                properties.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
                if let Some(key) = response::mistaken_status(&map.0, path) {
                    let message = format!("a map with `{key}` is no response: it is sent as JSON, with the status 200");
                    let warning = place::mark(Diagnostic::warning(self.file.clone(), message), self.text, *at);
                    self.findings.warnings.push(warning.hint(format!("a response says `statusCode`, not `{key}`")));
                }
            }
            Expr::Variable(variable, ..) if !variable.2.is_empty() => self.constant(&variable.2, &variable.1),
            Expr::Property(property, _) => drop(properties.insert(property.2.to_string())),
            Expr::Dot(dot, flags, _) => {
                if let Expr::MethodCall(call, at) = first_link(&dot.rhs) {
                    if flags.contains(ASTFlags::NEGATED) {
                        self.optional.insert(*at);
                    }
                    if let Expr::Variable(variable, ..) = &dot.lhs {
                        self.objects.method_of(&variable.1, call, *at);
                    }
                }
                self.about_ctx.property(&dot.lhs, &dot.rhs, path);
                // A method of the file's own changes a copy at most.
                if let Some((call, at)) = changes::of_request(expression)
                    && !self.own.contains_key(call.name.as_str())
                {
                    self.about_ctx.change(expression, &call.name, at);
                }
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
            ("Fn", [Expr::StringConstant(pointed, at)]) => self.pointer(pointed, *at),
            ("set", [_, key, _]) => self.names(key),
            _ => {}
        }
        if !call.namespace.is_empty() {
            let path: Box<[Ident]> = call.namespace.path[..].into();
            if let [alias] = &path[..] {
                self.host_call(&alias.name, call, at);
            }
            let arguments = call.args.len();
            self.findings.references.calls.push(ModuleCall { path, name: name.into(), arguments, position: at });
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
        if !self.own.contains_key(name) {
            self.host_call("", call, at);
        }
        let arguments = call.args.len();
        let takes = self.takes(name, 0);
        if !takes.contains(&arguments) {
            self.unknown.push(UnknownCall { name: name.into(), arguments, takes, at });
        }
    }

    /// Remembers a call of a host function, if anything depends on it.
    fn host_call(&mut self, module: &str, call: &FnCallExpr, position: Position) {
        let Some(module) = host::module(module) else { return };
        if let Some(function) = module.function(&call.name)
            && function.is_looked_at()
        {
            call.args.iter().for_each(|argument| self.objects.closure(module, function, argument));
            let arguments = call.args.iter().map(Argument::of).collect();
            self.findings.references.host_calls.push(HostCall { function, module: module.name, arguments, position });
        }
    }

    /// Looks at a pointer to a function: what it is called with later is not seen here.
    fn pointer(&mut self, name: &str, at: Position) {
        if self.looked_at(name).is_some() {
            self.report(
                at,
                format!("a pointer to `{name}` hides what it is called with"),
                format!("call it in a closure: `|…| {name}(…)`"),
            );
        }
    }

    /// Finds a function without a module, each call of which check must see.
    fn looked_at(&self, name: &str) -> Option<&'static HostFunction> {
        host::global(name).filter(|function| function.is_looked_at() && !self.own.contains_key(name))
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
        if !self.own.contains_key(name) {
            self.objects.method(call, at);
        }
        let is_hidden = self.looked_at(name).is_some();
        let (arguments, takes) = (call.args.len(), if is_hidden { Vec::new() } else { self.takes(name, 1) });
        // A function that takes nothing is known, and nobody's method.
        let is_open = if takes.is_empty() { is_hidden || !self.known.has(name) } else { !takes.contains(&arguments) };
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
        let path: Box<[Ident]> = namespace.path[..].into();
        let Some(alias) = path.first() else { return };
        let (name, position) = (name.to_owned(), alias.pos);
        match alias.name.as_str() {
            "global" if path.len() == 1 => self.wanted.push((name, position)),
            _ => self.findings.references.constants.push(ModuleConstant { path, name, position }),
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
