//! The audit log: it grows with what happens, and in no other way.

use picloud::{
    audit::{Action, Actor, AuditEntry, AuditFilter, Origin},
    deployment::{Cause, Changes, DeploymentStatus, Following},
    function::Tree,
    store::Store,
};
use serde_json::json;
use sqlx::Connection;

use crate::kit::store::{Fresh, NOW_US, deployment, on_both, record, tree};

on_both! {
    what_goes_live_is_written_down_once
    what_an_operator_says_about_following_is_written_down
    another_configuration_is_told_from_a_start
    entries_are_found_and_paged
    nothing_is_changed_or_removed
}

fn ann() -> Actor {
    Actor::over_http("ann", "10.0.0.1".parse().unwrap())
}

async fn all(store: &Store) -> Vec<AuditEntry> {
    store.audit(&AuditFilter::default()).await.unwrap()
}

async fn what_goes_live_is_written_down_once(fresh: Fresh) {
    let store = fresh.open().await;
    let (mut one, changes) = deployment(1, &Tree::new(), &tree(&[("a.rhai", "1")]));
    (one.cause, one.by, one.pushed_by) = (Cause::Push, Some("Ann <ann@example.org>".into()), Some("ci".into()));
    for _ in 0..2 {
        record(&store, &one, &changes).await;
    }
    let (mut refused, changes) = deployment(2, &Tree::new(), &Tree::new());
    refused.status = DeploymentStatus::Rejected;
    record(&store, &refused, &changes).await;
    let (mut back, _) = deployment(3, &Tree::new(), &Tree::new());
    (back.cause, back.by) = (Cause::Rollback, Some("ann".into()));
    let from = Changes { origin: Some(Origin::Http("::ffff:10.0.0.1".parse().unwrap())), ..Changes::default() };
    record(&store, &back, &from).await;
    let (save, changes) = deployment(4, &Tree::new(), &Tree::new());
    record(&store, &save, &changes).await;
    let entries = all(&store).await;
    let said: Vec<_> = entries.iter().map(|entry| (entry.action, entry.who.as_str(), entry.origin.as_str())).collect();
    let expected = [(Action::Save, "files", "source"), (Action::Rollback, "ann", "10.0.0.1"), (Action::Push, "ci", "source")];
    assert_eq!(said, expected);
    assert_eq!(entries[2].detail["author"], "Ann <ann@example.org>");
    assert_eq!((&entries[2].detail["revision"], &entries[2].detail["deployment"]), (&json!("revision-1"), &json!(one.id)));
    assert_eq!(entries[2].time, picloud::clock::rfc3339(one.id.time_us()));
}

async fn what_an_operator_says_about_following_is_written_down(fresh: Fresh) {
    let store = fresh.open().await;
    store.set_following(&Following::default(), &ann().does(Action::Resume, NOW_US, json!({}))).await.unwrap();
    let entries = all(&store).await;
    assert_eq!((entries.len(), entries[0].action, entries[0].who.as_str()), (1, Action::Resume, "ann"));
}

async fn another_configuration_is_told_from_a_start(fresh: Fresh) {
    let store = fresh.open().await;
    for (configuration, action) in [("a", Action::Start), ("a", Action::Start), ("b", Action::Configure), ("b", Action::Start)] {
        store.record_start(NOW_US, configuration, json!({ "version": "1" })).await.unwrap();
        let last = all(&store).await.swap_remove(0);
        assert_eq!((last.action, &last.detail["configuration"]), (action, &json!(configuration)));
        assert_eq!(last.detail["before"], if action == Action::Configure { json!("a") } else { json!(null) });
    }
}

async fn entries_are_found_and_paged(fresh: Fresh) {
    let store = fresh.open().await;
    for number in 0..10 {
        let who = Actor { who: format!("it's {}", number % 2), origin: Origin::Cli };
        let action = if number < 5 { Action::Suspend } else { Action::Resume };
        store.record_audit(&who.does(action, NOW_US + number, json!({ "number": number }))).await.unwrap();
    }
    let numbers = async |filter: AuditFilter| -> Vec<i64> {
        store.audit(&filter).await.unwrap().iter().map(|entry| entry.detail["number"].as_i64().unwrap()).collect()
    };
    let any = AuditFilter::default();
    assert_eq!(numbers(AuditFilter { who: Some("it's 1".into()), ..any.clone() }).await, [9, 7, 5, 3, 1]);
    assert_eq!(numbers(AuditFilter { who: Some("nobody".into()), ..any.clone() }).await, [0_i64; 0]);
    assert_eq!(numbers(AuditFilter { action: Some(Action::Suspend), ..any.clone() }).await, [4, 3, 2, 1, 0]);
    assert_eq!(numbers(AuditFilter { since_us: Some(NOW_US + 8), ..any.clone() }).await, [9, 8]);
    let page = store.audit(&AuditFilter { limit: 4, ..any.clone() }).await.unwrap();
    let before = Some(page.last().unwrap().id);
    assert_eq!(numbers(AuditFilter { limit: 4, before, ..any }).await, [5, 4, 3, 2]);
}

async fn nothing_is_changed_or_removed(fresh: Fresh) {
    let store = fresh.open().await;
    store.record_audit(&ann().does(Action::Suspend, NOW_US, json!({}))).await.unwrap();
    store.close().await;
    let mut changes = vec!["UPDATE audit SET who = 'eve'", "DELETE FROM audit"];
    if fresh.url == "sqlite" {
        let mut connection = sqlx::SqliteConnection::connect(fresh.sqlite_file().to_str().unwrap()).await.unwrap();
        for change in changes {
            let error = sqlx::query(change).execute(&mut connection).await.unwrap_err();
            assert!(error.to_string().contains("the audit log only grows"), "{change}: {error}");
        }
    } else {
        let mut connection = sqlx::PgConnection::connect(&fresh.url).await.unwrap();
        changes.push("TRUNCATE audit");
        for change in changes {
            let error = sqlx::query(change).execute(&mut connection).await.unwrap_err();
            assert!(error.to_string().contains("the audit log only grows"), "{change}: {error}");
        }
    }
    assert_eq!(all(&fresh.open().await).await[0].who, "ann");
}
