//! JSON Web Tokens.

use crate::kit::script::answer;

const RSA: &str = include_str!("keys/rsa.pem");
const RSA_PKCS1: &str = include_str!("keys/rsa.pkcs1.pem");
const RSA_PUBLIC: &str = include_str!("keys/rsa.pub.pem");
const EC: &str = include_str!("keys/ec.pem");
const EC_PUBLIC: &str = include_str!("keys/ec.pub.pem");
/// RFC 8410, section 10.3.
const ED: &str =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
const ED_PUBLIC: &str =
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

/// Made with OpenSSL: `{"sub":"ada","exp":4102444800}`.
const OF_RSA: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDB9.keMUaS9SENjptgOiRw8zhES2Puk-ebyslxaRwH3bn-FvnzYvoHRwHFYOiSBB_0UH5m4tDUPNIhKj4QY-j4k5if6fBAF10MXR-NTQd3tmRzCZEfTslm98LfkKIt_DsTyRgknzJUua4HzDIHvwNNwzBcWMV0jU6KC_ydgKg9SWPMu1ksLrt8b41H-OK0exwCEnok6LFl49Ek0Wuk3BsAjWwzOdgaH509Wh2LKGe5Sojwb3aGRi-K2n6gXP-BP67LwxorzHdtDjl14cKWtFSRrzcV8WpJKPV0SYOrAF5YjT9p879veqT2fX4NEInOWDQ41NLsHdQzw_o_n7so1aV10VCQ";
const OF_EC: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDB9.wFA3MrM8_c-O1ZYugyKnDShTMhhm9SdMke0HZOb79XgL9G3GW13m_Er4iyxTAWJtaBa3vf8pEGlhpOe7uhkGWA";

/// RFC 7515, appendix A.1: it was good until 2011.
const OF_RFC: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const KEY_OF_RFC: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

