//! Tokens: a name, a hash, and what they allow until when.

use picloud::{
    access::{Principal, Scope, Token, TokenHash, revocation},
    audit::{Action, Actor, AuditFilter, Origin, Record},
};

use crate::kit::store::{Fresh, NOW_US, on_both};

on_both! {
    a_token_is_found_by_its_hash_until_it_is_revoked
    a_name_is_given_once
    an_expired_token_is_worth_nothing
    use_is_noted_once_a_minute
    a_token_for_some_functions_stays_one
    what_was_not_done_is_not_written_down
}

const MINUTE_US: i64 = 60_000_000;

fn token(name: &str, scope: Scope) -> Token {
    Token::new(name.into(), scope, None, NOW_US, None)
}

fn actor() -> Actor {
    Actor { who: "ann".into(), origin: Origin::Cli }
}

fn made(token: &Token) -> Record {
    token.creation(&actor())
}

fn gone(name: &str) -> Record {
    revocation(name, &actor(), NOW_US)
}

async fn a_token_is_found_by_its_hash_until_it_is_revoked(fresh: Fresh) {
    let store = fresh.open().await;
    for (name, scope) in [("c", Scope::Admin), ("B", Scope::Deploy), ("a", Scope::Read)] {
        let token = token(name, scope);
        assert!(store.create_token(&token, &TokenHash::of(name), &made(&token)).await.unwrap());
        let found = store.token_by_hash(&TokenHash::of(name), NOW_US).await.unwrap();
        assert_eq!(found.map(Token::principal), Some(Principal { name: name.into(), scope, functions: None }));
    }
    assert_eq!(store.token_by_hash(&TokenHash::of("d"), NOW_US).await.unwrap(), None);
    let names: Vec<String> = store.tokens().await.unwrap().into_iter().map(|token| token.name).collect();
    assert_eq!(names, ["B", "a", "c"]);
    let hashed: Vec<(TokenHash, String)> =
        store.hashed_tokens(10).await.unwrap().into_iter().map(|(hash, token)| (hash, token.name)).collect();
    assert_eq!(hashed.len(), 3);
    assert!(hashed.iter().all(|(hash, name)| *hash == TokenHash::of(name)), "{hashed:?}");
    assert_eq!(store.hashed_tokens(2).await.unwrap().len(), 2);
    assert!(store.revoke_token("a", &gone("a")).await.unwrap());
    assert!(!store.revoke_token("a", &gone("a")).await.unwrap());
    assert_eq!(store.token_by_hash(&TokenHash::of("a"), NOW_US).await.unwrap(), None);
}

async fn a_name_is_given_once(fresh: Fresh) {
    let store = fresh.open().await;
    assert!(store.create_token(&token("ci", Scope::Read), &TokenHash::of("1"), &made(&token("ci", Scope::Read))).await.unwrap());
    assert!(!store.create_token(&token("ci", Scope::Admin), &TokenHash::of("2"), &made(&token("ci", Scope::Admin))).await.unwrap());
    assert_eq!(store.tokens().await.unwrap(), [token("ci", Scope::Read)]);
    assert_eq!(store.token_by_hash(&TokenHash::of("2"), NOW_US).await.unwrap(), None);
}

async fn an_expired_token_is_worth_nothing(fresh: Fresh) {
    let store = fresh.open().await;
    let brief = Token { expires_us: Some(NOW_US + 5), ..token("brief", Scope::Read) };
    assert!(store.create_token(&brief, &TokenHash::of("1"), &made(&brief)).await.unwrap());
    assert!(store.token_by_hash(&TokenHash::of("1"), NOW_US + 4).await.unwrap().is_some());
    assert!(store.token_by_hash(&TokenHash::of("1"), NOW_US + 5).await.unwrap().is_none());
}

async fn use_is_noted_once_a_minute(fresh: Fresh) {
    let store = fresh.open().await;
    assert!(store.create_token(&token("ci", Scope::Read), &TokenHash::of("1"), &made(&token("ci", Scope::Read))).await.unwrap());
    for (used_us, noted_us) in [(NOW_US, NOW_US), (NOW_US + MINUTE_US, NOW_US), (NOW_US + MINUTE_US + 1, NOW_US + MINUTE_US + 1)] {
        store.token_by_hash(&TokenHash::of("1"), used_us).await.unwrap();
        assert_eq!(store.tokens().await.unwrap()[0].last_used_us, Some(noted_us));
    }
}

async fn a_token_for_some_functions_stays_one(fresh: Fresh) {
    let store = fresh.open().await;
    let some = Token { functions: Some("shop/orders".parse().unwrap()), ..token("shop", Scope::Deploy) };
    assert!(store.create_token(&some, &TokenHash::of("1"), &made(&some)).await.unwrap());
    let found = store.token_by_hash(&TokenHash::of("1"), NOW_US).await.unwrap().unwrap();
    assert_eq!(found.functions, some.functions);
    let principal = found.principal();
    assert_eq!([principal.may_touch("shop/orders/[id]"), principal.may_touch("shop")], [true, false]);
}

async fn what_was_not_done_is_not_written_down(fresh: Fresh) {
    let store = fresh.open().await;
    let (ci, other) = (token("ci", Scope::Read), token("ci", Scope::Admin));
    assert!(store.create_token(&ci, &TokenHash::of("1"), &made(&ci)).await.unwrap());
    assert!(!store.create_token(&other, &TokenHash::of("2"), &made(&other)).await.unwrap());
    assert!(store.revoke_token("ci", &gone("ci")).await.unwrap());
    assert!(!store.revoke_token("ci", &gone("ci")).await.unwrap());
    let entries = store.audit(&AuditFilter::default()).await.unwrap();
    let actions: Vec<Action> = entries.iter().map(|entry| entry.action).collect();
    assert_eq!(actions, [Action::TokenRevoke, Action::TokenCreate]);
    assert_eq!(entries[1].detail["scope"], "read");
}
