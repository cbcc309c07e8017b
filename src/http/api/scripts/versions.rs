//! Versions of scripts: when which one was live, and what was in it.

use axum::Json;

use crate::{
    api::scripts::{VersionAnswer, VersionList, VersionSummary},
    function::{Content, FunctionName, ScriptId, VersionPrefix},
    http::{
        api::asked::PathParams,
        app::App,
        caller::{About, Caller, Read},
        problem::{Problem, away},
    },
    store::FunctionVersion,
};

/// Tells when which version of a script went live.
#[utoipa::path(
    get, path = "/api/admin/scripts/{id}/versions", operation_id = "script_versions", tag = "scripts", params(("id" = String, Path, description = "A script's id, or its name.")),
    responses((status = 200, description = "Its versions, the newest first.", body = VersionList))
)]
pub async fn versions(caller: Caller<Read>, PathParams(id): PathParams<String>) -> Result<Json<VersionList>, Problem> {
    let (_, ScriptHistory { name, versions }) = caller.for_found(|app| async move { app.versions(&id).await }).await?;
    let versions = versions.iter().map(VersionSummary::from).collect();
    Ok(Json(VersionList { id: ScriptId::of(&name), name, versions }))
}

/// One version of a script, with the files that it ran with: those that whoever asks may read.
#[utoipa::path(
    get, path = "/api/admin/scripts/{id}/versions/{version}", operation_id = "script_version", tag = "scripts",
    params(("id" = String, Path, description = "A script's id, or its name."), ("version" = String, Path, description = "32 hexadecimal digits, or the first ones.")),
    responses((status = 200, description = "Its source then.", body = VersionAnswer))
)]
pub async fn version(
    caller: Caller<Read>,
    PathParams((id, version)): PathParams<(String, String)>,
) -> Result<Json<VersionAnswer>, Problem> {
    let (grant, ScriptHistory { name, versions }) = caller.for_found(|app| async move { app.versions(&id).await }).await?;
    let unknown = || Problem::UnknownVersion { version: version.clone(), function: name.clone() };
    let known = version_of(&name, &versions, &version)?;
    let files = grant.app.history()?.version_files(known.version).await.map_err(away)?.ok_or_else(unknown)?;
    let text = |content: &Content| String::from_utf8_lossy(&content.bytes).into_owned();
    let readable = files.iter().filter(|(path, _)| grant.may_read(path));
    Ok(Json(VersionAnswer {
        id: ScriptId::of(&name),
        summary: known.into(),
        source: files.get(&*name.file()).map(text),
        files: readable.map(|(path, content)| (path.to_string(), text(content))).collect(),
        name,
    }))
}

/// Finds the version that is named by its first characters: the newest time that it went live.
pub(in crate::http::api) fn version_of<'a>(
    name: &FunctionName,
    versions: &'a [FunctionVersion],
    begin: &str,
) -> Result<&'a FunctionVersion, Problem> {
    let unknown = || Problem::UnknownVersion { version: begin.into(), function: name.clone() };
    let prefix: VersionPrefix = begin.parse().map_err(|_| unknown())?;
    let mut meant = versions.iter().filter(|known| prefix.matches(known.version));
    let newest = meant.next().ok_or_else(unknown)?;
    if meant.any(|other| other.version != newest.version) {
        return Err(Problem::BadOrder(format!("`version`: more than one of `{name}` begins with `{begin}`\n  hint: give more of it")));
    }
    Ok(newest)
}

/// When a script was live, and as what.
struct ScriptHistory {
    name: FunctionName,
    versions: Vec<FunctionVersion>,
}

impl About for ScriptHistory {
    fn functions(&self) -> Vec<FunctionName> {
        vec![self.name.clone()]
    }
}

impl App {
    /// Returns when which version of a script was live; also of one that is not there any more, by its name.
    async fn versions(&self, id: &str) -> Result<ScriptHistory, Problem> {
        let name = match self.script(id) {
            Ok(script) => script.name,
            // Postgres takes no text with a zero in it.
            Err(_) if !id.contains('\0') => FunctionName::new(id),
            Err(problem) => return Err(problem),
        };
        let versions = self.history()?.versions_of(&name).await.map_err(away)?;
        if versions.is_empty() && self.live.script(&name).is_none() {
            return Err(Problem::UnknownScript);
        }
        Ok(ScriptHistory { name, versions })
    }
}
