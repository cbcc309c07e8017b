//! What a node says of a run that it was asked for, told as that of a run here.

use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use super::{
    answer::{self, place_and_message},
    client::understood,
    exit::Exit,
    output,
};
use crate::{
    api::executions::{RunAnswer, RunResponse},
    execution::{Execution, Outcome, Reply},
    shown::Shown,
};

/// Prints what a node says of a run: as it came, or the log and the body, with `include` after status and headers.
pub fn tell(said: Value, as_json: bool, include: bool) -> anyhow::Result<Exit> {
    let RunAnswer { execution, response, tried_again } = understood(said.clone())?;
    let execution = execution.map(|execution| execution.record);
    let failure = execution.as_ref().and_then(|execution| execution.failure.as_ref());
    let exit = if failure.is_some() { Exit::FunctionsWrong } else { Exit::Done };
    if as_json {
        output::json(&said)?;
        return Ok(exit);
    }
    execution.iter().for_each(answer::tell_log);
    match failure {
        Some(failure) => {
            output::tell(Shown::inline(&place_and_message(failure)).to_string());
            failure.calls.iter().for_each(|call| output::tell(format!("  in {}", Shown::inline(&call.to_string()))));
            execution.iter().filter(|execution| execution.outcome == Outcome::Cancelled).for_each(tell_cancelled);
        }
        None => {
            let method = execution.and_then(|execution| execution.method.parse().ok()).unwrap_or(Method::OPTIONS);
            answer::print(&reply(response).context("the response that the node tells is none")?, &method, include);
        }
    }
    tried_again.iter().for_each(|at| output::tell(format!("it failed, and is tried again at {at}")));
    Ok(exit)
}

/// Says where to look: nothing is wrong with the function of a run that was stopped.
fn tell_cancelled(execution: &Execution) {
    output::tell(format!("  hint: it was cancelled; `picloud executions show {}` has what it did until then", execution.id));
}

fn reply(response: RunResponse) -> anyhow::Result<Reply> {
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers {
        headers.try_append(name.parse::<HeaderName>()?, HeaderValue::from_str(&value)?)?;
    }
    let body = match response.body_base64 {
        Some(base64) => BASE64_STANDARD.decode(base64)?,
        None => response.body.unwrap_or_default().into(),
    };
    Ok(Reply { status: response.status.try_into()?, headers, body: body.into() })
}
