//! `/_picloud/openapi.json`: what can be asked of a node, for tools that make clients and tests of it. Each route brings its own description, so
//! none can be missing; what holds for all of them is added here.

use axum::{Router, routing::get};
use bytes::Bytes;
use http::header;
use utoipa::{
    OpenApi, PartialSchema as _, ToSchema as _,
    openapi::{
        ContentBuilder, HeaderBuilder, Object, Ref, RefOr, ResponseBuilder,
        path::{Operation, PathItem},
        schema::Type,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{api::problem::ProblemDetails, http::caller::GuardedApp};

/// Routes that say what they are.
pub type Routes = OpenApiRouter<GuardedApp>;

#[derive(OpenApi)]
#[openapi(
    info(title = "PiCloud", description = "What an operator or a tool asks of a running node.", license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
    servers((url = "/"))
)]
struct Document;

/// Where it is.
const PATH: &str = "/_picloud/openapi.json";
/// The ways to say who asks.
const TOKEN: &str = "token";
const SESSION: &str = "session";
/// The schema of what is told instead of an answer.
const PROBLEM: &str = "Problem";

/// Returns routes, and beside them that of their description.
pub fn described(routes: Routes) -> Router<GuardedApp> {
    let (router, mut document) = OpenApiRouter::with_openapi(Document::openapi()).merge(routes).split_for_parts();
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("`picloud token create` makes one")).build();
    components.add_security_scheme(TOKEN, SecurityScheme::Http(bearer));
    let cookie = ApiKeyValue::with_description("picloud_session", "`POST /_picloud/session` begins one; the name ends in `_` and the port");
    components.add_security_scheme(SESSION, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    components.schemas.insert(PROBLEM.into(), ProblemDetails::schema());
    let mut named = Vec::new();
    ProblemDetails::schemas(&mut named);
    components.schemas.extend(named);
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            complete(operation, path);
        }
    }
    let document: Bytes = serde_json::to_vec(&document).expect("a description is plain data").into();
    router.route(PATH, get(move || std::future::ready(([(header::CONTENT_TYPE, "application/json")], document))))
}

/// Adds what any route may answer, and what nearly all of them want.
fn complete(operation: &mut Operation, path: &str) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(PROBLEM))).build();
    let response = ResponseBuilder::new().description("It cannot be done: `detail` says why, and `hint` what to do.");
    let retry_after =
        HeaderBuilder::new().schema(Some(Object::with_type(Type::Integer))).description(Some("Seconds, where waiting helps."));
    let response = response.content("application/problem+json", content).header("Retry-After", retry_after.build()).build();
    operation.responses.responses.entry("default".into()).or_insert(RefOr::T(response));
    if path.starts_with("/api/") && operation.security.is_none() {
        operation.security = Some([TOKEN, SESSION].map(|way| SecurityRequirement::new::<_, _, String>(way, [])).into());
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}
