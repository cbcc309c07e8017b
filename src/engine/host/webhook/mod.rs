//! The module `webhook`: whether a request comes from somebody who knows a secret.

mod scheme;

use self::scheme::Scheme;
use super::{Call, HostFunction, HostModule, HostResult, Kind, Parameter, Type, keys};
use crate::execution::{LogLevel, OF_REQUEST};

/// The module.
pub static MODULE: HostModule = HostModule {
    name: "webhook",
    about: "Verifies signatures of webhooks.",
    functions: &[HostFunction::new(
        "verify",
        PARAMETERS,
        "boolean",
        Kind::Held,
        "Says whether the request that runs is signed with a secret, as a provider does it.",
        verify,
    )],
};

const PARAMETERS: &[Parameter] =
    &[Parameter::new("provider", Type::Text), Parameter::new("secret", Type::BytesOrSecret), Parameter::optional("options", Type::Map)];

fn verify(call: &mut Call<'_>) -> HostResult {
    let scheme = Scheme::parse(call.text(0), call.options(2, &["header", "algorithm", "encoding", "prefix"])?)?;
    let secret = call.take(1);
    let secrets = call.secrets();
    let keys = keys::accepted(secrets.as_deref(), "secret", &secret)?;
    let now_us = call.now_us()?;
    let refusal = call.with_run(|run| {
        let request = &run.invocation.request;
        scheme.verify(&keys, &request.headers, &request.body, now_us).err().map(|refusal| refusal.to_string())
    })?;
    // Kept whole: a request that is kept for a replay has no signature.
    let refusal: Option<String> = call.observe(&format!("{OF_REQUEST}whether {} signed it", call.text(0)), || refusal)?;
    if let Some(refusal) = &refusal {
        // For the author alone. Whoever tries signatures must not learn what is wrong with them.
        call.with_run(|run| run.log(LogLevel::Trace, &format!("webhook::verify: {refusal}").into()))?;
    }
    Ok(refusal.is_none().into())
}
