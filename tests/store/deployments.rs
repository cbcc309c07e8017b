//! What is deployed is remembered whole.

use picloud::{
    deployment::{Changes, Deployment, DeploymentStatus, Following, Suspension},
    function::{Content, Diagnostic, Revision, Tree},
    id::DeploymentId,
    store::{FindError, FunctionVersion, LiveSpan, RecordOutcome, Store},
};

use crate::kit::store::{Fresh, deployment, name, on_both, tree, version};

on_both! {
    an_empty_store_has_nothing_live
    what_was_recorded_reads_back
    an_empty_file_is_recorded_by_itself
    a_deployment_recorded_twice_is_there_once
    a_deployment_that_another_came_before_is_not_recorded
    a_rejected_deployment_changes_nothing_that_is_live
    every_tree_of_a_random_history_is_rebuilt
    a_function_has_its_versions_newest_first
    a_version_has_its_files
    ten_thousand_functions_are_recorded_at_once
    a_deployment_is_refused_whole_or_not_at_all
    a_deployment_is_found_by_its_id_and_by_the_beginning_of_its_revision
    a_deployment_is_live_until_the_next_one_is
}

async fn record(store: &Store, (deployment, changes): &(Deployment, Changes)) {
    crate::kit::store::record(store, deployment, changes).await;
}

async fn an_empty_store_has_nothing_live(fresh: Fresh) {
    let store = fresh.open().await;
    assert_eq!(store.live().await.unwrap(), None);
    assert_eq!(store.last_deployment().await.unwrap(), None);
    assert_eq!(store.tree_of(DeploymentId(1)).await.unwrap(), None);
    assert_eq!(store.version_files(version("x")).await.unwrap(), None);
    assert!(store.live_functions().await.unwrap().is_empty());
}

async fn what_was_recorded_reads_back(fresh: Fresh) {
    let store = fresh.open().await;
    let after = tree(&[("a.rhai", "1"), ("b/c.rhai", "2"), ("_lib/d.rhai", ""), ("e.rhai", "2")]);
    let mut first = deployment(1, &Tree::new(), &after);
    first.0.by = Some("ann".into());
    first.0.diagnostics = vec![Diagnostic::error("a.rhai", "what \u{0} is `this`?").hint("that")];
    record(&store, &first).await;
    assert_eq!(store.deployment(first.0.id).await.unwrap(), Some(first.0.clone()));
    assert_eq!(store.live().await.unwrap(), Some((first.0, after)));
    let bytes = Tree::from([("a.rhai".into(), Content::new([0xff, 0, 0x80].as_slice()))]);
    let second = deployment(2, &tree(&[("a.rhai", "1")]), &bytes);
    record(&store, &second).await;
    assert_eq!(store.live().await.unwrap().unwrap().1["a.rhai"], bytes["a.rhai"]);
    store.close().await;
    assert_eq!(fresh.open().await.last_deployment().await.unwrap(), Some(second.0));
}

async fn an_empty_file_is_recorded_by_itself(fresh: Fresh) {
    let store = fresh.open().await;
    let after = tree(&[("a.rhai", "")]);
    record(&store, &deployment(1, &Tree::new(), &after)).await;
    assert_eq!(store.live().await.unwrap().unwrap().1, after);
}

async fn a_deployment_recorded_twice_is_there_once(fresh: Fresh) {
    let store = fresh.open().await;
    let first = deployment(1, &Tree::new(), &tree(&[("a.rhai", "1")]));
    record(&store, &first).await;
    record(&store, &first).await;
    assert_eq!(store.deployments(10, None).await.unwrap(), [first.0]);
    assert_eq!(store.versions_of(&name("a")).await.unwrap().len(), 1);
}

