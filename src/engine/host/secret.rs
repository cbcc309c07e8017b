//! Secrets, as scripts have them: values that can be given on and not read.

use super::{
    Call, HostError, HostFunction, HostResult, Kind, ObjectClass, Parameter, Requirement, Type,
    check::{CheckedCall, Mistake},
};
use crate::engine::value::plain::{HostObject, Object, Text, Value};
use crate::{
    capability::secret::{SecretValues, Secrets},
    function::grants::secret::{SecretName, SecretNameError},
};

/// The function `secret`, which is called without a module.
pub const FUNCTION: HostFunction = HostFunction::new(
    "secret",
    &[Parameter::new("name", Type::Text)],
    "Secret",
    Kind::Held,
    "Gives a secret that the front-matter declares. It can be given on, and not read.",
    secret,
)
.needing(Requirement::Secrets);

/// A check, or a command without a node, has no secrets.
pub const NO_SECRETS: &str = "there are no secrets without a node; `--url` names one";

/// What secrets have in common.
pub static CLASS: ObjectClass = ObjectClass { name: super::SECRET, properties: &[], methods: &[REVEAL] };

/// The method that gives a value away.
pub const REVEAL: HostFunction =
    HostFunction::new("reveal", &[], "string", Kind::Held, "Gives the value of a secret as a string. Rarely needed.", reveal)
        .checked(revealed);

fn revealed(_: &CheckedCall<'_>) -> Option<Mistake> {
    let warning = Mistake::new("`reveal` makes a secret a string, which can then be logged, kept or answered");
    Some(
        warning
            .warning()
            .hint("headers, bodies and forms of `http`, keys of `crypto` and `jwt`, and parameters of `sql` take the secret as it is"),
    )
}

/// A secret, or a text that has secrets in it: `"Bearer " + secret("KEY")`.
pub struct SecretText(Vec<Part>);

#[derive(Clone)]
enum Part {
    Plain(Text),
    Secret(SecretName),
}

impl SecretText {
    /// Returns the text with the values of its secrets.
    pub fn value(&self, secrets: &dyn Secrets) -> Result<String, HostError> {
        self.with(secrets, |values| values.current.expose().to_owned())
    }

    /// Returns the texts that somebody else may prove to know: with present values, and with those before, while they are rotated.
    pub fn accepted(&self, secrets: &dyn Secrets) -> Result<Vec<String>, HostError> {
        let now = self.value(secrets)?;
        let before = self.with(secrets, |values| values.previous.as_ref().unwrap_or(&values.current).expose().to_owned())?;
        Ok(if before == now { vec![now] } else { vec![now, before] })
    }

    fn with(&self, secrets: &dyn Secrets, value: impl Fn(&SecretValues) -> String) -> Result<String, HostError> {
        let parts = self.0.iter().map(|part| match part {
            Part::Plain(text) => Ok(text.to_string()),
            Part::Secret(name) => secrets.get(name).map(|values| value(&values)).map_err(|why| format!("{why}; {}", why.hint()).into()),
        });
        parts.collect()
    }
}

impl HostObject for SecretText {
    fn class(&self) -> &'static str {
        CLASS.name
    }

    fn shown(&self) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Plain(text) => text.to_string(),
            Part::Secret(name) => format!("[secret {name}]"),
        });
        parts.collect()
    }

    fn joined(&self, text: &str, is_before: bool) -> Option<Object> {
        let (plain, secret) = (std::iter::once(Part::Plain(text.into())), self.0.iter().cloned());
        let parts = if is_before { plain.chain(secret).collect() } else { secret.chain(plain).collect() };
        Some(Object::new(Self(parts)))
    }
}

fn secret(call: &mut Call<'_>) -> HostResult {
    let name: SecretName = call.text(0).parse().map_err(|why: SecretNameError| why.to_string())?;
    let is_declared = call.with_run(|run| run.grants().is_some_and(|grants| grants.secrets.contains(&name)))?;
    if !is_declared {
        return Err(format!("the front-matter does not declare the secret `{name}`; add `secrets = [\"{name}\"]`").into());
    }
    Ok(Object::new(SecretText(vec![Part::Secret(name)])).into())
}

fn reveal(call: &mut Call<'_>) -> HostResult {
    let Value::Object(object) = call.take(0) else { return Ok(Value::Unit) };
    let text = object.of::<SecretText>().ok_or("it is no secret")?;
    let secrets = call.secrets().ok_or(NO_SECRETS)?;
    Ok(text.value(&*secrets)?.into())
}
