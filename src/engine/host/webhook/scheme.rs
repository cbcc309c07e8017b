//! How providers sign their webhooks.

use std::borrow::Cow;

use base64::Engine as _;
use http::{HeaderMap, HeaderName};

use crate::{
    engine::host::{HostError, Options, encoding::BASE64},
    function::diagnostic::near_miss,
    hex,
    secret::is_equal,
    signature::{Hash, StandardSignature, hmac, is_recent},
};

/// How a provider signs.
#[derive(Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `X-Hub-Signature-256: sha256=…`
    GitHub,
    /// `Stripe-Signature: t=…,v1=…`
    Stripe,
    /// `X-Slack-Signature: v0=…` and `X-Slack-Request-Timestamp`
    Slack,
    /// `X-Gitlab-Token`, the secret itself.
    GitLab,
    /// `webhook-signature: v1,…` with `webhook-id` and `webhook-timestamp`: see `standardwebhooks.com`. Svix names its headers otherwise.
    Standard,
    /// An HMAC of the body in some header.
    Hmac {
        /// The header.
        header: HeaderName,
        /// The hash function.
        hash: Hash,
        /// How its bytes are written.
        encoding: Encoding,
        /// What stands before them.
        prefix: String,
    },
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal digits.
    Hex,
    /// Base64, with or without padding.
    Base64,
}

/// Why a webhook is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header is missing.
    #[error("the request has no header `{0}`")]
    NoHeader(String),
    /// None of its signatures is made of this body with this secret.
    #[error("the signature in `{0}` is none of this body with this secret")]
    WrongSignature(String),
    /// The time that is signed is too long ago, or to come.
    #[error("the time in `{0}` is more than five minutes from now, or no time: somebody may send a webhook again that was seen before")]
    WrongTime(String),
}

const PROVIDERS: [&str; 6] = ["github", "stripe", "slack", "gitlab", "standard", "hmac"];

impl Scheme {
    /// Reads the name of a provider, and the options of `hmac`.
    pub fn parse(provider: &str, options: Options<'_>) -> Result<Self, HostError> {
        let scheme = match provider {
            "github" => Self::GitHub,
            "stripe" => Self::Stripe,
            "slack" => Self::Slack,
            "gitlab" => Self::GitLab,
            "standard" => Self::Standard,
            "hmac" => return Self::hmac(options),
            _ => {
                let near = near_miss(provider, PROVIDERS).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                let known = PROVIDERS.map(|name| format!("`{name}`")).join(", ");
                return Err(format!("there is no provider `{provider}`{near} (there are {known}; `hmac` is for others)").into());
            }
        };
        match options.is_empty() {
            true => Ok(scheme),
            false => Err(format!("the provider `{provider}` has no options: only `hmac` has").into()),
        }
    }

    fn hmac(options: Options<'_>) -> Result<Self, HostError> {
        let header = options.text("header")?.ok_or("the option `header` is missing: the header that has the signature")?;
        let header = HeaderName::from_bytes(header.as_bytes()).map_err(|_| "the option `header` is the name of a header")?;
        let hash = match options.text("algorithm")?.unwrap_or("sha256") {
            "sha1" => Hash::Sha1,
            "sha256" => Hash::Sha256,
            "sha384" => Hash::Sha384,
            "sha512" => Hash::Sha512,
            other => return Err(format!("the option `algorithm` is `sha1`, `sha256`, `sha384` or `sha512`, not `{other}`").into()),
        };
        let encoding = match options.text("encoding")?.unwrap_or("hex") {
            "hex" => Encoding::Hex,
            "base64" => Encoding::Base64,
            other => return Err(format!("the option `encoding` is `hex` or `base64`, not `{other}`").into()),
        };
        Ok(Self::Hmac { header, hash, encoding, prefix: options.text("prefix")?.unwrap_or_default().into() })
    }

