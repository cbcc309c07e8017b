//! Requests to scripts, and what scripts answer: everything of the request becomes `ctx`, everything of a body that is a reply goes out.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri};
use picloud::{
    engine::{Control, Engine, Program},
    execution::{Execution, Finished, Invocation, Outcome},
    function::LimitPolicy,
};
use serde_json::Value;

use crate::{
    harness::{fuzz, kind},
    kit::script::{function, invocation, tree},
};

/// Shows all that a script sees.
const WHOLE: &str = "+++\nlimits.array = 100_000\n+++\n[ctx.request.method, ctx.request.path, ctx.request.params, ctx.request.query, ctx.request.query_all, \
                     ctx.request.headers, ctx.request.body, ctx.request.raw_body.len(), ctx.request_id]";
/// Returns what was sent: a value, or a reply if it looks like one.
const ECHO: &str = "+++\nlimits.array = 100_000\n+++\nctx.request.body";
/// Headers that say how the message travels.
const NEVER: [&str; 4] = ["connection", "content-length", "transfer-encoding", "x-picloud-execution"];

#[test]
fn request() {
    let engine = Engine::new(LimitPolicy::default());
    let [whole, echo] = [WHOLE, ECHO].map(|script| program(&engine, script));
    fuzz("request", move |input| {
        let Some(invocation) = read(input) else { return "no request".into() };
        let body = invocation.request.body.clone();
        let is_json = invocation.request.headers.get("content-type").is_some_and(|kind| kind == "application/json");
        let Ok(shown) = engine.run(&whole, invocation.clone(), Control::default()) else {
            assert!(!is_json || body.is_empty() || serde_json::from_slice::<Value>(&body).is_err(), "it is JSON");
            return "malformed".into();
        };
        let shown = match answer(shown) {
            Ok(shown) => shown,
            Err(failed) => {
                assert_eq!(failed.outcome, Outcome::SizeExceeded, "{:?}", failed.failure);
                return "too large".into();
            }
        };
        assert!(serde_json::from_slice::<Value>(shown.body()).is_ok(), "what a script sees is no JSON");
        let echoed = match answer(engine.run(&echo, invocation, Control::default()).expect("it was well-formed before")) {
            Ok(echoed) => echoed,
            Err(failed) => return kind(&failed.failure.unwrap().message),
        };
        if let Ok(sent) = serde_json::from_slice::<Value>(&body)
            && is_json
            && sent.get("statusCode").is_none()
            && !sent.is_string()
        {
            let back = serde_json::from_slice::<Value>(echoed.body()).unwrap();
            assert_eq!(as_floats(back), as_floats(sent), "JSON comes back changed");
        }
        let content_type = echoed.headers().get("content-type");
        format!("{} {} {content_type:?}", echoed.status(), echoed.headers().len()).chars().take(100).collect()
    });
}

fn program(engine: &Engine, script: &str) -> Arc<Program> {
    let tree = tree(&[("f.rhai", script)]);
    engine.program(&function(engine, &tree).unwrap()).unwrap()
}

/// Reads a method and a target, headers up to an empty line, and a body.
fn read(input: &[u8]) -> Option<Box<Invocation>> {
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let first = lines.next()?.trim_ascii_end();
    let mut rest = lines.next().unwrap_or_default();
    let mut words = first.split(|byte| *byte == b' ');
    let mut read = invocation("/", &[], "");
    read.request.method = Method::from_bytes(words.next()?).ok()?;
    read.request.uri = Uri::try_from(words.next()?).ok()?;
    let mut headers = HeaderMap::new();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = rest[..end].trim_ascii();
        rest = &rest[end + 1..];
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        headers.append(HeaderName::from_bytes(&line[..colon]).ok()?, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?);
    }
    (read.request.headers, read.request.body) = (headers, rest.to_vec().into());
    Some(read)
}

/// Makes the response, as the server does.
fn answer(finished: Finished) -> Result<Response<Vec<u8>>, Box<Execution>> {
    let Some(reply) = finished.reply else {
        let message = &finished.execution.failure.as_ref().expect("it says why").message;
        assert!(!message.contains("please report it"), "the engine panicked");
        return Err(finished.execution);
    };
    let mut response = Response::new(reply.body.to_vec());
    assert!((200..600).contains(&reply.status.as_u16()), "status {}", reply.status);
    *response.status_mut() = reply.status;
    for (name, value) in &reply.headers {
        assert!(!NEVER.contains(&name.as_str()), "a script set `{name}`");
        assert!(!value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "`{name}` breaks the line");
    }
    *response.headers_mut() = reply.headers;
    Ok(response)
}

/// Numbers have one kind, so that what no integer holds compares; two that a float cannot tell apart are the same.
fn as_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(items) => items.into_iter().map(as_floats).collect(),
        Value::Object(entries) => entries.into_iter().map(|(key, value)| (key, as_floats(value))).collect(),
        other => other,
    }
}