/// What verifying comes to: who the token is of, or the kind of its fault, or what is wrong with the call.
fn verified(token: &str, key: &str, options: &str) -> String {
    answer(&format!(
        "let r = (); try {{ r = jwt::verify({token}, {key}, #{{ {options} }}).sub; }} catch (why) {{ r = if type_of(why) == \"map\" {{ why.kind }} else {{ why }}; }} r"
    ))
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

#[test]
fn each_algorithm_signs_and_verifies() {
    for (algorithm, key, public, other) in [
        ("HS256", "sesame", "sesame", "sesam"),
        ("HS384", "sesame", "sesame", "sesam"),
        ("HS512", "sesame", "sesame", "sesam"),
        ("RS256", RSA, RSA_PUBLIC, ""),
        ("RS256", RSA_PKCS1, RSA_PUBLIC, ""),
        ("ES256", EC, EC_PUBLIC, ""),
        ("EdDSA", ED, ED_PUBLIC, ""),
    ] {
        let token = format!("jwt::sign(#{{ sub: \"ada\" }}, {key:?}, #{{ algorithm: \"{algorithm}\", ttl: \"1h\", kid: \"k1\" }})");
        let options = format!("algorithms: [\"{algorithm}\"]");
        assert_eq!(verified(&token, &quoted(public), &options), "ada", "{algorithm}");
        let changed = format!(
            "{token}.split(\".\").reduce(|all, part, i| if i == 0 {{ part }} else if i == 1 {{ all + \".eyJzdWIiOiJldmUiLCJleHAiOjQxMDI0NDQ4MDB9\" }} else {{ all + \".\" + part }})"
        );
        assert_eq!(verified(&changed, &quoted(public), &options), "signature", "{algorithm}");
        if !other.is_empty() {
            assert_eq!(verified(&token, &quoted(other), &options), "signature", "{algorithm}");
        }
    }
}

#[test]
fn tokens_of_others_are_read() {
    for (token, key, algorithm, found) in [
        (OF_RSA, quoted(RSA_PUBLIC), "RS256", "ada"),
        (OF_EC, quoted(EC_PUBLIC), "ES256", "ada"),
        (OF_RFC, format!("encoding::from_base64url({KEY_OF_RFC:?})"), "HS256", "expired"),
        (OF_RFC, quoted("another"), "HS256", "signature"),
    ] {
        assert_eq!(verified(&quoted(token), &key, &format!("algorithms: [\"{algorithm}\"]")), found, "{token}");
    }
}

#[test]
fn a_token_does_not_decide_how_it_is_verified() {
    let unsigned = "`${encoding::base64url(`{\"alg\":\"none\"}`)}.${encoding::base64url(`{\"sub\":\"eve\",\"exp\":4102444800}`)}.`";
    // The old attack: a public key as the text that both sides know.
    let confused = format!(
        "{{ let signed = `${{encoding::base64url(`{{\"alg\":\"HS256\"}}`)}}.${{encoding::base64url(`{{\"sub\":\"eve\",\"exp\":4102444800}}`)}}`; signed + \".\" + encoding::base64url(crypto::hmac_sha256({RSA_PUBLIC:?}, signed)) }}"
    );
    let critical = "{ let signed = `${encoding::base64url(`{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}`)}.${encoding::base64url(`{\"sub\":\"eve\",\"exp\":4102444800}`)}`; signed + \".\" + encoding::base64url(crypto::hmac_sha256(\"sesame\", signed)) }";
    for (token, key, options, found) in [
        (unsigned, "\"sesame\"", "algorithms: [\"HS256\"]", "algorithm"),
        (&confused, &*quoted(RSA_PUBLIC), "algorithms: [\"RS256\"]", "algorithm"),
        (
            &confused,
            &*quoted(RSA_PUBLIC),
            "algorithms: [\"HS256\"]",
            "`jwt::verify`: `key` is a PEM, which is no key of HS256, HS384 or HS512: they have a random text that both sides know",
        ),
        (critical, "\"sesame\"", "algorithms: [\"HS256\"]", "algorithm"),
        (&*quoted(OF_RSA), "\"sesame\"", "algorithms: [\"HS256\"]", "algorithm"),
        ("\"\"", "\"sesame\"", "algorithms: [\"HS256\"]", "malformed"),
        ("\"a.b.c\"", "\"sesame\"", "algorithms: [\"HS256\"]", "malformed"),
        ("\"a.b\"", "\"sesame\"", "algorithms: [\"HS256\"]", "malformed"),
        (&*format!("{:?} + \"=\"", OF_RFC), "\"sesame\"", "algorithms: [\"HS256\"]", "malformed"),
        (&*format!("{:?} + \".x\"", OF_RFC), "\"sesame\"", "algorithms: [\"HS256\"]", "malformed"),
        ("{ let t = \"\"; t.pad(20_000, \"x\"); t }", "\"sesame\"", "algorithms: [\"HS256\"]", "malformed"),
    ] {
        assert_eq!(verified(token, key, options), found, "{token} {options}");
    }
}

#[test]
fn what_the_script_asks_for_is_checked() {
    let token = |claims: &str| format!("jwt::sign(#{{ sub: \"ada\", {claims} }}, \"sesame\", #{{ algorithm: \"HS256\", ttl: \"1h\" }})");
    for (claims, options, found) in [
        ("iss: \"me\"", "issuer: \"me\"", "ada"),
        ("iss: \"me\"", "issuer: [\"you\", \"me\"]", "ada"),
        ("iss: \"me\"", "issuer: \"you\"", "issuer"),
        ("", "issuer: \"me\"", "issuer"),
        ("aud: [\"a\", \"b\"]", "audience: \"b\"", "ada"),
        ("aud: \"a\"", "audience: \"b\"", "audience"),
        ("aud: \"a\"", "", "audience"),
        ("nbf: 4102444800", "", "early"),
    ] {
        assert_eq!(verified(&token(claims), "\"sesame\"", &format!("algorithms: [\"HS256\"], {options}")), found, "{claims} {options}");
    }
    let ended = |seconds: i64| {
        format!(
            "{{ let now = parse_json(encoding::from_base64url(jwt::sign(#{{}}, \"x\", #{{ algorithm: \"HS256\", ttl: \"1h\" }}).split(\".\")[1]).as_string()).iat; jwt::sign(#{{ sub: \"ada\", exp: now - {seconds} }}, \"sesame\", #{{ algorithm: \"HS256\" }}) }}"
        )
    };
    assert_eq!(verified(&ended(10), "\"sesame\"", "algorithms: [\"HS256\"]"), "ada");
    assert_eq!(verified(&ended(10), "\"sesame\"", "algorithms: [\"HS256\"], leeway: \"0s\""), "expired");
    assert_eq!(verified(&ended(120), "\"sesame\"", "algorithms: [\"HS256\"]"), "expired");
}

#[test]
fn what_makes_no_sense_is_told() {
    const KNOWN: &str = "`HS256`, `HS384`, `HS512`, `RS256`, `ES256`, `EdDSA`";
    for (call, message) in [
        ("verify(\"\", \"k\", #{})", format!("the option `algorithms` is missing, an array of names: {KNOWN}")),
        ("verify(\"\", \"k\", #{ algorithms: [] })", format!("the option `algorithms` is missing, an array of names: {KNOWN}")),
        ("verify(\"\", \"k\", #{ algorithms: [\"none\"] })", format!("there is no algorithm `none` (there are {KNOWN})")),
        (
            "verify(\"\", \"k\", #{ algorithms: [\"HS265\"] })",
            format!("there is no algorithm `HS265`; did you mean `HS256`? (there are {KNOWN})"),
        ),
        ("verify(\"\", \"k\", #{ algorithms: [1] })", "the option `algorithms` is a string or an array of strings, not a number".into()),
        (
            "verify(\"\", \"k\", #{ algorithms: [\"HS256\", \"RS256\"] })",
            "the option `algorithms` mixes kinds of keys: a token has one key".into(),
        ),
        ("verify(\"\", \"k\", #{ algorithms: \"HS256\", leeway: \"2h\" })", "the option `leeway` is at most \"1h\"".into()),
        ("sign(#{}, \"k\", #{})", format!("the option `algorithm` is missing: {KNOWN}")),
        (
            "sign(#{}, \"k\", #{ algorithm: \"HS256\" })",
            "a token ends at some time: say `ttl: \"1h\"` in the options, or `exp` in the claims".into(),
        ),
        (
            "sign(#{ exp: 1, x: || 1 }, \"k\", #{ algorithm: \"HS256\" })",
            "the claims are no JSON: a value of type `Fn` has no form in JSON".into(),
        ),
        ("sign(#{}, \"\", #{ algorithm: \"HS256\", ttl: \"1h\" })", "`key` is empty: with it anybody could sign".into()),
        (
            "sign(#{}, \"k\", #{ algorithm: \"ES256\", ttl: \"1h\" })",
            "`key` is no private key of the curve P-256, which ES256 needs: a text that begins with `-----BEGIN PRIVATE KEY-----`".into(),
        ),
    ] {
        let name = call.split_once('(').unwrap().0;
        assert_eq!(
            answer(&format!("let r = (); try {{ r = jwt::{call}; }} catch (why) {{ r = why; }} r")),
            format!("`jwt::{name}`: {message}")
        );
    }
}