    /// Returns whether a request is signed with one of these secrets, within five minutes of now where the time is signed.
    pub fn verify(&self, secrets: &[Cow<'_, [u8]>], headers: &HeaderMap, body: &[u8], now_us: i64) -> Result<(), Refusal> {
        let request = SignedRequest { secrets, headers, body, now_us };
        match self {
            Self::GitHub => request.by_hmac("x-hub-signature-256", Hash::Sha256, Encoding::Hex, "sha256="),
            Self::Hmac { header, hash, encoding, prefix } => request.by_hmac(header.as_str(), *hash, *encoding, prefix),
            Self::Stripe => request.by_stripe(),
            Self::Slack => request.by_slack(),
            Self::GitLab => {
                let token = request.header("x-gitlab-token")?;
                request.judge("x-gitlab-token", secrets.iter().any(|secret| is_equal(secret, token)))
            }
            Self::Standard if headers.contains_key("svix-id") => request.by_standard("svix-id", "svix-timestamp", "svix-signature"),
            Self::Standard => request.by_standard("webhook-id", "webhook-timestamp", "webhook-signature"),
        }
    }
}

/// A request and what it is judged by.
struct SignedRequest<'a> {
    secrets: &'a [Cow<'a, [u8]>],
    headers: &'a HeaderMap,
    body: &'a [u8],
    now_us: i64,
}

impl<'a> SignedRequest<'a> {
    fn header(&self, name: &str) -> Result<&'a [u8], Refusal> {
        self.headers.get(name).map(http::HeaderValue::as_bytes).ok_or_else(|| Refusal::NoHeader(name.into()))
    }

    fn judge(&self, header: &str, is_signed: bool) -> Result<(), Refusal> {
        is_signed.then_some(()).ok_or_else(|| Refusal::WrongSignature(header.into()))
    }

    fn is_recent(&self, header: &str, seconds: &[u8]) -> Result<(), Refusal> {
        is_recent(seconds, self.now_us).then_some(()).ok_or_else(|| Refusal::WrongTime(header.into()))
    }

    /// Returns whether one of the secrets makes one of these signatures of these parts.
    fn is_made_of(&self, hash: Hash, parts: &[&[u8]], signatures: &[Vec<u8>]) -> bool {
        let tags = self.secrets.iter().map(|secret| hmac(hash, secret, parts));
        tags.into_iter().any(|tag| signatures.iter().any(|signature| is_equal(tag.as_ref(), signature)))
    }

    fn by_hmac(&self, header: &str, hash: Hash, encoding: Encoding, prefix: &str) -> Result<(), Refusal> {
        let signature = self.header(header)?.strip_prefix(prefix.as_bytes()).and_then(|text| match encoding {
            Encoding::Hex => hex::decode(text).ok(),
            Encoding::Base64 => BASE64.decode(text).ok(),
        });
        self.judge(header, signature.is_some_and(|signature| self.is_made_of(hash, &[self.body], &[signature])))
    }

    /// The header is a list: the time, and a signature for each secret while one is replaced.
    fn by_stripe(&self) -> Result<(), Refusal> {
        const HEADER: &str = "stripe-signature";
        let items = || self.headers.get(HEADER).into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        self.header(HEADER)?;
        let time = items().find_map(|item| item.strip_prefix(b"t=")).unwrap_or_default();
        let signatures = items().filter_map(|item| hex::decode(item.strip_prefix(b"v1=")?).ok());
        let signatures: Vec<_> = signatures.take(MAX_SIGNATURES).collect();
        self.judge(HEADER, self.is_made_of(Hash::Sha256, &[time, b".", self.body], &signatures))?;
        self.is_recent(HEADER, time)
    }

    fn by_slack(&self) -> Result<(), Refusal> {
        let (header, time) = ("x-slack-signature", "x-slack-request-timestamp");
        let (signature, seconds) = (self.header(header)?, self.header(time)?);
        let signature = signature.strip_prefix(b"v0=").and_then(|digits| hex::decode(digits).ok());
        let parts = [b"v0:", seconds, b":", self.body];
        self.judge(header, signature.is_some_and(|signature| self.is_made_of(Hash::Sha256, &parts, &[signature])))?;
        self.is_recent(time, seconds)
    }

    fn by_standard(&self, id: &str, time: &str, signatures: &str) -> Result<(), Refusal> {
        let signature = StandardSignature { id: self.header(id)?, time: self.header(time)?, signatures: self.header(signatures)? };
        self.judge(signatures, self.secrets.iter().any(|secret| signature.is_of(secret, self.body)))?;
        self.is_recent(time, signature.time)
    }
}

