//! The control plane's part about secrets: which there are, and new values. None is ever answered.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use axum::{Json, body::Body};
use http::{Request, StatusCode, Uri};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    api::secrets::{SecretChanges, SecretList, SecretOrder, SecretSummary, SecretText, Setters, WantedSecret},
    blocking,
    function::{FunctionName, TreeSettings, grants::secret::SecretName},
    http::{
        api::{
            asked::{PathParams, asked},
            openapi::Routes,
        },
        app::App,
        caller::{Admin, Caller, Deploy},
        problem::Problem,
    },
    live::Table,
    secret::Secret,
    vault::NewSecret,
};

/// Bytes of an order: that of the largest value, with every byte escaped, and that of the largest `.env` file.
const MAX_ORDER_BYTES: usize = 2 << 20;

/// The routes of secrets.
pub fn routes() -> Routes {
    Routes::new().routes(routes!(secrets, set_secrets)).routes(routes!(remove_secret)).routes(routes!(end_rotation))
}

/// Lists secrets by name, without their values, and those that files name and that are not there.
#[utoipa::path(get, path = "/api/admin/secrets", tag = "secrets", responses((status = 200, description = "Every secret of the database.", body = SecretList)))]
async fn secrets(caller: Caller<Deploy>) -> Result<Json<SecretList>, Problem> {
    let app = caller.for_node()?.app;
    let setters = setters(&app).await;
    let (listed, problem) = (app.vault.list(), app.vault.problem());
    // Every front-matter is read, which no request should wait for.
    let list = blocking::run(move || {
        let known: BTreeSet<SecretName> = listed.iter().map(|secret| secret.name.clone()).collect();
        let table = app.live.table();
        let secrets = listed.into_iter().map(|secret| {
            let users = users(&table, &secret.name);
            SecretSummary::of(secret, users, &setters)
        });
        SecretList { secrets: secrets.collect(), wanted: wanted(&app, &known), problem }
    });
    Ok(Json(list.await.expect("reading front-matters does not panic")))
}

/// Returns who set secrets. Names and users are told all the same while the database does not answer.
async fn setters(app: &App) -> Setters {
    let Ok(history) = app.history() else { return Setters::default() };
    history.audit(&Setters::filter()).await.unwrap_or_default().into_iter().collect()
}

/// Returns what files of the source name beyond what is there.
fn wanted(app: &App, known: &BTreeSet<SecretName>) -> Vec<WantedSecret> {
    let settings = TreeSettings::of(&app.limits, &app.live.files().wanted);
    let mut wanted: BTreeMap<SecretName, Vec<FunctionName>> = BTreeMap::new();
    for (file, manifest) in settings.written() {
        for name in manifest.grants.secrets.iter().filter(|name| !known.contains(*name)) {
            wanted.entry(name.clone()).or_default().extend(FunctionName::of_file(file));
        }
    }
    wanted.into_iter().map(Into::into).collect()
}

/// Sets secrets, all or none. The values are live at once, and files that were refused because of them go live.
#[utoipa::path(
    put, path = "/api/admin/secrets", tag = "secrets", request_body = SecretOrder,
    responses((status = 200, description = "What became of each.", body = SecretChanges))
)]
async fn set_secrets(caller: Caller<Admin>, request: Request<Body>) -> Result<Json<SecretChanges>, Problem> {
    let grant = caller.for_node()?;
    let order: SecretOrder = grant.order(request, MAX_ORDER_BYTES).await?;
    let keep = order.keep_previous.as_deref().map(span).transpose()?;
    let new: Vec<NewSecret> =
        order.values.into_iter().map(|(name, SecretText(value))| NewSecret { name, value: Secret::new(value) }).collect();
    let names: Vec<SecretName> = new.iter().map(|new| new.name.clone()).collect();
    let outcomes = grant.app.vault.set(&grant.app.history()?, new, keep, &grant.actor()).await?;
    grant.app.sync.look_again().await;
    Ok(Json(names.into_iter().zip(outcomes).collect()))
}

/// How a secret is removed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Removal {
    /// Also if live functions use it.
    force: bool,
}

/// Removes a secret.
#[utoipa::path(
    delete, path = "/api/admin/secrets/{name}", tag = "secrets", params(("name" = String, Path, description = "Its name."), Removal),
    responses((status = 204, description = "It is gone."))
)]
async fn remove_secret(caller: Caller<Admin>, PathParams(name): PathParams<String>, uri: Uri) -> Result<StatusCode, Problem> {
    let grant = caller.for_node()?;
    let (name, removal) = (parse(&name)?, asked::<Removal>(&uri)?);
    let app = &grant.app;
    let users = users(&app.live.table(), &name);
    if !users.is_empty() && !removal.force {
        return Err(Problem::SecretUsed { name, users });
    }
    app.vault.remove(&app.history()?, vec![name], &grant.actor()).await?;
    app.sync.look_again().await;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the rotation of a secret: the value before is not accepted any more.
#[utoipa::path(
    delete, path = "/api/admin/secrets/{name}/previous", tag = "secrets", params(("name" = String, Path, description = "Its name.")),
    responses((status = 204, description = "Only the current value is accepted."))
)]
async fn end_rotation(caller: Caller<Admin>, PathParams(name): PathParams<String>) -> Result<StatusCode, Problem> {
    let grant = caller.for_node()?;
    grant.app.vault.end_rotation(&grant.app.history()?, &parse(&name)?, &grant.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the live functions whose front-matter names a secret, by name.
fn users(table: &Table, secret: &SecretName) -> Vec<FunctionName> {
    let functions = table.functions().map(|live| &live.function);
    let mut users: Vec<FunctionName> =
        functions.filter(|function| function.manifest.grants.secrets.contains(secret)).map(|function| function.name.clone()).collect();
    users.sort_unstable();
    users
}

fn parse(name: &str) -> Result<SecretName, Problem> {
    name.parse().map_err(|error| Problem::BadOrder(format!("{error}").replace("\nhint: ", "\n  hint: ")))
}

/// Reads how long the values before are accepted.
fn span(text: &str) -> Result<Duration, Problem> {
    let wrong = || {
        Problem::BadOrder(format!(
            "`keep_previous`: `{}` is no span of time\n  hint: write `24h`, or `0s` for not at all",
            text.escape_debug()
        ))
    };
    humantime::parse_duration(text).map_err(|_| wrong())
}
