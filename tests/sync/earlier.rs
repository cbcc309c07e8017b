//! Earlier deployments: how they are named, and how many are kept ready.

use std::{collections::BTreeMap, sync::Arc};

use crate::kit::script::{STACK, on_a_runtime, tree};
use futures_util::future::join_all;
use picloud::{
    deployment::{Cause, Changes, Deployment, DeploymentStatus},
    engine::Engine,
    executor::local::{Capacity, LocalExecutor},
    function::{LimitPolicy, Revision, Tree, tree::differences},
    id::DeploymentId,
    live::{Live, Match},
    store::{FindError, RecordOutcome, Store},
    sync::earlier::{EarlierDeployments, EarlierError, EarlierParts, KEPT},
};
use tempfile::TempDir;
use tokio::sync::watch;

/// A store with deployments in it, and what serves the earlier of them.
struct Shelf {
    store: Store,
    earlier: EarlierDeployments,
    last: Tree,
    _folder: TempDir,
}

impl Shelf {
    async fn new(policy: LimitPolicy) -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open("sqlite", folder.path()).await.unwrap();
        let earlier = earlier(policy, Some(store.clone()));
        Self { store, earlier, last: Tree::new(), _folder: folder }
    }

    /// Records a deployment of these files.
    async fn record(&mut self, id: i64, revision: &str, status: DeploymentStatus, files: &[(&str, &str)]) -> DeploymentId {
        let id = DeploymentId((1 << 60) + id);
        let tree = tree(files);
        let deployment = Deployment {
            id,
            revision: Revision(revision.into()),
            cause: Cause::Save,
            by: None,
            pushed_by: None,
            note: None,
            subject: None,
            status,
            diagnostics: Vec::new(),
            changes: Vec::new(),
            functions: 0,
            took_us: 0,
        };
        let files: BTreeMap<_, _> =
            differences(&self.last, &tree).into_iter().map(|path| (path.clone(), tree.get(&path).cloned())).collect();
        let live = self.store.live_deployment().await.unwrap().map(|live| live.id);
        let changes = Changes { files, ..Changes::default() };
        assert_eq!(self.store.record_deployment(&deployment, &changes, live).await.unwrap(), RecordOutcome::Done);
        self.last = tree;
        id
    }
}

fn earlier(policy: LimitPolicy, store: Option<Store>) -> EarlierDeployments {
    let engine = Arc::new(Engine::new(policy));
    let (_, store) = watch::channel(store);
    EarlierDeployments::new(EarlierParts {
        executor: Arc::new(LocalExecutor::new(engine.clone(), &Capacity::default(), Arc::new(|_| ()))),
        engine,
        store,
        live: Arc::new(Live::default()),
        stack_bytes: STACK,
    })
}

#[test]
fn an_earlier_deployment_is_found_by_its_id_and_by_its_revision() {
    on_a_runtime(|| async {
        let mut shelf = Shelf::new(LimitPolicy::default()).await;
        let live = DeploymentStatus::Live;
        let one = shelf.record(1, "aaaaaaa1111111", live, &[("a.rhai", "1")]).await;
        let two = shelf.record(2, "aaaaaaa2222222", live, &[("a.rhai", "2"), ("b.rhai", "1")]).await;
        let again = shelf.record(3, "aaaaaaa1111111", live, &[("a.rhai", "1")]).await;
        let refused = shelf.record(4, "bbbbbbb", DeploymentStatus::Rejected, &[("a.rhai", "1")]).await;
        let earlier = &shelf.earlier;
        for (key, expected) in [
            (one.to_string(), one),
            (two.to_string().to_uppercase(), two),
            // Of one revision, the newest.
            ("aaaaaaa1111111".into(), again),
            ("aaaaaaa2".into(), two),
        ] {
            let table = earlier.table(&key).await.unwrap();
            assert_eq!((table.deployment, table.deployment_header.to_str().unwrap()), (expected, &*expected.to_string()), "{key}");
            assert_eq!(matches!(table.find("GET", "/b"), Match::Found { .. }), expected == two, "{key}");
        }
        let refusal = async |key: &str| match earlier.table(key).await {
            Ok(table) => panic!("{key} is {}", table.deployment),
            Err(error) => error,
        };
        assert!(matches!(refusal("aaaaaaa").await, EarlierError::Find(FindError::Ambiguous { revisions, .. }) if revisions.len() == 2));
        assert!(matches!(refusal("aaaaaa").await, EarlierError::Find(FindError::Short(_))));
        assert!(matches!(refusal(&refused.to_string()).await, EarlierError::Find(FindError::NeverLive(_))));
        for unknown in ["bbbbbbb", "cccccccc", "%aaaaaaa", "0000000000000", &"a".repeat(10_000)] {
            assert!(matches!(refusal(unknown).await, EarlierError::Find(FindError::Unknown(_))), "{unknown}");
        }
        let none = self::earlier(LimitPolicy::default(), None);
        assert!(matches!(none.table(&one.to_string()).await, Err(EarlierError::NoDatabase)));
    });
}

