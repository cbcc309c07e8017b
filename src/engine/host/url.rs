//! The module `url`: addresses and their parts.

use form_urlencoded::byte_serialize;
use url::Url;

use super::{
    Call, HostError, HostFunction, HostModule, HostResult, Parameter, Type,
    text::{Writer, goes_on, plain},
};
use crate::engine::value::plain::{Map, Value};

/// The module.
pub static MODULE: HostModule = HostModule {
    name: "url",
    about: "Takes URLs apart, and writes queries.",
    functions: &[
        HostFunction::pure(
            "parse",
            &[Parameter::new("text", Type::Text), Parameter::optional("base", Type::Text)],
            "map",
            "Takes a URL apart, one that is relative from `base`: `href scheme username host port path query fragment origin`.",
            parse,
        ),
        HostFunction::pure(
            "query",
            &[Parameter::new("values", Type::Map)],
            "string",
            "Writes a query, such as `a=1&b=2`. An array repeats its name, `()` is left out.",
            query,
        ),
    ],
};

/// Longest URL, in bytes.
const MAX_URL: usize = 64 * 1024;

fn parse(call: &mut Call<'_>) -> HostResult {
    let text = call.text(0);
    if text.len() > MAX_URL || call.text(1).len() > MAX_URL {
        return Err(format!("the text is longer than {} KiB", MAX_URL / 1024).into());
    }
    let base = call.argument(1).as_text().map(|base| Url::parse(base).map_err(|why| format!("`base` is no URL: {why}"))).transpose()?;
    let url = Url::options().base_url(base.as_ref()).parse(text).map_err(|why| format!("the text is no URL: {why}"))?;
    let mut query = Map::new();
    for (name, value) in url.query_pairs() {
        query.entry(name.as_ref().into()).or_insert_with(|| value.as_ref().into());
        goes_on()?;
    }
    let username = Some(url.username()).filter(|name| !name.is_empty());
    Ok(Value::map([
        ("href", url.as_str().into()),
        ("scheme", url.scheme().into()),
        ("username", username.into()),
        ("host", url.host_str().into()),
        ("port", url.port_or_known_default().map(i64::from).into()),
        ("path", url.path().into()),
        ("query", query.into()),
        ("fragment", url.fragment().into()),
        ("origin", url.origin().ascii_serialization().into()),
    ]))
}

fn query(call: &mut Call<'_>) -> HostResult {
    let Value::Map(values) = call.argument(0) else { return Ok("".into()) };
    let mut writer = Writer::default();
    let mut is_first = true;
    for (name, value) in values {
        let all = match value {
            Value::Array(all) => &all[..],
            Value::Unit => &[],
            one => std::slice::from_ref(one),
        };
        for value in all {
            if !std::mem::take(&mut is_first) {
                writer.push("&")?;
            }
            encode(name, &mut writer)?;
            writer.push("=")?;
            encode(&plain(value)?, &mut writer)?;
            goes_on()?;
        }
    }
    Ok(writer.text()?.into())
}

fn encode(text: &str, to: &mut Writer) -> Result<(), HostError> {
    byte_serialize(text.as_bytes()).try_for_each(|part| to.push(part))
}
