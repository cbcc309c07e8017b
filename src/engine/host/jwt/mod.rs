//! The module `jwt`: JSON Web Tokens (RFC 7519), signed.
//!
//! Whoever verifies names the algorithms, never the token. The time is the run's, so that a replay judges a token as the run did.

mod algorithm;
mod claims;

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64_URL};

use self::{
    algorithm::Algorithm,
    claims::{Fault, Requirements},
};
use super::{
    Call, HostError, HostFunction, HostModule, HostResult, Kind, Options, Parameter, Type,
    convert::{from_rhai, to_rhai},
    keys,
};
use crate::engine::value::plain::{Map, Value};
use crate::engine::value::{read, write};

/// The module.
pub static MODULE: HostModule = HostModule {
    name: "jwt",
    about: "Makes and verifies JSON Web Tokens.",
    functions: &[
        HostFunction::new("sign", SIGN, "string", Kind::Held, "Makes a token of claims: `#{ algorithm, ttl, kid }`.", sign),
        HostFunction::new(
            "verify",
            VERIFY,
            "map",
            Kind::Held,
            "Gives the claims of a token, or throws: `#{ algorithms, issuer, audience, leeway }`.",
            verify,
        ),
    ],
};

const SIGN: &[Parameter] =
    &[Parameter::new("claims", Type::Map), Parameter::new("key", Type::BytesOrSecret), Parameter::new("options", Type::Map)];
const VERIFY: &[Parameter] =
    &[Parameter::new("token", Type::Text), Parameter::new("key", Type::BytesOrSecret), Parameter::new("options", Type::Map)];

/// Bytes of the longest token. Headers of requests are no longer, either.
const MAX_TOKEN_BYTES: usize = 16 << 10;
/// Bytes of the claims of a token that is made, as JSON.
const MAX_CLAIMS_BYTES: usize = 8 << 10;
/// How far clocks may differ, if nobody says.
const LEEWAY: Duration = Duration::from_mins(1);
/// The most that somebody may say.
const MAX_LEEWAY: Duration = Duration::from_hours(1);

fn sign(call: &mut Call<'_>) -> HostResult {
    let options = call.options(2, &["algorithm", "ttl", "kid"])?;
    let name = options.text("algorithm")?.ok_or_else(|| format!("the option `algorithm` is missing: {}", Algorithm::known()))?;
    let algorithm = Algorithm::parse(name)?;
    let ttl = options.span("ttl")?;
    let mut header = Map::from_iter([("alg".into(), algorithm.name().into()), ("typ".into(), "JWT".into())]);
    header.extend(options.text("kid")?.map(|kid| ("kid".into(), kid.into())));
    let now = call.now_us()? / 1_000_000;
    let Value::Map(mut claims) = call.take(0) else { return Err("`claims` is a map".into()) };
    if let Some(ttl) = ttl {
        claims.insert("iat".into(), now.into());
        claims.insert("exp".into(), now.saturating_add(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX)).into());
    } else if !claims.contains_key("exp") {
        return Err("a token ends at some time: say `ttl: \"1h\"` in the options, or `exp` in the claims".into());
    }
    let signed = format!("{}.{}", part(header)?, part(claims)?);
    let secrets = call.secrets();
    let signature = {
        let keys = keys::accepted(secrets.as_deref(), "key", call.argument(1))?;
        BASE64_URL.encode(algorithm.sign(&keys[0], signed.as_bytes())?)
    };
    // Some algorithms sign with a random number.
    let signature: String = call.observe("a signature", || signature)?;
    Ok(format!("{signed}.{signature}").into())
}

fn part(map: Map) -> Result<String, HostError> {
    let map = to_rhai(Value::Map(map)).map_err(HostError::Script)?;
    let json = write::to_json(&map, MAX_CLAIMS_BYTES).map_err(|why| format!("the claims are no JSON: {why}"))?;
    Ok(BASE64_URL.encode(json))
}