#[test]
fn many_requests_for_one_deployment_make_it_ready_once() {
    on_a_runtime(|| async {
        let mut shelf = Shelf::new(LimitPolicy::default()).await;
        let one = shelf.record(1, "aaaaaaa", DeploymentStatus::Live, &[("a.rhai", "1")]).await.to_string();
        let tables = join_all((0..50).map(|_| shelf.earlier.table(&one))).await;
        let first = tables[0].as_ref().ok().unwrap();
        assert!(tables.iter().all(|table| table.as_ref().is_ok_and(|table| Arc::ptr_eq(table, first))));
        // Once it is ready the database is not asked.
        shelf.store.close().await;
        assert!(shelf.earlier.table(&one).await.is_ok());
        assert!(matches!(shelf.earlier.table("aaaaaaa").await, Err(EarlierError::Find(FindError::Store(_)))));
    });
}

#[test]
fn only_the_deployments_that_were_asked_for_last_are_kept() {
    on_a_runtime(|| async {
        let mut shelf = Shelf::new(LimitPolicy::default()).await;
        let mut ids = Vec::new();
        for number in 0..50 {
            let (script, revision) = (number.to_string(), format!("revision-{number}"));
            ids.push(shelf.record(number, &revision, DeploymentStatus::Live, &[("a.rhai", &script), ("same.rhai", "1")]).await.to_string());
        }
        let first = shelf.earlier.table(&ids[0]).await.unwrap();
        let mut functions = Vec::new();
        for id in &ids {
            let table = shelf.earlier.table(id).await.unwrap();
            let Match::Found { value: picloud::live::Destination::Ready(own), .. } = table.find("GET", "/a") else { panic!("{id}") };
            functions.push(Arc::downgrade(&own.function));
            assert!(shelf.earlier.len() <= KEPT);
            // Asked for all the time, so that it stays.
            assert!(Arc::ptr_eq(&first, &shelf.earlier.table(&ids[0]).await.unwrap()));
        }
        let kept: Vec<usize> = (0..50).filter(|number| functions[*number].strong_count() > 0).collect();
        assert_eq!(kept, [0, 43, 44, 45, 46, 47, 48, 49]);
    });
}

#[test]
fn files_that_stricter_rules_forbid_are_told() {
    on_a_runtime(|| async {
        let mut policy = LimitPolicy::default();
        policy.default.operations = 1_000;
        let mut shelf = Shelf::new(policy).await;
        let module = "let n = 0; while n < 10_000 { n += 1; } export n;";
        let files = [("a.rhai", "import \"m\" as m; m::n"), ("_lib/m.rhai", module)];
        let one = shelf.record(1, "aaaaaaa", DeploymentStatus::Live, &files).await;
        let Err(EarlierError::Outdated { id, diagnostics }) = shelf.earlier.table("aaaaaaa").await else { panic!() };
        assert_eq!((id, diagnostics[0].file.as_ref()), (one, "_lib/m.rhai"));
    });
}
