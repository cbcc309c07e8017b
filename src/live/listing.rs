//! Routes as listings tell them: what `picloud routes` shows, of the files here or of what is live on a node.

use std::{cmp::Ordering, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BrokenFile, Destination, Table};
use crate::function::{FilePath, Function, FunctionName, Limits, quantity::Amount};

/// A route of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteSummary {
    /// Its path.
    pub route: String,
    /// What it answers.
    pub methods: String,
    /// Whose it is, below the root.
    #[schema(value_type = String)]
    pub file: FilePath,
    /// What the front-matter says about it.
    pub description: Option<String>,
    /// The limits that are not the node's defaults, by their keys.
    pub limits: BTreeMap<String, Amount>,
    /// Guards that run before it, outermost folder first.
    #[schema(value_type = Vec<String>)]
    pub guards: Vec<FilePath>,
    /// The scope that a caller's token needs; none: nobody needs a token.
    pub auth: Option<String>,
    /// Its file has mistakes and never was right.
    pub broken: bool,
}

impl RouteSummary {
    /// Lists a function that has a route, with the limits that are not these.
    pub fn of(function: &Function, defaults: &Limits) -> Option<Self> {
        let route = function.route.as_ref()?;
        Some(Self {
            route: route.to_string(),
            methods: route.methods.to_string(),
            file: function.name.file().into(),
            description: function.manifest.description.clone(),
            limits: function.manifest.limits.differing(defaults),
            guards: function.guards.clone(),
            auth: function.manifest.auth.map(|scope| scope.to_string()),
            broken: false,
        })
    }

    /// Lists a file by what its name alone says.
    pub fn of_broken(broken: &BrokenFile) -> Self {
        Self {
            route: broken.route.to_string(),
            methods: broken.route.methods.to_string(),
            file: broken.file.clone(),
            description: None,
            limits: BTreeMap::new(),
            guards: Vec::new(),
            auth: None,
            broken: true,
        }
    }

    /// Returns the function whose it is.
    pub fn function(&self) -> Option<FunctionName> {
        FunctionName::of_file(&self.file)
    }

    /// Returns whether it has this text in its path, its file or its description, in capitals or not.
    pub fn has_text(&self, text: &str) -> bool {
        [Some(&*self.route), Some(&*self.file), self.description.as_deref()].into_iter().flatten().any(|own| has_text(own, text))
    }

    /// Compares two in the order of listings.
    pub fn order(&self, other: &Self) -> Ordering {
        (&self.route, &self.file).cmp(&(&other.route, &other.file))
    }
}

/// Returns whether a text has another in it, in capitals or not.
pub(super) fn has_text(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

impl Table {
    /// Lists every route, with the limits that are not these.
    pub fn listing(&self, defaults: &Limits) -> Vec<RouteSummary> {
        let listed = |entry: &Destination| match entry {
            Destination::Ready(live) => RouteSummary::of(&live.function, defaults),
            Destination::Broken(broken) => Some(RouteSummary::of_broken(broken)),
        };
        let mut listing: Vec<RouteSummary> = self.router.entries().filter_map(|(_, entry)| listed(entry)).collect();
        listing.sort_by(RouteSummary::order);
        listing
    }
}
