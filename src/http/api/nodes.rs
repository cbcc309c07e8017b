//! The control plane's part about nodes.

use axum::Json;
use utoipa_axum::routes;

use crate::{
    api::nodes::{NodeList, NodeSummary},
    clock::rfc3339,
    http::{
        api::openapi::Routes,
        app::App,
        caller::{Caller, Read},
        load::Rates,
        problem::Problem,
        process,
    },
};

/// The right to write to the database, which one node has at a time.
const DATABASE: &str = "database";

/// The route of nodes.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(nodes))
}

/// Lists the nodes on the database: who serves what, how far behind, and how much each does.
#[utoipa::path(get, path = "/api/admin/nodes", tag = "node", responses((status = 200, description = "A node alone is a list of one.", body = NodeList)))]
async fn nodes(caller: Caller<Read>) -> Result<Json<NodeList>, Problem> {
    let app = caller.for_node()?.app;
    Ok(Json(NodeList { nodes: vec![app.this_node()] }))
}

impl App {
    fn this_node(&self) -> NodeSummary {
        let (table, status, now_us) = (self.live.table(), self.live.status(), self.ids.now_us());
        let started_us = self.counts.started_us();
        let Rates { requests_per_s, processor } = self.load.rates(table.requests(), now_us);
        let has_database = self.store.borrow().is_some() && status.database.is_none();
        NodeSummary {
            id: self.identity.clone(),
            address: self.address.to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
            heard_of: rfc3339(now_us),
            started: rfc3339(started_us),
            up_s: (now_us - started_us).max(0).unsigned_abs() / 1_000_000,
            deployment: table.is_loaded().then_some(table.deployment),
            ready_us: self.counts.ready_us(),
            behind_us: status.behind_us(now_us),
            requests_per_s,
            processor,
            memory_bytes: process::status().resident_bytes(),
            leases: has_database.then(|| DATABASE.into()).into_iter().collect(),
        }
    }
}
