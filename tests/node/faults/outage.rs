//! The database goes away and comes back, under a real node on a real Postgres: requests go on, nothing is lost, deployments wait.

use picloud::store::{ExecutionFilter, Store};

use crate::kit::{
    api::Api,
    node::{self, Node, PATIENCE, wait_until},
    proxy::Proxy,
    store::Fresh,
};

/// A node whose database is behind a proxy that can be cut.
struct Story {
    proxy: Proxy,
    fresh: Fresh,
    runtime: tokio::runtime::Runtime,
}

impl Story {
    fn begin() -> (Self, node::Setup) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (fresh, proxy, url) = runtime.block_on(async {
            let fresh = Fresh::postgres().await;
            let (proxy, url) = Proxy::before(&fresh.url).await;
            (fresh, proxy, url)
        });
        let setup = node::node(&[("n.rhai", "\"one\""), ("id.rhai", "ctx.execution_id")]).variable("PICLOUD_DATABASE_URL", &url);
        (Self { proxy, fresh, runtime }, setup)
    }

    /// Reads the database itself, past the proxy.
    fn store<T>(&self, read: impl AsyncFnOnce(Store) -> T) -> T {
        self.runtime.block_on(async { read(self.fresh.open().await).await })
    }

    /// The ids of every execution in the database, oldest first.
    fn recorded(&self) -> Vec<String> {
        self.store(async |store| {
            let filter = ExecutionFilter { limit: 10_000, ..ExecutionFilter::default() };
            store.executions(&filter).await.unwrap().iter().rev().map(|execution| execution.id.to_string()).collect()
        })
    }

    /// Waits until the database has these executions, each once and in order.
    fn wait_for(&self, answered: &[String]) {
        wait_until("every execution is recorded", PATIENCE, || self.recorded().len() >= answered.len());
        assert_eq!(self.recorded(), answered);
    }
}

fn ask(node: &Node, times: usize, answered: &mut Vec<String>) {
    let mut client = node.client();
    for _ in 0..times {
        let response = client.get("/id").unwrap();
        assert_eq!(response.status, 200);
        answered.push(response.text());
    }
}

#[test]
fn requests_go_on_while_the_database_is_away_and_every_run_is_recorded_once() {
    let (story, setup) = Story::begin();
    let mut node = setup.start();
    let mut answered = Vec::new();
    ask(&node, 50, &mut answered);
    story.wait_for(&answered);

    story.proxy.cut();
    ask(&node, 100, &mut answered);
    wait_until("the node says that executions wait", PATIENCE, || {
        ask(&node, 1, &mut answered);
        node.ready()["degraded"].to_string().contains("wait on disk for the database")
    });
    // Those on disk outlive the process.
    node.kill();
    node.start();
    ask(&node, 20, &mut answered);

    story.proxy.restore();
    ask(&node, 20, &mut answered);
    // The kill may have cost the runs of its last 200 ms, of which there are few; no other may be missing.
    let of_second_life = &answered[answered.len() - 40..];
    wait_until("the last executions are recorded", PATIENCE, || story.recorded().ends_with(of_second_life));
    let recorded = story.recorded();
    assert!(recorded.is_sorted() && recorded.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(recorded.starts_with(&answered[..50]));
    node.stop();
}

#[test]
fn a_deployment_waits_for_the_database_and_says_so() {
    let (story, setup) = Story::begin();
    let mut node = setup.start();
    assert_eq!(node.get("/n").text(), "one");
    story.proxy.cut();
    node.write("n.rhai", "\"two\"");
    wait_until("the node says that a deployment waits", PATIENCE, || {
        node.ready()["degraded"].to_string().contains("waits for the database")
    });
    assert_eq!(node.get("/n").text(), "one");
    story.proxy.restore();
    node.wait_for("/n", "two");
    node.wait_for_state("ready");
    let deployments = story.store(async |store| store.deployments(10, None).await.unwrap().len());
    assert_eq!(deployments, 2);
    node.stop();
}

#[test]
fn a_node_that_starts_without_its_database_serves_and_records_later() {
    let (story, setup) = Story::begin();
    story.proxy.cut();
    let mut node = setup.start();
    assert_eq!(node.get("/n").text(), "one");
    assert!(node.ready()["degraded"].to_string().contains("postgres"), "{}", node.ready());
    node.write("n.rhai", "\"two\"");
    node.wait_for("/n", "two");
    let mut answered = Vec::new();
    ask(&node, 30, &mut answered);

    story.proxy.restore();
    node.wait_for_state("ready");
    wait_until("the executions are recorded", PATIENCE, || answered.iter().all(|id| story.recorded().contains(id)));
    let (deployment, tree) = story.store(async |store| store.live().await.unwrap().unwrap());
    assert_eq!((deployment.functions, &*tree["n.rhai"].bytes), (2, &b"\"two\""[..]));
    assert_eq!(node.get("/n").header("x-picloud-deployment"), Some(deployment.id.to_string().as_str()));
    let api = Api::of(&node);
    let told = || api.get("/api/admin/events?topic=picloud.database.away").json()["events"].as_array().map_or(0, Vec::len);
    wait_until("the node tells that it was away", PATIENCE, || told() == 1);
    assert!(!node.log().contains("trust") && !node.log().contains("picloud:"), "a URL is in the log");
    node.stop();
}

#[test]
fn a_restart_on_postgres_keeps_the_deployment() {
    let (_story, setup) = Story::begin();
    let mut node = setup.start();
    let before = node.get("/n").header("x-picloud-deployment").unwrap().to_owned();
    node.restart();
    assert_eq!(node.get("/n").header("x-picloud-deployment"), Some(before.as_str()));
    node.stop();
}
