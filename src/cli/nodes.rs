//! `picloud nodes`: who serves what, and how much each node does.

use clap::Args;

use super::{exit::Exit, records::ListForm, target::NodeArgs};
use crate::{
    api::nodes::{NodeList, NodeSummary},
    function::quantity::Size,
};

/// `picloud nodes`
#[derive(Debug, Args)]
pub struct Nodes {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    form: ListForm,
}

impl Nodes {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let NodeList { nodes } = self.node.client()?.read("/api/admin/nodes")?;
        let heading = ["NODE", "ADDRESS", "VERSION", "DEPLOYMENT", "STARTED", "REQUESTS", "PROCESSOR", "MEMORY", "LEASES"];
        self.form.list(&nodes, |node| node, heading, row)
    }
}

fn row(node: &NodeSummary) -> [String; 9] {
    [
        node.id.clone(),
        node.address.clone(),
        node.version.clone(),
        node.deployment.map_or_else(|| "none yet".into(), |deployment| deployment.to_string()),
        node.started.clone(),
        format!("{:.1}/s", node.requests_per_s),
        format!("{:.0} %", node.processor * 100.0),
        node.memory_bytes.map(|bytes| Size(bytes).to_string()).unwrap_or_default(),
        node.leases.join(", "),
    ]
}