async fn a_deployment_that_another_came_before_is_not_recorded(fresh: Fresh) {
    let store = fresh.open().await;
    let (one, two, three) = (tree(&[("a.rhai", "1")]), tree(&[("a.rhai", "2")]), tree(&[("a.rhai", "3"), ("b.rhai", "3")]));
    let first = deployment(1, &Tree::new(), &one);
    let late = deployment(2, &Tree::new(), &one);
    assert_eq!(store.record_deployment(&first.0, &first.1, None).await.unwrap(), RecordOutcome::Done);
    // Of two that began at the same state, one is told of the other; a rejected one, too.
    assert_eq!(store.record_deployment(&late.0, &late.1, None).await.unwrap(), RecordOutcome::Overtaken(first.0.id));
    let second = deployment(3, &one, &two);
    assert_eq!(store.record_deployment(&second.0, &second.1, Some(first.0.id)).await.unwrap(), RecordOutcome::Done);
    let (third, mut changes) = deployment(4, &one, &three);
    changes.following = Some(Following { suspended: Some(Suspension { by: "ann".into(), since_us: 1 }), pin: None });
    let rejected = Deployment { status: DeploymentStatus::Rejected, ..third.clone() };
    for overtaken in [&third, &rejected] {
        let recorded = store.record_deployment(overtaken, &changes, Some(first.0.id)).await.unwrap();
        assert_eq!(recorded, RecordOutcome::Overtaken(second.0.id));
    }
    // And nothing of it is there.
    assert_eq!(store.live().await.unwrap(), Some((second.0, two)));
    assert_eq!(store.deployment(third.id).await.unwrap(), None);
    assert_eq!(store.version_files(version("3")).await.unwrap(), None);
    assert_eq!(store.following().await.unwrap(), Following::default());
    // A rejection in between is no other deployment.
    let refused = Deployment { id: DeploymentId(third.id.0 + 1), ..rejected };
    record(&store, &(refused, Changes::default())).await;
    let last = store.live_deployment().await.unwrap().map(|live| live.id);
    assert_eq!(store.record_deployment(&third, &changes, last).await.unwrap(), RecordOutcome::Done);
    // The answer may have been lost: a second time it is done, whatever it was to come after.
    assert_eq!(store.record_deployment(&third, &changes, Some(first.0.id)).await.unwrap(), RecordOutcome::Done);
}

async fn a_rejected_deployment_changes_nothing_that_is_live(fresh: Fresh) {
    let store = fresh.open().await;
    let after = tree(&[("a.rhai", "1")]);
    let first = deployment(1, &Tree::new(), &after);
    record(&store, &first).await;
    let mut rejected = deployment(2, &after, &after).0;
    rejected.subject = Some("Ä \"subject\"".into());
    rejected.status = DeploymentStatus::Rejected;
    rejected.diagnostics = vec![Diagnostic::error("a.rhai", "broken")];
    record(&store, &(rejected.clone(), Changes::default())).await;
    assert_eq!(store.live().await.unwrap(), Some((first.0.clone(), after.clone())));
    assert_eq!(store.last_deployment().await.unwrap(), Some(rejected.clone()));
    assert_eq!(store.tree_of(rejected.id).await.unwrap(), Some(after));
    assert_eq!(store.deployments(10, Some(rejected.id)).await.unwrap(), [first.0]);
    assert_eq!(store.deployments(1, None).await.unwrap(), [rejected]);
}

async fn every_tree_of_a_random_history_is_rebuilt(fresh: Fresh) {
    let store = fresh.open().await;
    let mut seed = 7_u32;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % below
    };
    let (mut history, mut before) = (Vec::new(), Tree::new());
    for id in 1..=40 {
        let mut after = before.clone();
        for _ in 0..random(5) {
            let path = format!("f{}.rhai", random(12));
            match random(3) {
                0 => after.remove(path.as_str()),
                _ => after.insert(path.into(), Content::new(random(6).to_string().as_bytes())),
            };
        }
        let made = deployment(id, &before, &after);
        record(&store, &made).await;
        history.push((made.0, after.clone()));
        before = after;
    }
    for (made, after) in &history {
        assert_eq!(store.tree_of(made.id).await.unwrap().as_ref(), Some(after), "{}", made.revision);
        assert_eq!(store.deployment(made.id).await.unwrap().as_ref(), Some(made));
    }
    let live: Vec<_> = store.live_functions().await.unwrap().into_iter().map(|live| (live.function, live.version)).collect();
    let expected: Vec<_> =
        before.iter().map(|(path, content)| (name(path.strip_suffix(".rhai").unwrap()), content.digest.into())).collect();
    assert_eq!(live, expected);
}

async fn a_function_has_its_versions_newest_first(fresh: Fresh) {
    let store = fresh.open().await;
    let trees = [tree(&[("a.rhai", "1")]), tree(&[("a.rhai", "2")]), tree(&[]), tree(&[("a.rhai", "1"), ("b.rhai", "1")])];
    let (mut before, mut made) = (&Tree::new(), Vec::new());
    for (id, after) in trees.iter().enumerate() {
        made.push(deployment(id as i64, before, after));
        record(&store, &made[id]).await;
        before = after;
    }
    let entry = |function: &str, text: &str, at: usize| FunctionVersion {
        function: name(function),
        version: version(text),
        deployment: made[at].0.id,
    };
    assert_eq!(store.versions_of(&name("a")).await.unwrap(), [entry("a", "1", 3), entry("a", "2", 1), entry("a", "1", 0)]);
    assert_eq!(store.live_functions().await.unwrap(), [entry("a", "1", 3), entry("b", "1", 3)]);
    assert!(store.versions_of(&name("c")).await.unwrap().is_empty());
}