fn verify(call: &mut Call<'_>) -> HostResult {
    let options = call.options(2, &["algorithms", "issuer", "audience", "leeway"])?;
    let algorithms = algorithms(options)?;
    let leeway = options.span("leeway")?.unwrap_or(LEEWAY);
    if leeway > MAX_LEEWAY {
        return Err("the option `leeway` is at most \"1h\"".into());
    }
    let [issuer, audience] = [one_or_more(options, "issuer")?, one_or_more(options, "audience")?];
    let now = call.now_us()? / 1_000_000;
    let requirements = Requirements { issuer, audience, leeway: leeway.as_secs() as i64, now };
    let claims = signed_claims(call, &algorithms)?.and_then(|claims| requirements.check(&claims).map(|()| claims));
    claims.map(Value::Map).map_err(|fault| HostError::Thrown(fault.value()))
}

/// Returns the algorithms that a token may have. All are of one kind: a public key must never be taken for a password.
fn algorithms(options: Options<'_>) -> Result<Vec<Algorithm>, HostError> {
    let names = one_or_more(options, "algorithms")?.filter(|names| !names.is_empty());
    let names = names.ok_or_else(|| format!("the option `algorithms` is missing, an array of names: {}", Algorithm::known()))?;
    let algorithms = names.iter().map(|name| Algorithm::parse(name)).collect::<Result<Vec<_>, _>>()?;
    match algorithms.iter().all(|algorithm| algorithm.has_keys_of(algorithms[0])) {
        true => Ok(algorithms),
        false => Err("the option `algorithms` mixes kinds of keys: a token has one key".into()),
    }
}

/// Reads an option that is a string or an array of strings.
fn one_or_more(options: Options<'_>, name: &str) -> Result<Option<Vec<String>>, HostError> {
    let wrong = |value: &Value| format!("the option `{name}` is a string or an array of strings, not {}", value.type_word());
    match options.get(name) {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(vec![text.to_string()])),
        Some(Value::Array(items)) => {
            let texts = items.iter().map(|item| item.as_text().map(str::to_owned).ok_or_else(|| wrong(item).into()));
            texts.collect::<Result<_, HostError>>().map(Some)
        }
        Some(other) => Err(wrong(other).into()),
    }
}

/// Returns the claims of the token that is the first argument, if its signature is good.
fn signed_claims(call: &mut Call<'_>, algorithms: &[Algorithm]) -> Result<Result<Map, Fault>, HostError> {
    let secrets = call.secrets();
    let token = call.text(0);
    if token.len() > MAX_TOKEN_BYTES {
        return Ok(Err(Fault::Malformed));
    }
    let Some((signed, signature)) = token.rsplit_once('.') else { return Ok(Err(Fault::Malformed)) };
    let Some((header, claims)) = signed.split_once('.') else { return Ok(Err(Fault::Malformed)) };
    let (Some(header), Ok(signature)) = (object(header), BASE64_URL.decode(signature)) else { return Ok(Err(Fault::Malformed)) };
    // RFC 7515, section 4.1.11: what is marked as critical must be understood.
    if header.contains_key("crit") {
        return Ok(Err(Fault::Algorithm));
    }
    let named = header.get("alg").and_then(Value::as_text);
    let Some(algorithm) = algorithms.iter().find(|algorithm| Some(algorithm.name()) == named) else { return Ok(Err(Fault::Algorithm)) };
    for key in keys::accepted(secrets.as_deref(), "key", call.argument(1))? {
        if algorithm.verify(&key, signed.as_bytes(), &signature)? {
            return Ok(object(claims).ok_or(Fault::Malformed));
        }
    }
    Ok(Err(Fault::Signature))
}

/// Reads a part of a token, which is a JSON object.
fn object(part: &str) -> Option<Map> {
    let json = BASE64_URL.decode(part).ok()?;
    match from_rhai(read::from_json(&json).ok()?) {
        Ok(Value::Map(map)) => Some(map),
        _ => None,
    }
}
