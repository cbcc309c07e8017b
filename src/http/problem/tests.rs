//! What holds for all problems.

use std::{sync::Arc, time::Duration};

use super::{Problem, detail::split, git::GitRefusal, webhook::WebhookRefusal};
use crate::{
    access::{Principal, Scope},
    capability::kv::KvError,
    deployment::DeploymentId,
    execution::{ExecutionId, Outcome},
    executor::ExecuteError,
    function::{FunctionName, grants::secret::SecretName, quantity::Size, route::Method, topic_reach::TopicReach},
    http::{
        auth::{Denial, Way},
        wire::body::BodyError,
    },
    runner::StopReason,
    source::{edit::EditError, tarball::TarError},
    store::{FindError, StoreError},
    sync::{
        check::Functions,
        diff::tree::TreeDiff,
        earlier::EarlierError,
        orders::{
            error::OrderError,
            upload::{OtherTopic, UploadError},
        },
    },
    vault::{KeyError, VaultError},
};

fn ci(functions: Option<&str>) -> Principal {
    Principal { name: "ci".into(), scope: Scope::Read, functions: functions.map(|prefix| prefix.parse().unwrap()) }
}

fn key() -> SecretName {
    "KEY".parse().unwrap()
}

fn too_small() -> Denial {
    Denial::ScopeTooSmall { principal: ci(None), needed: Scope::Deploy }
}

