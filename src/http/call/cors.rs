//! Answers to pages of other origins, as the Fetch standard has it. A browser asks first whether a page may send what it wants to send.
//! Then it shows the page only answers that say so.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body_util::{Either, Full};

use crate::{
    function::{Cors, route::Method as Known},
    http::{
        answer::{Answer, allow_header},
        app::App,
    },
    live::{Destination, LiveFunction, Match, Table},
};

/// What pages may read beside the few headers that they always may.
const EXPOSED: HeaderValue = HeaderValue::from_static("x-picloud-execution");
/// What the answer to a preflight depends on.
const ASKED_BY: HeaderValue = HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers");

impl App {
    /// Returns what holds for a function: its own `[cors]`, or else the node's. Without a function it is the node's.
    fn declared_cors<'a>(&'a self, function: Option<&'a LiveFunction>) -> Option<&'a Cors> {
        let own = function.and_then(|function| function.function.manifest.cors.as_ref());
        own.or(self.settings.cors.as_ref())
    }

    /// The same, if there are pages that may call.
    fn cors<'a>(&'a self, function: Option<&'a LiveFunction>) -> Option<&'a Cors> {
        self.declared_cors(function).filter(|cors| !cors.is_off())
    }

    /// Answers a browser that asks whether a page may send a request, if anybody has said who may.
    pub(in crate::http) fn preflight(&self, table: &Table, request: &Parts) -> Option<Answer> {
        let asked = Preflight::of(request)?;
        let path = request.uri.path();
        let (cors, methods) = match table.find(asked.method.to_str().ok()?, path) {
            Match::Found { value: Destination::Ready(function), .. } => (self.cors(Some(function)), asked.method.clone()),
            Match::MethodNotAllowed { allow } | Match::Options { allow } => {
                (self.cors(neighbour(table, &allow, path)), allow_header(&allow))
            }
            _ => (self.cors(None), asked.method.clone()),
        };
        Some(asked.answer(cors?, methods))
    }

    /// The same for a function that answers any method.
    pub(in crate::http) fn preflight_of(&self, function: &LiveFunction, request: &Parts) -> Option<Answer> {
        let asked = Preflight::of(request)?;
        Some(asked.answer(self.cors(Some(function))?, asked.method.clone()))
    }

    /// Returns how the answer to a request with these headers is shared that met this function, or none.
    pub(in crate::http) fn shared<'a>(&'a self, function: Option<&'a LiveFunction>, headers: &HeaderMap) -> Shared<'a> {
        let cors = self.declared_cors(function);
        Shared { cors, origin: cors.and_then(|_| headers.get(header::ORIGIN).cloned()) }
    }
}

/// Returns a function that answers other methods at this path: what it says holds for the answer that there is no such method.
pub fn neighbour<'a>(table: &'a Table, allow: &[Known], path: &str) -> Option<&'a LiveFunction> {
    allow.iter().find_map(|method| match table.find(method.as_str(), path) {
        Match::Found { value: Destination::Ready(function), .. } => Some(&**function),
        _ => None,
    })
}

/// What a browser asks before a page's request.
struct Preflight<'a> {
    origin: &'a HeaderValue,
    method: &'a HeaderValue,
    headers: Option<&'a HeaderValue>,
}

impl<'a> Preflight<'a> {
    fn of(request: &'a Parts) -> Option<Self> {
        if request.method != Method::OPTIONS {
            return None;
        }
        let headers = &request.headers;
        Some(Self {
            origin: headers.get(header::ORIGIN)?,
            method: headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?,
            headers: headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS),
        })
    }

    /// Says what a page may send, if its origin may send anything.
    fn answer(&self, cors: &Cors, methods: HeaderValue) -> Answer {
        let mut response = Response::new(Either::Left(Full::default()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::VARY, ASKED_BY);
        if !allow(headers, cors, Some(self.origin)) {
            return response;
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, cors.methods.as_deref().map_or(methods, allow_header));
        let named = cors.headers.as_ref().and_then(|headers| HeaderValue::from_str(&headers.join(", ")).ok());
        if let Some(sendable) = if cors.headers.is_some() { named } else { self.headers.cloned() } {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, sendable);
        }
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, cors.max_age.as_secs().into());
        response
    }
}

/// Who may see an answer.
pub struct Shared<'a> {
    cors: Option<&'a Cors>,
    origin: Option<HeaderValue>,
}

impl Shared<'_> {
    /// Says it in the answer. What a script says itself of who may see it gives way.
    pub fn mark(&self, headers: &mut HeaderMap) {
        let Some(cors) = self.cors else { return };
        if !cors.is_for_any() && !cors.is_off() {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if allow(headers, cors, self.origin.as_ref()) {
            headers.append(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

/// Names the origin that may see an answer; returns whether there is one.
fn allow(headers: &mut HeaderMap, cors: &Cors, origin: Option<&HeaderValue>) -> bool {
    headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    headers.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    let allowed = match origin {
        _ if cors.is_for_any() => Some(HeaderValue::from_static("*")),
        Some(origin) if cors.allows(origin.as_bytes()) => Some(origin.clone()),
        _ => None,
    };
    let Some(allowed) = allowed else { return false };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    if cors.credentials {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    true
}
