//! Checks that the front-matter of a script declares what it and its modules reach, and finds the statements for its database
//! and the topics that it emits.

use std::sync::Arc;

use super::Linker;
use crate::{
    capability::http::parse_url,
    engine::{
        emission::PlainEmission,
        host::{Requirement, check::Literal},
        lint::findings::{HostCall, Import},
        module,
        script::Script,
        statement::PlainStatement,
    },
    function::{Diagnostic, FilePath},
};

impl Linker<'_, '_> {
    /// Reports each call of a function or a guard, and of the modules that it imports, that needs what its front-matter does not declare.
    pub(super) fn check_needs(&mut self, root: &Arc<Script>) {
        let mut seen: Vec<FilePath> = vec![root.file.clone()];
        let mut open = vec![root.clone()];
        while let Some(script) = open.pop() {
            for (number, call) in script.references.host_calls.iter().enumerate().filter(|(_, call)| !is_imported(&script, call)) {
                self.found.extend(missing(root, &script, call));
                self.statements.extend(PlainStatement::of(root, &script, number));
                self.emissions.extend(PlainEmission::of(&script, number));
            }
            for import in &script.references.imports {
                let Ok(path) = module::resolve(&script.file, &import.path, |path| self.files.tree.contains_key(path)) else { continue };
                let path = FilePath::from(path);
                if !seen.contains(&path) {
                    seen.push(path.clone());
                    // What is wrong with the module itself is reported elsewhere.
                    open.extend(self.modules.get(&path).cloned().flatten().map(|module| module.script.clone()));
                }
            }
        }
    }
}

/// Whether the name that the call gives is that of an import.
fn is_imported(script: &Script, call: &HostCall) -> bool {
    let is_alias = |import: &Import| import.alias.as_deref() == Some(call.module);
    !call.module.is_empty() && script.references.imports.iter().any(is_alias)
}

/// Says what the front-matter of `root` lacks for a call in `script`.
fn missing(root: &Script, script: &Script, call: &HostCall) -> Option<Diagnostic> {
    let need = call.function.needs?;
    let name = match call.module {
        "" => format!("`{}`", call.function.name),
        module => format!("`{module}::{}`", call.function.name),
    };
    let to = if root.file == script.file { "the front-matter".into() } else { format!("the front-matter of `{}`", root.file) };
    let Some(grants) = root.grants.as_deref().filter(|grants| need.is_met(Some(grants))) else {
        let lines = match (need, origin(call)) {
            (Requirement::Http, Some(origin)) => format!("`[http]` with `allow = [\"{origin}\"]`"),
            (Requirement::Secrets, _) if let Some(Literal::Text(name)) = call.literal(0) => format!("`secrets = [\"{name}\"]`"),
            _ => need.lines().into(),
        };
        // In the file itself it is seen whether there is one.
        let has_none = root.file == script.file && !script.text().starts_with("+++");
        let hint = match has_none {
            true => format!("begin the file with a front-matter: a line `+++`, then {lines}, then another line `+++`"),
            false => format!("add {lines} to it"),
        };
        return Some(script.at(call.position, format!("{name} needs what {to} does not declare")).hint(hint));
    };
    match (need, call.literal(0)?) {
        (Requirement::Http, Literal::Text(url)) => match parse_url(url) {
            Err(why) => Some(script.at(call.position, format!("{name}: {why}"))),
            Ok(url) => {
                let refused = grants.http.as_ref()?.find(&url).err()?;
                Some(script.at(call.position, format!("{name}: {refused}, in {to}")).hint(refused.hint()))
            }
        },
        (Requirement::Http, Literal::Built(_)) => {
            let refused = grants.http.as_ref()?.find(&parse_url(&origin(call)?).ok()?).err()?;
            Some(script.at(call.position, format!("{name}: {refused}, in {to}")).hint(refused.hint()))
        }
        (Requirement::Secrets, Literal::Text(secret)) if !grants.secrets.iter().any(|declared| declared.as_str() == secret) => {
            let message = format!("{name}: {to} does not declare the secret `{secret}`");
            Some(script.at(call.position, message).hint(format!("add \"{secret}\" to `secrets`")))
        }
        _ => None,
    }
}

/// Returns scheme, host and port of the URL that a call is given, as far as its text says them.
fn origin(call: &HostCall) -> Option<String> {
    let text = match call.literal(0)? {
        Literal::Text(text) => text,
        // A host that is not over may go on.
        Literal::Built(text) if text.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?'])) => text,
        _ => return None,
    };
    let url = parse_url(text).ok()?;
    Some(crate::function::grants::http::origin_of(&url))
}
