//! Tokens: a name, a hash, and what they allow until when.

use picloud::access::{Principal, Scope, Token, TokenHash};

use crate::kit::{Fresh, NOW_US, on_both};

on_both! {
    a_token_is_found_by_its_hash_until_it_is_revoked
    a_name_is_given_once
    an_expired_token_is_worth_nothing
    use_is_noted_once_a_minute
}

const MINUTE_US: i64 = 60_000_000;

fn token(name: &str, scope: Scope) -> Token {
    Token { name: name.into(), scope, created_us: NOW_US, expires_us: None, last_used_us: None }
}

async fn a_token_is_found_by_its_hash_until_it_is_revoked(fresh: Fresh) {
    let store = fresh.open().await;
    for (name, scope) in [("c", Scope::Admin), ("B", Scope::Deploy), ("a", Scope::Read)] {
        assert!(store.create_token(&token(name, scope), &TokenHash::of(name)).await.unwrap());
        let principal = Principal { name: name.into(), scope };
        assert_eq!(store.token_by_hash(&TokenHash::of(name), NOW_US).await.unwrap(), Some(principal));
    }
    assert_eq!(store.token_by_hash(&TokenHash::of("d"), NOW_US).await.unwrap(), None);
    let names: Vec<String> = store.tokens().await.unwrap().into_iter().map(|token| token.name).collect();
    assert_eq!(names, ["B", "a", "c"]);
    assert!(store.revoke_token("a").await.unwrap());
    assert!(!store.revoke_token("a").await.unwrap());
    assert_eq!(store.token_by_hash(&TokenHash::of("a"), NOW_US).await.unwrap(), None);
}

async fn a_name_is_given_once(fresh: Fresh) {
    let store = fresh.open().await;
    assert!(store.create_token(&token("ci", Scope::Read), &TokenHash::of("1")).await.unwrap());
    assert!(!store.create_token(&token("ci", Scope::Admin), &TokenHash::of("2")).await.unwrap());
    assert_eq!(store.tokens().await.unwrap(), [token("ci", Scope::Read)]);
    assert_eq!(store.token_by_hash(&TokenHash::of("2"), NOW_US).await.unwrap(), None);
}

async fn an_expired_token_is_worth_nothing(fresh: Fresh) {
    let store = fresh.open().await;
    let brief = Token { expires_us: Some(NOW_US + 5), ..token("brief", Scope::Read) };
    assert!(store.create_token(&brief, &TokenHash::of("1")).await.unwrap());
    assert!(store.token_by_hash(&TokenHash::of("1"), NOW_US + 4).await.unwrap().is_some());
    assert!(store.token_by_hash(&TokenHash::of("1"), NOW_US + 5).await.unwrap().is_none());
}

async fn use_is_noted_once_a_minute(fresh: Fresh) {
    let store = fresh.open().await;
    assert!(store.create_token(&token("ci", Scope::Read), &TokenHash::of("1")).await.unwrap());
    for (used_us, noted_us) in [(NOW_US, NOW_US), (NOW_US + MINUTE_US, NOW_US), (NOW_US + MINUTE_US + 1, NOW_US + MINUTE_US + 1)] {
        store.token_by_hash(&TokenHash::of("1"), used_us).await.unwrap();
        assert_eq!(store.tokens().await.unwrap()[0].last_used_us, Some(noted_us));
    }
}
