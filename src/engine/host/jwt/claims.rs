//! What a token says, and why it may not be good.

use crate::engine::value::plain::{Map, Value};

/// What a token must say.
pub struct Requirements {
    /// Who may have made it; none: anybody who has the key.
    pub issuer: Option<Vec<String>>,
    /// Whom it may be for.
    pub audience: Option<Vec<String>>,
    /// How far clocks may differ, in seconds.
    pub leeway: i64,
    /// Seconds since 1970.
    pub now: i64,
}

/// Why a token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is no token.
    Malformed,
    /// Its algorithm is none of those that are asked for.
    Algorithm,
    /// It is signed with another key, or was changed.
    Signature,
    /// It says no time at which it ends.
    Endless,
    /// It has ended.
    Expired,
    /// It is not good yet.
    Early,
    /// Somebody else made it.
    Issuer,
    /// It is for somebody else.
    Audience,
}

impl Fault {
    /// Returns it as scripts catch it.
    pub fn value(self) -> Value {
        let (kind, message) = match self {
            Self::Malformed => ("malformed", "this is no token"),
            Self::Algorithm => ("algorithm", "the token is signed in a way that is not asked for"),
            Self::Signature => ("signature", "the token is signed with another key"),
            Self::Endless => ("endless", "the token says no time at which it ends (`exp`)"),
            Self::Expired => ("expired", "the token has expired"),
            Self::Early => ("early", "the token is not good yet"),
            Self::Issuer => ("issuer", "the token is from another issuer"),
            Self::Audience => ("audience", "the token is for another audience"),
        };
        Value::map([("kind", kind.into()), ("message", message.into())])
    }
}

impl Requirements {
    /// Checks what a token says whose signature is good.
    pub fn check(&self, claims: &Map) -> Result<(), Fault> {
        let now = self.now as f64;
        let leeway = self.leeway as f64;
        match seconds(claims, "exp")? {
            None => return Err(Fault::Endless),
            Some(end) if now >= end + leeway => return Err(Fault::Expired),
            Some(_) => {}
        }
        if seconds(claims, "nbf")?.is_some_and(|begin| now < begin - leeway) {
            return Err(Fault::Early);
        }
        if self.issuer.as_ref().is_some_and(|issuer| !names_one(claims, "iss", issuer)) {
            return Err(Fault::Issuer);
        }
        // RFC 7519, section 4.1.3: who is not named must not take it.
        match &self.audience {
            Some(audience) if !names_one(claims, "aud", audience) => Err(Fault::Audience),
            None if claims.contains_key("aud") => Err(Fault::Audience),
            _ => Ok(()),
        }
    }
}

/// Returns whether a claim, which is a string or an array of strings, names one of these.
fn names_one(claims: &Map, name: &str, wanted: &[String]) -> bool {
    let is_wanted = |value: &Value| value.as_text().is_some_and(|text| wanted.iter().any(|wanted| wanted == text));
    match claims.get(name) {
        Some(Value::Array(items)) => items.iter().any(is_wanted),
        Some(one) => is_wanted(one),
        None => false,
    }
}

/// Reads a time: seconds since 1970, which may have a fraction.
fn seconds(claims: &Map, name: &str) -> Result<Option<f64>, Fault> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Int(seconds)) => Ok(Some(*seconds as f64)),
        Some(Value::Float(seconds)) if seconds.is_finite() => Ok(Some(*seconds)),
        Some(_) => Err(Fault::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_says_is_checked() {
        let expected =
            Requirements { issuer: Some(vec!["me".into()]), audience: Some(vec!["a".into(), "b".into()]), leeway: 60, now: 1_000_000 };
        let good = || Map::from_iter([("exp".into(), 1_000_001.into()), ("iss".into(), "me".into()), ("aud".into(), "a".into())]);
        assert_eq!(expected.check(&good()), Ok(()));
        for (name, value, fault) in [
            ("exp", 999_941.into(), Ok(())),
            ("exp", 999_940.into(), Err(Fault::Expired)),
            ("exp", Value::Float(999_940.5), Ok(())),
            ("exp", Value::Float(f64::NAN), Err(Fault::Malformed)),
            ("exp", i64::MIN.into(), Err(Fault::Expired)),
            ("exp", i64::MAX.into(), Ok(())),
            ("exp", "1000001".into(), Err(Fault::Malformed)),
            ("exp", Value::Unit, Err(Fault::Malformed)),
            ("nbf", 1_000_060.into(), Ok(())),
            ("nbf", 1_000_061.into(), Err(Fault::Early)),
            ("nbf", i64::MAX.into(), Err(Fault::Early)),
            ("iss", "you".into(), Err(Fault::Issuer)),
            ("iss", Value::Unit, Err(Fault::Issuer)),
            ("aud", Value::Array(vec!["x".into(), "b".into()]), Ok(())),
            ("aud", Value::Array(vec![]), Err(Fault::Audience)),
            ("aud", "A".into(), Err(Fault::Audience)),
        ] {
            let mut claims = good();
            claims.insert(name.into(), value.clone());
            assert_eq!(expected.check(&claims), fault, "{name} {value:?}");
        }
        let mut endless = good();
        endless.remove("exp");
        assert_eq!(expected.check(&endless), Err(Fault::Endless));
        let nobody = Requirements { audience: None, ..expected };
        assert_eq!(nobody.check(&good()), Err(Fault::Audience), "a token for somebody is not for all");
    }
}
