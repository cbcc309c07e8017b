//! What a file gets wrong about its request.

use rhai::{ASTNode, Expr, Position};

use crate::{
    engine::{
        ast::{chain, first_link, is_request},
        context::properties::{PATH, REQUEST, properties},
        host::log::LOG,
        place,
    },
    function::{Diagnostic, FilePath, Role, diagnostic::near_miss},
};

/// Diagnostics about the use of `ctx` in a file.
pub struct RequestCheck<'a> {
    file: &'a FilePath,
    text: &'a str,
    /// What it found.
    pub found: Vec<Diagnostic>,
}

impl<'a> RequestCheck<'a> {
    /// Begins with a file.
    pub fn new(file: &'a FilePath, text: &'a str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    /// `ctx.reqest` or `ctx.request.qurey`: the only values whose properties are known before the run.
    pub fn property(&mut self, lhs: &Expr, rhs: &Expr, path: &[ASTNode]) {
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
            self.report(Diagnostic::warning(self.file.clone(), message), at, hint);
        }
    }

    /// A change to what `ctx` gave would be lost without a word: it gives copies.
    pub fn assignment(&mut self, target: &Expr) {
        let mut root = target;
        while let Expr::Dot(chain, ..) | Expr::Index(chain, ..) = root {
            root = &chain.lhs;
        }
        if is_request(root) {
            self.report(Diagnostic::error(self.file.clone(), "`ctx` cannot be changed"), root.position(), copy_hint(target));
        }
    }

    /// The same by a method of this name.
    pub fn change(&mut self, chain: &Expr, method: &str, at: Position) {
        let message = format!("`{method}` changes what it is called on, and `ctx` cannot be changed");
        self.report(Diagnostic::error(self.file.clone(), message), at, copy_hint(chain));
    }

    fn known_property(&mut self, of: &str, known: &[&str], name: &str, at: Position) {
        if !known.contains(&name) {
            let hint = match near_miss(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
            };
            self.report(Diagnostic::error(self.file.clone(), format!("`{of}` has no `{name}`")), at, hint);
        }
    }

    fn report(&mut self, diagnostic: Diagnostic, at: Position, hint: impl Into<String>) {
        self.found.push(place::mark(diagnostic, self.text, at).hint(hint));
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
