//! Scripts: lists of them, one with all that is known of it, its versions; and orders to change one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    clock::rfc3339,
    deployment::{Cause, Deployment, DeploymentId},
    function::{
        Diagnostic, FilePath, FunctionName, Manifest, Revision, Role, ScriptId, Version,
        origin::Setting,
        route::{Method, Methods, Route},
    },
    live::scripts::{Script, ScriptState},
    store::FunctionVersion,
};

/// A script that is to be.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptOrder {
    /// Its path below the functions folder, without `.rhai`.
    pub name: FunctionName,
    /// What is in its file.
    pub source: String,
}

/// Another source of a script.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceOrder {
    /// What is in its file.
    pub source: String,
}

/// A page of scripts, in order of their files.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ScriptPage {
    /// Those that were found.
    pub scripts: Vec<ScriptSummary>,
    /// The cursor of the next page; none: this is the last one.
    pub next: Option<FunctionName>,
}

/// What a list tells of a script.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ScriptSummary {
    /// The same for its name everywhere and for ever.
    pub id: ScriptId,
    /// Its path below the functions folder, without `.rhai`.
    pub name: FunctionName,
    /// Its file.
    #[schema(value_type = String)]
    pub file: FilePath,
    /// What it is for.
    pub kind: Role,
    /// Whether what the source holds of it is live.
    pub state: ScriptState,
    /// What its front-matter says about it, if it is live.
    #[serde(default)]
    pub description: Option<String>,
    /// What is live of it, if it serves requests.
    pub version: Option<Version>,
    /// Where it answers, if it does.
    pub route: Option<ScriptRoute>,
    /// Bytes of its file.
    pub size_bytes: usize,
    /// The number of mistakes in it.
    pub errors: usize,
}

/// Where a script answers.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ScriptRoute {
    /// Its path.
    pub path: String,
    /// The methods that it answers; none: any.
    pub methods: Option<Vec<Method>>,
}

/// One script with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScriptAnswer {
    /// What lists tell of it.
    #[serde(flatten)]
    pub summary: ScriptSummary,
    /// What is in its file.
    pub source: String,
    /// What holds for what is live of it.
    pub manifest: Option<Manifest>,
    /// Each of its settings, with where its value comes from; empty: it serves no requests.
    pub settings: Vec<Setting>,
    /// The functions that run with it, by name: it is a guard or a module of theirs. Of 1,000 and more the first.
    pub used_by: Vec<FunctionName>,
    /// The number of all of them.
    pub used_by_count: usize,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
    /// The deployment that brought what is live of it.
    pub deployment: Option<ScriptDeployment>,
    /// Why it is not live although it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

/// The deployment that brought what is live of a script.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ScriptDeployment {
    /// Its id.
    pub id: DeploymentId,
    /// When it was decided.
    pub time: String,
    /// What the source held.
    pub revision: Revision,
    /// What made it happen.
    pub cause: Cause,
    /// Who.
    pub by: Option<String>,
    /// Who pushed it.
    pub pushed_by: Option<String>,
}

/// A guard is gone, and functions are without it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeletedGuard {
    /// How many.
    pub diagnostics: Vec<Diagnostic>,
}

/// A script that is deleted and still live.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct HeldDeletion {
    /// Why.
    pub held: String,
}

/// When which version of a script went live.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct VersionList {
    /// Whose they are.
    pub id: ScriptId,
    /// Its name.
    pub name: FunctionName,
    /// The newest first.
    pub versions: Vec<VersionSummary>,
}

/// When a version went live.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct VersionSummary {
    /// Names its content.
    pub version: Version,
    /// The deployment that made it live.
    pub deployment: DeploymentId,
    /// When.
    pub time: String,
}

/// One version of a script.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct VersionAnswer {
    /// Whose it is.
    pub id: ScriptId,
    /// Its name.
    pub name: FunctionName,
    /// When it went live.
    #[serde(flatten)]
    pub summary: VersionSummary,
    /// What was in its file.
    pub source: Option<String>,
    /// The files that it ran with, as far as whoever asks may read them.
    pub files: BTreeMap<String, String>,
}

impl From<&Script> for ScriptSummary {
    fn from(script: &Script) -> Self {
        let live = script.function.as_ref().map(|live| &live.function);
        Self {
            id: script.id(),
            name: script.name.clone(),
            file: script.file.clone(),
            kind: script.role,
            state: script.state,
            description: script.description().map(str::to_owned),
            version: live.map(|live| live.version),
            route: live.and_then(|live| live.route.as_ref()).map(ScriptRoute::from),
            size_bytes: script.content.bytes.len(),
            errors: script.diagnostics.iter().filter(|found| found.is_error()).count(),
        }
    }
}

impl From<&Route> for ScriptRoute {
    fn from(route: &Route) -> Self {
        let methods = match &route.methods {
            Methods::Any => None,
            Methods::Only(listed) => Some(listed.clone()),
            Methods::Suffix(method) => Some(vec![*method]),
        };
        Self { path: route.to_string(), methods }
    }
}

impl From<Deployment> for ScriptDeployment {
    fn from(deployment: Deployment) -> Self {
        let Deployment { id, revision, cause, by, pushed_by, .. } = deployment;
        Self { id, time: rfc3339(id.time_us()), revision, cause, by, pushed_by }
    }
}

impl From<&FunctionVersion> for VersionSummary {
    fn from(known: &FunctionVersion) -> Self {
        Self { version: known.version, deployment: known.deployment, time: rfc3339(known.deployment.time_us()) }
    }
}
