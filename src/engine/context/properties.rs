//! The properties of `ctx` and `ctx.request`: one list for check, both evaluators and registration.

use rhai::{Dynamic, ImmutableString};

use super::Run;
use crate::{engine::value::read, id::id_text};

/// The property of `ctx` that has properties of its own.
pub const REQUEST: &str = "request";
/// The property of `ctx.request` that callers can write in several ways.
pub const PATH: &str = "path";
/// The property of `ctx.request` that may be large.
pub const BODY: &str = "body";

fn id(id: i64) -> ImmutableString {
    std::str::from_utf8(&id_text(id)).expect("the alphabet is ASCII").into()
}

/// Reads a property of a run.
pub type Getter = fn(&mut Run) -> Dynamic;

/// The properties of `ctx` beside [`REQUEST`].
pub const OF_CTX: [(&str, Getter); 9] = [
    ("execution_id", |run| id(run.invocation.own_id().0).into()),
    ("script_id", |run| run.function.script_id.to_string().into()),
    ("script_name", |run| run.function.name.as_str().into()),
    ("version", |run| run.function.version.to_string().into()),
    ("deployment", |run| id(run.invocation.deployment.0).into()),
    ("request_id", |run| match &run.invocation.request_id {
        Some(request_id) => String::from_utf8_lossy(request_id.as_bytes()).into_owned().into(),
        None => id(run.invocation.own_id().0).into(),
    }),
    ("invocation_type", |run| run.invocation.trigger.as_str().into()),
    ("event", |run| {
        run.invocation.event.as_ref().map_or(Dynamic::UNIT, |event| read::from_json(event.json.as_bytes()).unwrap_or_default())
    }),
    ("principal", |run| run.invocation.principal.as_deref().map_or(Dynamic::UNIT, |name| name.into())),
];

/// The properties of `ctx.request`.
pub const OF_REQUEST: [(&str, Getter); 10] = [
    ("method", |run| run.invocation.request.method.as_str().into()),
    (PATH, |run| run.invocation.request.uri.path().into()),
    ("route", |run| run.function.route.as_ref().map_or(Dynamic::UNIT, |route| route.to_string().into())),
    ("params", |run| run.params().into()),
    ("query", |run| run.query().into()),
    ("query_all", |run| run.query_all().into()),
    ("headers", |run| run.headers().into()),
    (BODY, Run::shared_body),
    ("raw_body", |run| Dynamic::from_blob(run.invocation.request.body.to_vec())),
    ("remote_addr", |run| run.invocation.remote_addr.map_or(Dynamic::UNIT, |address| address.to_string().into())),
];

/// The names of the properties of `ctx`, then those of `ctx.request`; check looks names up here.
pub fn properties() -> [Vec<&'static str>; 2] {
    [OF_CTX.iter().map(|(name, _)| *name).chain([REQUEST]).collect(), OF_REQUEST.iter().map(|(name, _)| *name).collect()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_property() {
        let page = include_str!("../../../docs/functions.md");
        let cell = |line: &'static str| line.strip_prefix("| `ctx.")?.split_once('`').map(|(name, _)| name);
        let documented: Vec<&str> = page.lines().filter_map(cell).collect();
        let [of_ctx, of_request] = properties();
        let own = of_ctx.iter().filter(|name| **name != REQUEST).map(|name| (*name).to_owned());
        let all: Vec<String> = own.chain(of_request.iter().map(|name| format!("{REQUEST}.{name}"))).collect();
        assert_eq!(documented, all);
    }
}