async fn a_version_has_its_files(fresh: Fresh) {
    let store = fresh.open().await;
    let after = tree(&[("a.rhai", "import"), ("_lib/x.rhai", "lib")]);
    let (made, mut changes) = deployment(1, &Tree::new(), &tree(&[("a.rhai", "import")]));
    std::sync::Arc::get_mut(&mut changes.functions[0]).unwrap().files = after.clone().into_iter().collect();
    record(&store, &(made, changes)).await;
    assert_eq!(store.version_files(version("import")).await.unwrap(), Some(after));
}

async fn ten_thousand_functions_are_recorded_at_once(fresh: Fresh) {
    let store = fresh.open().await;
    let after: Tree = (0..10_000)
        .map(|number| {
            (format!("folder{}/function{number}.rhai", number % 100).into(), Content::new(format!("let x = {number}; x + 1").as_bytes()))
        })
        .collect();
    let made = deployment(1, &Tree::new(), &after);
    record(&store, &made).await;
    assert_eq!(store.live().await.unwrap(), Some((made.0, after)));
}

async fn a_deployment_is_refused_whole_or_not_at_all(fresh: Fresh) {
    let store = fresh.open().await;
    let (made, mut changes) = deployment(1, &Tree::new(), &tree(&[("a.rhai", "1")]));
    // Postgres cannot hold a NUL in a text; SQLite can.
    changes.files.insert("b\u{0}.rhai".into(), Some(Content::new(b"2".as_slice())));
    let recorded = store.record_deployment(&made, &changes, None).await;
    let is_there = store.last_deployment().await.unwrap().is_some();
    assert_eq!(recorded.is_ok(), is_there);
    assert_eq!(store.version_files(version("1")).await.unwrap().is_some(), is_there);
}

async fn a_deployment_is_found_by_its_id_and_by_the_beginning_of_its_revision(fresh: Fresh) {
    let store = fresh.open().await;
    // The last is rejected: newer than all, and never what is meant.
    let revisions = ["abcdef01", "abcdef02", "abcdef01", "ABCDEF03", "éèêëēėę", "%______", "abcdef04"];
    for (number, revision) in (1..).zip(revisions) {
        let (mut deployment, changes) = deployment(number, &Tree::new(), &Tree::new());
        deployment.revision = Revision(revision.into());
        if revision == "abcdef04" {
            deployment.status = DeploymentStatus::Rejected;
        }
        record(&store, &(deployment, changes)).await;
    }
    let id = |number: i64| deployment(number, &Tree::new(), &Tree::new()).0.id;
    let all = store.deployments(10, None).await.unwrap();
    for (key, number) in [(id(2).to_string().as_str(), 2), ("abcdef01", 3), ("abcdef02", 2), ("ABCDEF0", 4), ("éèêëēėę", 5), ("%______", 6)]
    {
        let expected = all.iter().find(|deployment| deployment.id == id(number)).unwrap();
        assert_eq!(&store.find_deployment(key).await.unwrap(), expected, "{key}");
    }
    let told = async |key: &str| store.find_deployment(key).await.unwrap_err();
    assert!(matches!(told(&id(7).to_string()).await, FindError::NeverLive(rejected) if rejected == id(7)));
    for unknown in ["abcdef04", "abcdef011", "_______", &id(8).to_string()] {
        assert!(matches!(told(unknown).await, FindError::Unknown(key) if key == unknown), "{unknown}");
    }
    for short in ["", "abcdef", "éèêëēė"] {
        assert!(matches!(told(short).await, FindError::Short(_)), "{short}");
    }
    let FindError::Ambiguous { revisions, .. } = told("abcdef0").await else { panic!("two begin so") };
    assert_eq!(revisions.iter().map(|revision| revision.0.as_str()).collect::<Vec<_>>(), ["abcdef01", "abcdef02"]);
}

async fn a_deployment_is_live_until_the_next_one_is(fresh: Fresh) {
    let store = fresh.open().await;
    for number in 1..=4 {
        let (mut deployment, changes) = deployment(number, &Tree::new(), &Tree::new());
        if number == 2 {
            deployment.status = DeploymentStatus::Rejected;
        }
        record(&store, &(deployment, changes)).await;
    }
    let id = |number: i64| deployment(number, &Tree::new(), &Tree::new()).0.id;
    let spans = [(1, Some(3)), (3, Some(4)), (4, None)];
    for (number, next) in spans {
        let expected = LiveSpan { since_us: id(number).time_us(), until_us: next.map(|next| id(next).time_us()) };
        assert_eq!(store.live_span(&id(number).to_string()).await.unwrap(), expected);
    }
    assert_eq!(store.live_span("live").await.unwrap().until_us, None);
    assert!(matches!(store.live_span(&id(2).to_string()).await, Err(FindError::NeverLive(_))));
}