/// Returns a problem of each kind, and its status.
fn problems() -> Vec<(Problem, u16)> {
    let refused = Problem::Refused;
    let ended = |outcome| Problem::Ended(outcome, None);
    let other_topic = UploadError::OtherTopic(OtherTopic {
        file: "x".into(),
        topic: "**".parse().unwrap(),
        own: TopicReach::of(Some(&"shop".parse().unwrap())),
    });
    let held = UploadError::Held { why: "x".into(), hint: "y" };
    vec![
        (Problem::BadPath("x".into()), 400),
        (Problem::BadHead("x".into()), 400),
        (Problem::NotImplemented("x".into()), 501),
        (Problem::Body(BodyError::Broken), 400),
        (refused(ExecuteError::MalformedBody("x".into())), 400),
        (Problem::Denied(Denial::NoToken { needed: Scope::Read, way: Way::Bearer }), 401),
        (Problem::NotAdmitted(Denial::NoToken { needed: Scope::Read, way: Way::Bearer }), 401),
        (Problem::NotAdmitted(too_small()), 403),
        (Problem::NotAdmitted(Denial::DatabaseAway), 503),
        (Problem::Denied(Denial::WrongToken), 401),
        (Problem::Denied(Denial::SessionEnded), 401),
        (Problem::Denied(Denial::OtherOrigin), 403),
        (Problem::Denied(too_small()), 403),
        (Problem::Denied(Denial::OnlySomeFunctions { principal: ci(Some("shop")) }), 403),
        (Problem::Denied(Denial::OtherFunction { principal: ci(Some("shop")) }), 403),
        (Problem::Denied(Denial::OtherTopic { principal: ci(Some("shop")), topic: "x".parse().unwrap() }), 403),
        (Problem::Denied(Denial::ListTooLarge { principal: ci(None) }), 403),
        (Problem::UnknownToken("x".into()), 404),
        (Problem::UnknownKey { namespace: "x".parse().unwrap(), key: "x".parse().unwrap() }, 404),
        (Problem::OtherKeyVersion { key: "x".parse().unwrap(), version: 1 }, 412),
        (Problem::Kv(KvError::KeyLength(0)), 400),
        (Problem::Kv(KvError::Version(u64::MAX)), 400),
        (Problem::Kv(KvError::NotInteger("x".parse().unwrap())), 409),
        (Problem::Kv(KvError::ValueTooLarge(1)), 413),
        (Problem::Kv(KvError::Away), 503),
        (Problem::Kv(KvError::TooManyKeys { namespace: "x".parse().unwrap(), limit: 1 }), 507),
        (Problem::TokenTaken("x".into()), 409),
        (Problem::SecretUsed { name: key(), users: Vec::new() }, 409),
        (Problem::Vault(VaultError::Locked("x".into())), 409),
        (Problem::Vault(VaultError::TooMany), 409),
        (Problem::Vault(VaultError::Unknown(key())), 404),
        (Problem::Vault(VaultError::Empty(key())), 400),
        (Problem::Vault(VaultError::TooLong(key())), 400),
        (Problem::Vault(KeyError::Malformed { place: "x".into(), hint: "x" }.into()), 500),
        (Problem::HistoryAway, 503),
        (Problem::Git(GitRefusal::NoService), 403),
        (Problem::Git(GitRefusal::NotHosted), 404),
        (Problem::Webhook(WebhookRefusal::Unsigned), 401),
        (Problem::Webhook(WebhookRefusal::WrongSignature), 401),
        (Problem::Webhook(WebhookRefusal::WrongTime), 401),
        (Problem::AdminTokenStays(std::io::ErrorKind::StorageFull.into()), 500),
        (Problem::NoWebhookSecret, 403),
        (Problem::NotFound, 404),
        (Problem::NotOurs, 404),
        (Problem::NoRoute, 404),
        (Problem::UnknownScript, 404),
        (Problem::UnknownSchedule("x".into()), 404),
        (Problem::RunStopped { execution: ExecutionId(1), reason: StopReason::Replaced }, 409),
        (Problem::BadOrder("x".into()), 400),
        (Problem::Order(OrderError::Find(FindError::NeverLive(DeploymentId(1)))), 404),
        (Problem::Order(OrderError::NothingBefore("x".into())), 404),
        (Problem::Order(OrderError::AlreadyLive(DeploymentId(1))), 409),
        (Problem::Order(OrderError::OtherLive { from: DeploymentId(1), live: DeploymentId(2) }), 409),
        (Problem::Order(OrderError::NothingToDo("x")), 409),
        (Problem::Order(OrderError::Broken { id: DeploymentId(1), diagnostics: Vec::new() }), 422),
        (Problem::Order(OrderError::NoDatabase("x".into())), 503),
        (Problem::Earlier(FindError::Unknown("x".into()).into()), 404),
        (Problem::Earlier(FindError::Short("x".into()).into()), 404),
        (Problem::Earlier(FindError::Ambiguous { key: "x".into(), revisions: Vec::new() }.into()), 404),
        (Problem::Earlier(FindError::NothingLive.into()), 404),
        (Problem::Earlier(FindError::NeverLive(DeploymentId(1)).into()), 404),
        (Problem::Earlier(EarlierError::Outdated { id: DeploymentId(1), diagnostics: Arc::new([]) }), 409),
        (Problem::Earlier(FindError::Store(StoreError::NoDatabase { place: "x".into() }).into()), 503),
        (Problem::Earlier(EarlierError::NoDatabase), 503),
        (Problem::Earlier(EarlierError::NoThread(std::io::ErrorKind::WouldBlock.into())), 503),
        (Problem::Tar(TarError::Damaged(std::io::ErrorKind::UnexpectedEof.into())), 400),
        (Problem::Upload(other_topic), 403),
        (Problem::Upload(UploadError::Unknown(FunctionName::new("x"))), 404),
        (Problem::Upload(UploadError::Exists(FunctionName::new("x"))), 409),
        (Problem::Upload(UploadError::RouteTaken(Vec::new())), 409),
        (Problem::Upload(UploadError::MassDelete(Box::new(TreeDiff::between(&Functions::new(), &Functions::new())))), 409),
        (Problem::Upload(held), 409),
        (Problem::Upload(EditError::ReadOnly("x".into()).into()), 409),
        (Problem::Upload(EditError::Moved("x".into()).into()), 409),
        (Problem::Upload(EditError::InTheWay { path: "x".into(), why: "x" }.into()), 409),
        (Problem::Upload(UploadError::Moved(FunctionName::new("x"))), 412),
        (Problem::Tar(TarError::TooMuch { what: "x".into(), limit: 1 }), 413),
        (Problem::Tar(TarError::NoTar { hint: None }), 415),
        (Problem::Upload(UploadError::Wrong(Vec::new())), 422),
        (Problem::Upload(UploadError::Unmigrated { found: Vec::new(), stays: None }), 422),
        (Problem::Tar(TarError::Wrong(Vec::new())), 422),
        (Problem::Upload(EditError::Failed { path: "x".into(), why: "x".into() }.into()), 500),
        (Problem::Upload(UploadError::SourceAway(None)), 503),
        (Problem::UploadsBusy, 503),
        (Problem::MethodNotAllowed(vec![Method::Get]), 405),
        (Problem::Body(BodyError::Timeout), 408),
        (Problem::Body(BodyError::TooLarge { limit: 1 }), 413),
        (Problem::Body(BodyError::Encoded("gzip".into())), 415),
        (Problem::Git(GitRefusal::MediaType { expected: String::new() }), 415),
        (Problem::Git(GitRefusal::Encoding), 415),
        (Problem::Denied(Denial::TooManyTries { retry_after: Duration::ZERO }), 429),
        (Problem::Git(GitRefusal::Failed), 500),
        (ended(Outcome::Failed), 502),
        (Problem::Denied(Denial::DatabaseAway), 503),
        (Problem::Git(GitRefusal::Busy), 503),
        (Problem::Broken(Vec::new()), 503),
        (Problem::BrokenBranch(Vec::new()), 503),
        (Problem::NotReady, 503),
        (Problem::WebhooksBusy, 503),
        (Problem::TailsBusy { limit: 1 }, 503),
        (Problem::UnknownExecution, 404),
        (Problem::UnknownVersion { version: "x".into(), function: FunctionName::new("f") }, 404),
        (Problem::RequestNotKept { id: ExecutionId(7), function: FunctionName::new("shop/item") }, 404),
        (Problem::NotReplayable("x".into()), 409),
        (Problem::OtherDeadLetters { there: 4, expected: 3 }, 409),
        (Problem::NotInvocable { why: "x".into(), diagnostics: Vec::new() }, 409),
        (refused(ExecuteError::FunctionBusy { limit: 1 }), 503),
        (refused(ExecuteError::NodeBusy { limit: 1 }), 503),
        (refused(ExecuteError::Leaks { limit: Size::mib(1) }), 503),
        (refused(ExecuteError::NotLoaded), 503),
        (ended(Outcome::Cancelled), 503),
        (ended(Outcome::TimedOut), 504),
        (ended(Outcome::OperationsExceeded), 507),
        (ended(Outcome::MemoryExceeded), 507),
        (ended(Outcome::SizeExceeded), 507),
    ]
}

#[test]
fn every_problem_has_its_status() {
    for (problem, status) in problems() {
        assert_eq!(problem.status().as_u16(), status, "{problem:?}");
    }
}

#[test]
fn detail_says_what_is_wrong_and_only_the_hint_what_to_do() {
    for (problem, _) in problems() {
        let message = problem.message();
        let (detail, hint) = split(&message);
        // A sentence that goes on, a command and a call to act are advice.
        for advice in ["; ", "try again", "`picloud ", ": send", ": set", ": push", "\n"] {
            assert!(!detail.contains(advice), "`{advice}` belongs to the hint: {detail}");
        }
        assert!(!hint.as_ref().is_some_and(|hint| hint.contains('\n')), "{hint:?}");
    }
}

#[test]
fn whoever_can_do_something_is_told_what() {
    let hints: Vec<String> = problems()
        .iter()
        .filter_map(|(problem, _)| {
            let message = problem.message();
            let (detail, hint) = split(&message);
            hint.map(|hint| format!("{detail}\n  {hint}"))
        })
        .collect();
    insta::assert_snapshot!(hints.join("\n"));
}
