//! Hashes, signatures, passwords and random values.

use std::sync::Arc;

use picloud::{
    engine::Engine,
    execution::Outcome,
    executor::{
        Executor,
        local::{Capacity, LocalExecutor},
    },
    function::LimitPolicy,
    sync::check::Checker,
};

use crate::kit::script::{answer, invocation, on_a_runtime, tree};

#[test]
fn hashes_are_those_of_the_standards() {
    for (call, hex) in [
        // FIPS 180-2, appendices B and C.
        ("sha256(\"abc\")", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha256(blob())", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (
            "sha512(\"abc\")",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        // RFC 4231, test cases 1 and 2.
        ("hmac_sha256(blob(20, 11), \"Hi There\")", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        ("hmac_sha256(\"Jefe\", \"what do ya want for nothing?\")", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    ] {
        assert_eq!(answer(&format!("encoding::hex(crypto::{call})")), hex, "{call}");
    }
}

#[test]
fn equal_looks_at_bytes() {
    for (call, is_equal) in [
        ("\"a\", \"a\"", true),
        ("\"a\", \"b\"", false),
        ("\"a\", \"aa\"", false),
        ("\"\", \"\"", true),
        ("\"abc\", \"abc\".to_blob()", true),
        ("blob(3), blob(4)", false),
    ] {
        assert_eq!(answer(&format!("crypto::equal({call})")), is_equal.to_string(), "{call}");
    }
}

/// The first two test vectors of RFC 8032, section 7.1, and the key of RFC 8410, section 10.3.
#[test]
fn ed25519_signs_as_its_standard_says() {
    for (private, public, data, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ] {
        let script = |then: &str| {
            format!(
                "let secret_key = encoding::from_hex(\"{private}\"); let public_key = encoding::from_hex(\"{public}\"); let data = encoding::from_hex(\"{data}\"); let signature = encoding::from_hex(\"{signature}\"); {then}"
            )
        };
        assert_eq!(answer(&script("encoding::hex(crypto::ed25519_sign(secret_key, data))")), signature);
        assert_eq!(answer(&script("crypto::ed25519_verify(public_key, data, signature)")), "true");
        assert_eq!(answer(&script("crypto::ed25519_verify(public_key, \"x\", signature)")), "false");
        assert_eq!(answer(&script("signature[0] = 1; crypto::ed25519_verify(public_key, data, signature)")), "false");
        assert_eq!(answer(&script("crypto::ed25519_verify(public_key, data, \"short\")")), "false");
    }
    let pem = r#"
        let secret_key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        let public_key = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        crypto::ed25519_verify(public_key, "x", crypto::ed25519_sign(secret_key, "x"))"#;
    assert_eq!(answer(pem), "true");
}

#[test]
fn random_values_are_others_each_time() {
    assert_eq!(answer("crypto::random(32).len() == 32 && crypto::random(16) != crypto::random(16)"), "true");
    assert_eq!(answer("crypto::random(0).len()"), "0");
    for (call, version) in [("uuid", "4"), ("uuid7", "7")] {
        let uuid = answer(&format!("crypto::{call}()"));
        assert_eq!((uuid.len(), &uuid[14..15]), (36, version), "{uuid}");
        assert_eq!(answer(&format!("crypto::{call}() != crypto::{call}()")), "true");
    }
    assert_eq!(answer("let a = crypto::uuid7(); a.sub_string(0, 8) <= crypto::uuid7().sub_string(0, 8)"), "true");
}

#[test]
fn what_makes_no_sense_is_told() {
    for (call, message) in [
        ("random(-1)", "`count` is a whole number from 0 to 65536, not -1"),
        ("random(65_537)", "`count` is a whole number from 0 to 65536, not 65537"),
        ("hmac_sha256(\"\", \"x\")", "`key` is empty: with it anybody could sign"),
        ("hmac_sha256((), \"x\")", "`key` is a string, a blob or a secret, not ()"),
        ("hmac_sha256(blob(20_000), \"x\")", "`key` has 20000 bytes, and a key has at most 16384"),
        (
            "ed25519_verify(\"x\", \"x\", \"x\")",
            "`public_key` is no Ed25519 key: it is a blob of 32 bytes, or a text that begins with `-----BEGIN PUBLIC KEY-----`",
        ),
        (
            "ed25519_sign(blob(31), \"x\")",
            "`private_key` is no Ed25519 key: it is a blob of 32 bytes, or a text that begins with `-----BEGIN PRIVATE KEY-----`",
        ),
    ] {
        let name = call.split_once('(').unwrap().0;
        assert_eq!(
            answer(&format!("let r = (); try {{ r = crypto::{call}; }} catch (why) {{ r = why; }} r")),
            format!("`crypto::{name}`: {message}")
        );
    }
}

/// Runs a script where it may wait.
fn answer_of_one_that_waits(script: &'static str, expected: &'static str) {
    on_a_runtime(move || async move {
        let engine = Arc::new(Engine::new(LimitPolicy::default()));
        let executor = LocalExecutor::new(engine.clone(), &Capacity::default(), Arc::new(|_| ()));
        let report = Checker::new(engine).check(&Arc::new(tree(&[("a.rhai", script)])));
        assert!(report.is_good(), "{:?}", report.diagnostics);
        let functions: Vec<_> = report.functions.values().cloned().collect();
        executor.load(&functions).await.unwrap();
        let finished = executor.execute(functions[0].version, invocation("/", &[], ""), None).await.unwrap();
        let reply = finished.reply.unwrap_or_else(|| panic!("{:?}", finished.execution.failure));
        assert_eq!(String::from_utf8_lossy(&reply.body), expected, "{script}");
    });
}

#[test]
fn a_password_is_known_by_its_hash() {
    answer_of_one_that_waits(
        "+++\ntimeout = \"60s\"\n+++\nlet hash = crypto::password_hash(\"sesame\");
         [hash.starts_with(\"$argon2id$v=19$m=19456,t=2,p=1$\"), crypto::password_verify(\"sesame\", hash), crypto::password_verify(\"sesamE\", hash),
          crypto::password_verify(\"\", hash), hash != crypto::password_hash(\"sesame\")]",
        "[true,true,false,false,true]",
    );
}

/// Made with the command `argon2` of the reference implementation, as its README shows: salt `somesalt`, password `password`.
#[test]
fn a_hash_that_was_made_elsewhere_is_known() {
    answer_of_one_that_waits(
        "let hash = \"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4\";
         [crypto::password_verify(\"password\", hash), crypto::password_verify(\"passwore\", hash)]",
        "[true,false]",
    );
}

#[test]
fn a_password_or_hash_that_is_none_is_told() {
    answer_of_one_that_waits(
        "let long = \"\"; long.pad(4_097, \"x\"); let found = [];
         try { crypto::password_hash(\"\") } catch (why) { found.push(why) }
         try { crypto::password_hash(long) } catch (why) { found.push(why) }
         try { crypto::password_verify(\"x\", \"$2b$12$x\") } catch (why) { found.push(why.split(\": \")[1]) }
         try { crypto::password_verify(\"x\", \"$argon2id$v=19$m=999999,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4\") } catch (why) { found.push(why.contains(\"takes too much\")) }
         found",
        "[\"`crypto::password_hash`: a password has 1 to 4096 bytes\",\"`crypto::password_hash`: a password has 1 to 4096 bytes\",\"`hash` is none that `crypto::password_hash` gives\",true]",
    );
}

#[test]
fn a_hash_needs_room_in_the_run() {
    on_a_runtime(|| async {
        let script = "+++\n[limits]\nmemory = \"8MiB\"\n+++\ncrypto::password_hash(\"sesame\")";
        let engine = Arc::new(Engine::new(LimitPolicy::default()));
        let executor = LocalExecutor::new(engine.clone(), &Capacity::default(), Arc::new(|_| ()));
        let report = Checker::new(engine).check(&Arc::new(tree(&[("a.rhai", script)])));
        let functions: Vec<_> = report.functions.values().cloned().collect();
        executor.load(&functions).await.unwrap();
        let execution = executor.execute(functions[0].version, invocation("/", &[], ""), None).await.unwrap().execution;
        assert_eq!(execution.outcome, Outcome::MemoryExceeded);
        assert!(execution.peak_memory_bytes < 8 << 20, "it was refused before it was allocated");
    });
}
