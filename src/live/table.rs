//! The table that requests meet: every route of one deployment, and what each leads to. Immutable.

use std::{collections::HashMap, sync::Arc};

use http::HeaderValue;

use super::{
    function::LiveFunction,
    meter::Meter,
    router::{Match, Router},
    triggers::Triggers,
};
use crate::{
    deployment::DeploymentId,
    function::{Diagnostic, FilePath, Route, ScriptId, SharedFunction},
};

/// Functions that are counted each for itself. Those beyond are counted together, so that what a node says of itself stays bounded.
pub const METERS: usize = 200;

/// The meters that a node has whatever is live. Every table hands them on to the next.
#[derive(Debug, Clone, Default)]
pub struct SharedMeters {
    /// Counts the functions that have no meter of their own.
    pub others: Arc<Meter>,
    /// Counts the requests that no function answers.
    pub unmatched: Arc<Meter>,
    /// Counts the requests to earlier deployments and other branches.
    pub previews: Arc<Meter>,
}

/// What a route leads to.
#[derive(Debug)]
pub enum Destination {
    /// A function.
    Ready(Arc<LiveFunction>),
    /// A file that is broken and never was good.
    Broken(BrokenFile),
}

/// A file that is broken and never was good.
#[derive(Debug, Clone)]
pub struct BrokenFile {
    /// Which.
    pub file: FilePath,
    /// What its name alone says.
    pub route: Route,
    /// What is wrong with it.
    pub diagnostics: Arc<[Diagnostic]>,
}

/// Every route of one deployment.
pub struct Table {
    /// Which.
    pub deployment: DeploymentId,
    /// The same, as every response names it.
    pub deployment_header: HeaderValue,
    pub(super) router: Router<Destination>,
    by_id: HashMap<ScriptId, Arc<LiveFunction>>,
    triggers: Triggers,
    meters: SharedMeters,
    is_preview: bool,
}

/// The deployment of a table before anything is loaded.
const NOTHING_LOADED: DeploymentId = DeploymentId(0);

impl Table {
    /// Makes the table of a node that has loaded nothing yet.
    pub(super) fn nothing() -> Self {
        let deployment_header = header(&NOTHING_LOADED.to_string());
        Self {
            deployment: NOTHING_LOADED,
            deployment_header,
            router: Router::new([]),
            by_id: HashMap::new(),
            triggers: Triggers::default(),
            meters: SharedMeters::default(),
            is_preview: false,
        }
    }

    /// Makes the table of a deployment. Where a broken file's route is also a function's, the function answers. What is as it was in the
    /// table `before` is taken from there, and functions go on with their meters.
    pub fn new<'a>(
        deployment: DeploymentId,
        functions: impl Iterator<Item = &'a SharedFunction>,
        broken: &[BrokenFile],
        before: &Self,
    ) -> Self {
        let functions: Vec<&SharedFunction> = functions.collect();
        let own = |function: &SharedFunction| before.by_id.get(&function.script_id).and_then(|live| before.own_meter(live));
        let mut free = METERS.saturating_sub(functions.iter().filter(|function| own(function).is_some()).count());
        let ready = functions.into_iter().map(|function| {
            let meter = own(function).cloned().unwrap_or_else(|| match free {
                0 => before.meters.others.clone(),
                _ => {
                    free -= 1;
                    Arc::default()
                }
            });
            before.shared(function, meter)
        });
        let broken = broken.iter().map(|file| (file.route.clone(), Destination::Broken(file.clone())));
        Self::of(deployment, ready.collect(), broken, before.meters.clone())
    }

    /// Makes a table that is shown beside the one that is `live`: of an earlier deployment, or of another branch. What is the same is shared.
    pub fn preview<'a>(deployment: DeploymentId, functions: impl Iterator<Item = &'a SharedFunction>, live: &Self) -> Self {
        let ready = functions.map(|function| match live.by_id.get(&function.script_id) {
            Some(same) if Arc::ptr_eq(&same.function, function) => same.clone(),
            _ => live.shared(function, live.meters.previews.clone()),
        });
        let table = Self::of(deployment, ready.collect(), [].into_iter(), live.meters.clone());
        Self { is_preview: true, ..table }
    }

    /// Returns the entry of a function with this meter: the one in this table if that is the same.
    fn shared(&self, function: &SharedFunction, meter: Arc<Meter>) -> Arc<LiveFunction> {
        match self.by_id.get(&function.script_id) {
            Some(live) if Arc::ptr_eq(&live.function, function) && Arc::ptr_eq(&live.meter, &meter) => live.clone(),
            _ => {
                let version_header = header(&function.version.to_string());
                Arc::new(LiveFunction { function: function.clone(), version_header, meter })
            }
        }
    }

    fn of(
        deployment: DeploymentId,
        ready: Vec<Arc<LiveFunction>>,
        broken: impl Iterator<Item = (Route, Destination)>,
        meters: SharedMeters,
    ) -> Self {
        let routes = ready.iter().filter_map(|live| Some((live.function.route.clone()?, Destination::Ready(live.clone()))));
        Self {
            deployment,
            deployment_header: header(&deployment.to_string()),
            router: Router::new(routes.chain(broken)),
            by_id: ready.iter().map(|live| (live.function.script_id, live.clone())).collect(),
            triggers: Triggers::of(&ready),
            meters,
            is_preview: false,
        }
    }

    /// Returns whether a deployment made this table.
    pub fn is_loaded(&self) -> bool {
        self.deployment != NOTHING_LOADED
    }

    /// Returns what a request with this method and path meets.
    pub fn find(&self, method: &str, path: &str) -> Match<'_, Destination> {
        self.router.find(method, path)
    }

    /// Returns the function of this script id.
    pub fn by_id(&self, id: ScriptId) -> Option<&Arc<LiveFunction>> {
        self.by_id.get(&id)
    }

    /// Returns what starts its functions without a request.
    pub fn triggers(&self) -> &Triggers {
        &self.triggers
    }

    /// Returns every function, in no order.
    pub fn functions(&self) -> impl Iterator<Item = &Arc<LiveFunction>> {
        self.by_id.values()
    }

    /// Returns what counts the requests to a function of this table.
    pub fn meter<'a>(&'a self, function: &'a LiveFunction) -> &'a Meter {
        if self.is_preview { &self.meters.previews } else { &function.meter }
    }

    /// Returns what counts a function alone, if it is not counted together with others.
    pub fn own_meter<'a>(&self, function: &'a LiveFunction) -> Option<&'a Arc<Meter>> {
        (!Arc::ptr_eq(&function.meter, &self.meters.others)).then_some(&function.meter)
    }

    /// Returns what counts the requests to this table that no function answers.
    pub fn unmatched(&self) -> &Meter {
        if self.is_preview { &self.meters.previews } else { &self.meters.unmatched }
    }

    /// Returns the meters that are there whatever is live.
    pub fn shared_meters(&self) -> &SharedMeters {
        &self.meters
    }

    /// Returns how many requests were answered, by functions of this table and by what its meters share.
    pub fn requests(&self) -> u64 {
        let own = self.functions().filter_map(|function| self.own_meter(function)).map(|meter| meter.requests());
        let SharedMeters { unmatched, others, previews } = &self.meters;
        own.sum::<u64>() + [unmatched, others, previews].iter().map(|meter| meter.requests()).sum::<u64>()
    }

    /// Returns the number of functions.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Returns whether there are no functions.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

fn header(id: &str) -> HeaderValue {
    HeaderValue::from_str(id).expect("ids are ASCII letters and digits")
}
