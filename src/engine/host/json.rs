//! The module `json`, and JSON for what leaves a run and comes back.

use serde::Serialize as _;
use serde_json::{Serializer, ser::PrettyFormatter};

use super::{Call, HostError, HostFunction, HostModule, HostResult, Parameter, Type, convert::from_rhai, text::Writer};
use crate::engine::{
    meter,
    value::{plain::Value, read},
};

/// The module.
pub static MODULE: HostModule = HostModule {
    name: "json",
    about: "Reads and writes JSON.",
    functions: &[
        HostFunction::pure(
            "parse",
            &[Parameter::new("text", Type::Bytes)],
            "any value",
            "Reads JSON: an object is a map, `null` is `()`. The error says where it is wrong.",
            |call| parse(call.bytes(0)),
        ),
        HostFunction::pure(
            "text",
            &[Parameter::new("value", Type::Any), Parameter::optional("pretty", Type::Bool)],
            "string",
            "Writes a value as JSON, in one line or, if `pretty` is `true`, in several.",
            text,
        ),
    ],
};

fn text(call: &mut Call<'_>) -> HostResult {
    let mut writer = Writer::default();
    let value = call.argument(0);
    let written = match call.argument(1) {
        Value::Bool(true) => value.serialize(&mut Serializer::with_formatter(&mut writer, PrettyFormatter::new())),
        _ => value.serialize(&mut Serializer::new(&mut writer)),
    };
    written.map_err(unwritten)?;
    Ok(writer.text()?.into())
}

fn unwritten(why: serde_json::Error) -> HostError {
    // Only the memory of the run ends the writing.
    if why.is_io() { HostError::Stopped } else { why.to_string().into() }
}

fn parse(text: &[u8]) -> HostResult {
    match read::from_json(text) {
        Ok(value) => from_rhai(value).map_err(HostError::Script),
        Err(_) if meter::is_stopped() => Err(HostError::Stopped),
        Err(why) => Err(format!("the text is no JSON: {why}").into()),
    }
}

/// Reads JSON, within the memory of the run.
pub fn from_json(text: &str) -> HostResult {
    parse(text.as_bytes())
}

/// Writes a value as JSON, at most so many bytes.
pub fn to_json(value: &Value, limit: usize) -> Result<String, HostError> {
    let mut writer = Writer::within(limit);
    match value.serialize(&mut Serializer::new(&mut writer)) {
        Err(_) if writer.is_full() => Err(format!("it is larger than {limit} bytes as JSON").into()),
        written => written.map_err(unwritten).and_then(|()| writer.text()),
    }
}
