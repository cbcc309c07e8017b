//! Secrets: sealed in the database, opened with the right key only, and two values while one is rotated.

use std::{
    fs,
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use picloud::{
    audit::{Action, Actor, AuditEntry, AuditFilter, Origin},
    capability::secret::NoSecret,
    clock::Clock,
    function::grants::secret::SecretName,
    secret::Secret,
    store::{SealedSecret, Store},
    vault::{KEY_FILE, KeySource, MAX_SECRETS, MAX_VALUE_BYTES, NewSecret, SetOutcome, Vault, VaultError, dot_env::DotEnv},
};

use crate::kit::store::{Fresh, NOW_US, on_both, until};

on_both! {
    a_value_is_sealed_and_comes_back
    the_value_before_is_accepted_until_its_time
    a_rotation_ends_when_that_is_said
    a_value_that_is_set_again_changes_nothing
    secrets_are_set_all_or_none
    what_is_too_much_is_refused
    another_key_opens_nothing_and_says_which_is_missing
    a_lost_key_is_not_replaced_by_a_new_one
    a_damaged_key_refuses_the_start
    a_value_in_the_place_of_another_is_not_opened
    a_node_without_its_database_says_that_it_does_not_know
    a_dot_env_file_fills_what_the_database_does_not_have
    known_values_are_taken_out_of_texts
    whoever_asked_may_leave
}

/// A clock that is set by hand.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now_us(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A node's vault, and the database that it uses.
struct Story {
    fresh: Fresh,
    store: Store,
    clock: Arc<Hand>,
    vault: Vault,
}

impl Story {
    async fn begin(fresh: Fresh) -> Self {
        let (store, clock) = (fresh.open().await, Arc::new(Hand(NOW_US.into())));
        let vault = Vault::new(KeySource::DataFolder, fresh.folder.path().into(), None, clock.clone()).unwrap();
        vault.load(&store).await.unwrap();
        Self { fresh, store, clock, vault }
    }

    /// The vault of a node that starts now, with this key.
    async fn restarted(&self, source: KeySource) -> Vault {
        let vault = Vault::new(source, self.fresh.folder.path().into(), None, self.clock.clone()).unwrap();
        vault.load(&self.store).await.unwrap();
        vault
    }

    async fn set(&self, values: &[(&str, &str)], keep: Option<Duration>) -> Result<Vec<SetOutcome>, VaultError> {
        let new = values.iter().map(|(name, value)| NewSecret { name: self::name(name), value: Secret::new(*value) }).collect();
        self.vault.set(&self.store, new, keep, &ann()).await
    }

    fn after(&self, span: Duration) {
        self.clock.0.fetch_add(span.as_micros() as i64, Ordering::Relaxed);
    }

    async fn audit(&self) -> Vec<AuditEntry> {
        self.store.audit(&AuditFilter::default()).await.unwrap()
    }

    fn key_file(&self) -> std::path::PathBuf {
        self.fresh.folder.path().join(KEY_FILE)
    }
}

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn ann() -> Actor {
    Actor { who: "ann".into(), origin: Origin::Cli }
}

/// The values of a secret: the current one, and the one before.
fn values(vault: &Vault, name: &str) -> Result<(String, Option<String>), NoSecret> {
    let values = vault.secrets().get(&self::name(name))?;
    Ok((values.current.expose().into(), values.previous.map(|value| value.expose().into())))
}

fn only(value: &str) -> Result<(String, Option<String>), NoSecret> {
    Ok((value.into(), None))
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

async fn a_value_is_sealed_and_comes_back(fresh: Fresh) {
    let story = Story::begin(fresh).await;
    assert!(!story.key_file().exists(), "nobody needs a key yet");
    let value = "sesame, öffne dich\n\u{0}";
    assert_eq!(story.set(&[("DOOR", value)], None).await.unwrap(), [SetOutcome::Created]);
    assert_eq!(values(&story.vault, "DOOR"), only(value), "at once");
    assert_eq!(values(&story.restarted(KeySource::DataFolder).await, "DOOR"), only(value));
    let [sealed] = &story.store.secrets().await.unwrap()[..] else { panic!("there is one") };
    assert!(!holds(&sealed.value, "sesame") && sealed.set_us == NOW_US && sealed.previous.is_none());
    assert_eq!(values(&story.vault, "WINDOW"), Err(NoSecret::NotSet(name("WINDOW"))));
    let wanted = [name("DOOR"), name("WINDOW")];
    assert_eq!(story.vault.secrets().missing(&wanted), [&name("WINDOW")]);

    story.vault.remove(&story.store, vec![name("DOOR")], &ann()).await.unwrap();
    assert_eq!(values(&story.vault, "DOOR"), Err(NoSecret::NotSet(name("DOOR"))));
    assert!(matches!(story.vault.remove(&story.store, vec![name("DOOR")], &ann()).await, Err(VaultError::Unknown(_))));
    let audit = story.audit().await;
    let actions: Vec<Action> = audit.iter().map(|entry| entry.action).collect();
    assert_eq!(actions, [Action::SecretRemove, Action::SecretSet]);
    assert!(audit.iter().all(|entry| entry.who == "ann" && entry.detail.to_string().contains("DOOR")), "{audit:?}");
    assert!(!format!("{audit:?}").contains("sesame"));
}

async fn the_value_before_is_accepted_until_its_time(fresh: Fresh) {
    let story = Story::begin(fresh).await;
    let both = |current: &str, previous: &str| Ok((current.to_owned(), Some(previous.to_owned())));
    let hour = Duration::from_secs(3600);
    for value in ["one", "two"] {
        story.set(&[("KEY", value)], None).await.unwrap();
    }
    assert_eq!(values(&story.vault, "KEY"), both("two", "one"));
    story.after(23 * hour);
    assert_eq!(values(&story.restarted(KeySource::DataFolder).await, "KEY"), both("two", "one"));
    assert_eq!(story.set(&[("KEY", "three")], Some(hour)).await.unwrap(), [SetOutcome::Changed]);
    assert_eq!(values(&story.vault, "KEY"), both("three", "two"), "only the last one before");
    assert_eq!(story.vault.list()[0].previous_until_us, Some(NOW_US + 24 * 3_600_000_000));
    story.after(hour);
    assert_eq!(values(&story.vault, "KEY"), only("three"));
    assert_eq!(story.vault.list()[0].previous_until_us, None);
    story.restarted(KeySource::DataFolder).await;
    assert_eq!(story.store.secrets().await.unwrap()[0].previous, None, "the database forgets it, too");
    story.set(&[("KEY", "four")], Some(Duration::ZERO)).await.unwrap();
    assert_eq!(values(&story.vault, "KEY"), only("four"), "a value that others know is worth nothing at once");
}

async fn a_rotation_ends_when_that_is_said(fresh: Fresh) {
    let story = Story::begin(fresh).await;
    for value in ["one", "two"] {
        story.set(&[("KEY", value)], None).await.unwrap();
    }
    assert!(story.vault.end_rotation(&story.store, &name("KEY"), &ann()).await.unwrap());
    assert_eq!(values(&story.vault, "KEY"), only("two"));
    assert!(!story.vault.end_rotation(&story.store, &name("KEY"), &ann()).await.unwrap());
    assert!(story.vault.end_rotation(&story.store, &name("OTHER"), &ann()).await.is_err());
    assert_eq!(story.audit().await.iter().filter(|entry| entry.action == Action::SecretFinal).count(), 1);
}

async fn a_value_that_is_set_again_changes_nothing(fresh: Fresh) {
    let story = Story::begin(fresh).await;
    for value in ["one", "two", "two"] {
        story.set(&[("KEY", value)], None).await.unwrap();
    }
    assert_eq!(values(&story.vault, "KEY"), Ok(("two".into(), Some("one".into()))));
    let both = [("KEY", "two"), ("NEW", "x")];
    assert_eq!(story.set(&both, None).await.unwrap(), [SetOutcome::Unchanged, SetOutcome::Created]);
    let audit = story.audit().await;
    assert_eq!(audit.len(), 3, "what changes nothing is not written down");
    assert_eq!((&audit[0].detail["created"], &audit[0].detail["changed"]), (&["NEW"][..].into(), &serde_json::json!([])));
}

async fn secrets_are_set_all_or_none(fresh: Fresh) {
    let story = Story::begin(fresh).await;
    let too_long = "x".repeat(MAX_VALUE_BYTES + 1);
    for (wrong, said) in [("", "the value of `B` is empty"), (too_long.as_str(), "the value of `B` has more than 65536 bytes")] {
        assert_eq!(story.set(&[("A", "1"), ("B", wrong), ("C", "3")], None).await.unwrap_err().to_string(), said);
    }
    assert!(story.vault.list().is_empty() && story.store.secrets().await.unwrap().is_empty());
    story.set(&[("A", "1"), ("B", "2")], None).await.unwrap();
    let names = ["A", "NONE"].map(name);
    assert!(story.vault.remove(&story.store, names.into(), &ann()).await.is_err());
    assert_eq!(story.vault.list().len(), 2);
}

async fn what_is_too_much_is_refused(fresh: Fresh) {
    let story = Story::begin(fresh).await;
    let largest = "x".repeat(MAX_VALUE_BYTES);
    story.set(&[("LARGEST", &largest)], None).await.unwrap();
    assert_eq!(values(&story.restarted(KeySource::DataFolder).await, "LARGEST"), only(&largest));
    let many: Vec<String> = (1..MAX_SECRETS).map(|number| format!("S{number}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "value")).collect();
    story.set(&many, None).await.unwrap();
    assert!(matches!(story.set(&[("LAST", "x")], None).await, Err(VaultError::TooMany)));
    assert_eq!(story.set(&[("S1", "other")], None).await.unwrap(), [SetOutcome::Changed]);
    assert_eq!(story.vault.list().len(), MAX_SECRETS);
}

async fn another_key_opens_nothing_and_says_which_is_missing(fresh: Fresh) {
    let story = Story::begin(fresh).await;
    story.set(&[("KEY", "one"), ("OTHER", "two")], None).await.unwrap();
    let sealed_by = story.store.secrets().await.unwrap()[0].sealed_by.clone();
    let wrong = story.restarted(KeySource::Given(Secret::new("ab".repeat(32)))).await;
    assert_eq!(values(&wrong, "KEY"), Err(NoSecret::Locked(name("KEY"))));
    assert!(wrong.secrets().missing(&[name("KEY")]).is_empty(), "it was set, and must not be set anew for that");
    assert_eq!(wrong.list().iter().map(|secret| secret.is_readable).collect::<Vec<_>>(), [false, false]);
    let problem = wrong.problem().unwrap();
    for part in ["2 secrets", &sealed_by, "PICLOUD_SECRET_KEY is the key `", "picloud secret rm --force KEY OTHER"] {
        assert!(problem.contains(part), "{problem}");
    }
    // Nothing is sealed with a second key.
    let new = vec![NewSecret { name: name("NEW"), value: Secret::new("x") }];
    assert!(matches!(wrong.set(&story.store, new.clone(), None, &ann()).await, Err(VaultError::Locked(_))));
    assert_eq!(values(&story.restarted(KeySource::DataFolder).await, "KEY"), only("one"), "and the right one opens them as before");
    // Where the right one is lost, they are removed and set anew.
    wrong.remove(&story.store, vec![name("KEY"), name("OTHER")], &ann()).await.unwrap();
    assert_eq!(wrong.problem(), None);
    wrong.set(&story.store, new, None, &ann()).await.unwrap();
    assert_eq!(values(&wrong, "NEW"), only("x"));
}

async fn a_lost_key_is_not_replaced_by_a_new_one(fresh: Fresh) {
    let story = Story::begin(fresh).await;
    story.set(&[("KEY", "one")], None).await.unwrap();
    let key = fs::read(story.key_file()).unwrap();
    fs::remove_file(story.key_file()).unwrap();
    // While a node runs, and after a restart.
    assert!(matches!(story.set(&[("NEW", "x")], None).await, Err(VaultError::Locked(_))));
    story.vault.load(&story.store).await.unwrap();
    assert_eq!(values(&story.vault, "KEY"), only("one"), "what the node knows it goes on to know");
    let lost = story.restarted(KeySource::DataFolder).await;
    assert!(lost.problem().unwrap().starts_with("the key is lost: 1 secret in the database"), "{:?}", lost.problem());
    let new = vec![NewSecret { name: name("NEW"), value: Secret::new("x") }];
    assert!(matches!(lost.set(&story.store, new, None, &ann()).await, Err(VaultError::Locked(_))));
    assert!(!story.key_file().exists());
    fs::write(story.key_file(), key).unwrap();
    fs::set_permissions(story.key_file(), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(values(&story.restarted(KeySource::DataFolder).await, "KEY"), only("one"));
}

async fn a_damaged_key_refuses_the_start(fresh: Fresh) {
    let story = Story::begin(fresh).await;
    story.set(&[("KEY", "one")], None).await.unwrap();
    let key = fs::read_to_string(story.key_file()).unwrap();
    for half in ["", &key[..20]] {
        fs::write(story.key_file(), half).unwrap();
        let refused = Vault::new(KeySource::DataFolder, story.fresh.folder.path().into(), None, story.clock.clone()).err().unwrap();
        let said = refused.to_string();
        assert!(said.contains("is no key: a key has 64 hexadecimal digits\n  hint: put the key back"), "{said}");
        assert!(half.is_empty() || !said.contains(half), "{said}");
        assert_eq!(fs::read_to_string(story.key_file()).unwrap(), half);
    }
}

async fn a_value_in_the_place_of_another_is_not_opened(fresh: Fresh) {
    let story = Story::begin(fresh).await;
    story.set(&[("A", "one"), ("B", "two")], None).await.unwrap();
    let [a, b] = &story.store.secrets().await.unwrap()[..] else { panic!("there are two") };
    let swapped = SealedSecret { value: b.value.clone(), ..a.clone() };
    let record = ann().does(Action::SecretSet, NOW_US, serde_json::json!({}));
    story.store.put_secrets(&[swapped], &record).await.unwrap();
    let vault = story.restarted(KeySource::DataFolder).await;
    assert_eq!(values(&vault, "A"), Err(NoSecret::Locked(name("A"))));
    assert_eq!(values(&vault, "B"), only("two"));
    let problem = vault.problem().unwrap();
    assert!(
        problem.starts_with("1 secret in the database is damaged") && problem.contains("`picloud secret rm --force A`, then"),
        "{problem}"
    );
    // It keeps nobody from setting others, or it.
    for (of, value) in [("C", "three"), ("A", "four")] {
        let new = vec![NewSecret { name: name(of), value: Secret::new(value) }];
        vault.set(&story.store, new, None, &ann()).await.unwrap();
        assert_eq!(values(&vault, of), only(value));
    }
    assert_eq!(vault.problem(), None);
}

async fn a_node_without_its_database_says_that_it_does_not_know(fresh: Fresh) {
    let clock = Arc::new(Hand(NOW_US.into()));
    let vault = Vault::new(KeySource::DataFolder, fresh.folder.path().into(), None, clock).unwrap();
    assert_eq!(values(&vault, "KEY"), Err(NoSecret::NotKnown(name("KEY"))));
    assert!(vault.secrets().missing(&[name("KEY")]).is_empty(), "a push is not refused for that");
    let store = fresh.open().await;
    vault.load(&store).await.unwrap();
    assert_eq!(values(&vault, "KEY"), Err(NoSecret::NotSet(name("KEY"))));
}

async fn a_dot_env_file_fills_what_the_database_does_not_have(fresh: Fresh) {
    let (store, path) = (fresh.open().await, fresh.folder.path().join(".env"));
    fs::write(&path, "OWN=from the file\nBOTH=from the file, too\n").unwrap();
    let clock = Arc::new(Hand(NOW_US.into()));
    let vault = Vault::new(KeySource::DataFolder, fresh.folder.path().into(), Some(DotEnv::new(path.clone())), clock).unwrap();
    vault.load(&store).await.unwrap();
    let new = vec![NewSecret { name: name("BOTH"), value: Secret::new("from the database") }];
    vault.set(&store, new, None, &ann()).await.unwrap();
    assert_eq!(values(&vault, "OWN"), only("from the file"));
    assert_eq!(values(&vault, "BOTH"), only("from the database"));
    assert_eq!(vault.secrets().names(), ["BOTH", "OWN"].map(name).into());
    assert_eq!(vault.redactor().redact("a secret from the file, indeed"), "a secret [secret OWN], indeed");
    fs::write(&path, "OWN=another text\n").unwrap();
    assert_eq!(values(&vault, "OWN"), only("another text"));
    assert_eq!(vault.redactor().redact("another text"), "[secret OWN]");
    assert_eq!(vault.list().len(), 1, "it is not in the database");
}

async fn known_values_are_taken_out_of_texts(fresh: Fresh) {
    let story = Story::begin(fresh).await;
    let redacted = |text: &str| story.vault.redactor().redact(text).into_owned();
    for value in ["first value", "second value"] {
        story.set(&[("KEY", value)], None).await.unwrap();
    }
    assert_eq!(redacted("first value, second value"), "[secret KEY], [secret KEY]");
    story.vault.end_rotation(&story.store, &name("KEY"), &ann()).await.unwrap();
    assert_eq!(redacted("first value, second value"), "first value, [secret KEY]");
    assert_eq!(story.restarted(KeySource::DataFolder).await.redactor().redact("second value"), "[secret KEY]");
}

async fn whoever_asked_may_leave(fresh: Fresh) {
    let story = Story::begin(fresh).await;
    let mut left = Box::pin(story.set(&[("KEY", "value")], None));
    // It has begun, and nobody waits for it any more.
    assert!((&mut left).now_or_never().is_none());
    drop(left);
    until("it is set all the same", || ready(values(&story.vault, "KEY").is_ok())).await;
}