/// Most signatures of one request that are looked at: a sender signs with two secrets at most.
const MAX_SIGNATURES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::value::plain::{Map, Value};

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        given.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn scheme(provider: &str, options: &[(&str, &str)]) -> Result<Scheme, HostError> {
        let options: Map = options.iter().map(|(name, value)| ((*name).into(), Value::from(*value))).collect();
        Scheme::parse(provider, Options::new(&options, &["header", "algorithm", "encoding", "prefix"])?)
    }

    fn verify(provider: &str, secret: &str, given: &[(&'static str, &str)], body: &str, now: i64) -> Result<(), Refusal> {
        let secrets = [Cow::Borrowed(&b"another"[..]), Cow::Borrowed(secret.as_bytes())];
        scheme(provider, &[]).unwrap().verify(&secrets, &headers(given), body.as_bytes(), now * 1_000_000)
    }

    const GITHUB: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    const SLACK: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const SLACK_BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const STANDARD: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn wrong(header: &str) -> Result<(), Refusal> {
        Err(Refusal::WrongSignature(header.into()))
    }

    /// From the documentation of GitHub, Slack, and Standard Webhooks.
    #[test]
    fn the_examples_of_the_providers_are_believed() {
        let secret = "It's a Secret to Everybody";
        assert_eq!(verify("github", secret, &[("x-hub-signature-256", GITHUB)], "Hello, World!", 0), Ok(()));
        let time = "1531420618";
        let slack = [("x-slack-signature", SLACK), ("x-slack-request-timestamp", time)];
        let secret = "8f742231b10e8888abcd99yyyzzz85a5";
        assert_eq!(verify("slack", secret, &slack, SLACK_BODY, 1_531_420_618), Ok(()));
        assert_eq!(verify("slack", secret, &slack, SLACK_BODY, 1_531_420_919), Err(Refusal::WrongTime("x-slack-request-timestamp".into())));
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        for [id, time, signature] in
            [["webhook-id", "webhook-timestamp", "webhook-signature"], ["svix-id", "svix-timestamp", "svix-signature"]]
        {
            let given = [(id, "msg_p5jXN8AQM9LWM0D4loKWxJek"), (time, "1614265330"), (signature, STANDARD)];
            let body = "{\"test\": 2432232314}";
            assert_eq!(verify("standard", secret, &given, body, 1_614_265_330), Ok(()));
            assert_eq!(verify("standard", secret, &given, body, 1_614_265_029), Err(Refusal::WrongTime(time.into())));
            assert_eq!(verify("standard", secret, &given, "{}", 1_614_265_330), wrong(signature));
            for no_key in ["whsec_", "whsec_!!"] {
                assert_eq!(verify("standard", no_key, &given, body, 1_614_265_330), wrong(signature), "{no_key}");
            }
            assert_eq!(verify("standard", secret, &given[..2], body, 1_614_265_330), Err(Refusal::NoHeader(signature.into())));
        }
    }

    #[test]
    fn stripe_signs_time_and_body() {
        let (secret, now) = ("whsec_test", 1_492_774_577);
        let digits = |secret: &str, time: i64| {
            hex::Hex(hmac(Hash::Sha256, secret.as_bytes(), &[format!("{time}.{{}}").as_bytes()]).as_ref()).to_string()
        };
        let (right, old, other) = (digits(secret, now), digits(secret, now - 301), digits("whsec_other", now));
        for (header, expected) in [
            (format!("t={now},v1={right},v0=00"), Ok(())),
            (format!("t={now},v1={other},v1={right}"), Ok(())),
            (format!("t={now},v1={other}"), wrong("stripe-signature")),
            (format!("t={now},v0={right}"), wrong("stripe-signature")),
            (format!("t={},v1={right}", now - 1), wrong("stripe-signature")),
            (format!("v1={right}"), wrong("stripe-signature")),
            (format!("t={},v1={old}", now - 301), Err(Refusal::WrongTime("stripe-signature".into()))),
            (String::new(), wrong("stripe-signature")),
            ("t=,v1=zz,,=".into(), wrong("stripe-signature")),
        ] {
            assert_eq!(verify("stripe", secret, &[("stripe-signature", &header)], "{}", now), expected, "{header}");
        }
        assert_eq!(verify("stripe", secret, &[], "{}", now), Err(Refusal::NoHeader("stripe-signature".into())));
    }

    #[test]
    fn what_is_not_signed_is_not_believed() {
        let upper = GITHUB.to_uppercase().replace("SHA256", "sha256");
        for (provider, given, expected) in [
            ("github", &[("x-hub-signature-256", &*upper)][..], Ok(())),
            ("github", &[], Err(Refusal::NoHeader("x-hub-signature-256".into()))),
            ("github", &[("x-hub-signature", GITHUB)], Err(Refusal::NoHeader("x-hub-signature-256".into()))),
            ("github", &[("x-hub-signature-256", &GITHUB[7..])], wrong("x-hub-signature-256")),
            ("github", &[("x-hub-signature-256", &GITHUB[..69])], wrong("x-hub-signature-256")),
            ("github", &[("x-hub-signature-256", "sha256=")], wrong("x-hub-signature-256")),
            ("gitlab", &[("x-gitlab-token", "It's a Secret to Everybody")], Ok(())),
            ("gitlab", &[("x-gitlab-token", "It's a Secret to")], wrong("x-gitlab-token")),
            ("gitlab", &[("x-gitlab-token", "")], wrong("x-gitlab-token")),
            ("gitlab", &[], Err(Refusal::NoHeader("x-gitlab-token".into()))),
            ("slack", &[("x-slack-signature", SLACK)], Err(Refusal::NoHeader("x-slack-request-timestamp".into()))),
        ] {
            assert_eq!(verify(provider, "It's a Secret to Everybody", given, "Hello, World!", 0), expected, "{provider} {given:?}");
        }
    }

    #[test]
    fn an_hmac_may_be_anywhere() {
        for (options, value) in [
            (&[("header", "X-Signature")][..], GITHUB.strip_prefix("sha256=").unwrap().to_owned()),
            (&[("header", "x-signature"), ("prefix", "sha256=")], GITHUB.to_owned()),
            (&[("header", "x-signature"), ("encoding", "base64")], "dXEH6g6yUJ/CESIczphLijdXC211hsIsRvQ3nIsEPhc=".to_owned()),
            (&[("header", "x-signature"), ("algorithm", "sha1")], sha1()),
        ] {
            let secrets = [Cow::Borrowed(&b"It's a Secret to Everybody"[..])];
            let verified = scheme("hmac", options).unwrap().verify(&secrets, &headers(&[("x-signature", &value)]), b"Hello, World!", 0);
            assert_eq!(verified, Ok(()), "{options:?}");
        }
    }

    fn sha1() -> String {
        hex::Hex(hmac(Hash::Sha1, b"It's a Secret to Everybody", &[b"Hello, World!"]).as_ref()).to_string()
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (provider, options, message) in [
            (
                "githup",
                &[][..],
                "there is no provider `githup`; did you mean `github`? (there are `github`, `stripe`, `slack`, `gitlab`, `standard`, `hmac`; `hmac` is for others)",
            ),
            ("github", &[("header", "x")], "the provider `github` has no options: only `hmac` has"),
            ("hmac", &[], "the option `header` is missing: the header that has the signature"),
            ("hmac", &[("header", "a b")], "the option `header` is the name of a header"),
            (
                "hmac",
                &[("header", "x"), ("algorithm", "md5")],
                "the option `algorithm` is `sha1`, `sha256`, `sha384` or `sha512`, not `md5`",
            ),
            ("hmac", &[("header", "x"), ("encoding", "binary")], "the option `encoding` is `hex` or `base64`, not `binary`"),
        ] {
            let Err(HostError::Wrong(found)) = scheme(provider, options) else { panic!("{provider} {options:?} is taken") };
            assert_eq!(found, message);
        }
    }
}
