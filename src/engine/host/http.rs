//! The module `http`: requests to other services.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};

use super::{
    Answer, Ask, Call, HostError, HostFunction, HostModule, HostResult, ObjectClass, Options, Parameter, Property, Requirement, Type,
    json::from_json, reveal::Reveal,
};
use crate::engine::value::plain::{HostObject, Map, Object, Value, object_of};
use crate::{
    capability::http::{AT_ONCE_PER_RUN, HttpClient, OutboundError, OutboundRequest, OutboundResponse, RequestError},
    engine::meter,
    execution::{EffectKind, is_credential},
    function::{FunctionName, grants::http::AllowList},
};

const URL: Parameter = Parameter::new("url", Type::Text);
const BODY: Parameter = Parameter::optional("body", Type::Any);
const OPTIONS: Parameter = Parameter::optional("options", Type::Map);

/// The module.
pub static MODULE: HostModule = HostModule {
    name: "http",
    about: "Sends requests to the services that the front-matter allows.",
    functions: &[
        HostFunction::reaching(Requirement::Http, "get", &[URL, OPTIONS], "Response", "Sends a GET request.", |call| plain(call, "GET")),
        HostFunction::reaching(Requirement::Http, "head", &[URL, OPTIONS], "Response", "Sends a HEAD request.", |call| plain(call, "HEAD")),
        HostFunction::reaching(Requirement::Http, "delete", &[URL, OPTIONS], "Response", "Sends a DELETE request.", |call| {
            plain(call, "DELETE")
        }),
        HostFunction::reaching(
            Requirement::Http,
            "post",
            &[URL, BODY, OPTIONS],
            "Response",
            "Sends a POST request. A map or an array is sent as JSON.",
            |call| with_body(call, "POST"),
        ),
        HostFunction::reaching(
            Requirement::Http,
            "put",
            &[URL, BODY, OPTIONS],
            "Response",
            "Sends a PUT request. A map or an array is sent as JSON.",
            |call| with_body(call, "PUT"),
        ),
        HostFunction::reaching(
            Requirement::Http,
            "patch",
            &[URL, BODY, OPTIONS],
            "Response",
            "Sends a PATCH request. A map or an array is sent as JSON.",
            |call| with_body(call, "PATCH"),
        ),
        HostFunction::reaching(
            Requirement::Http,
            "request",
            &[Parameter::new("request", Type::Map)],
            "Response",
            "Sends a request: a map with `method`, `url` and the options.",
            request,
        ),
        HostFunction::reaching(
            Requirement::Http,
            "all",
            &[Parameter::new("requests", Type::Array)],
            "array",
            "Sends several requests at once, each a map or a URL. What fails is a map with `error`.",
            all,
        ),
    ],
};

/// What answers have in common.
pub static CLASS: ObjectClass = ObjectClass {
    name: "Response",
    properties: &[
        property("ok", "boolean", "Whether the status is 200 to 299.", |object| Ok(of(object)?.is_ok().into())),
        property("status", "whole number", "The status.", |object| Ok(Value::Int(of(object)?.status.into()))),
        property("headers", "map", "The headers, by names in lower case. One that came twice is joined with a comma.", headers),
        property("text", "string", "The body as text.", |object| Ok(String::from_utf8_lossy(&of(object)?.body).into_owned().into())),
        property("json", "value", "The body, read as JSON.", json),
        property("blob", "blob", "The body as bytes.", |object| Ok(of(object)?.body.to_vec().into())),
        property("url", "string", "Where the answer came from, after redirects.", |object| Ok(of(object)?.url.as_str().into())),
        property("ms", "whole number", "Milliseconds that it took.", |object| Ok(Value::Int(of(object)?.ms.cast_signed()))),
    ],
    methods: &[],
};

const fn property(
    name: &'static str,
    returns: &'static str,
    about: &'static str,
    get: fn(&dyn HostObject) -> Result<Value, HostError>,
) -> Property {
    Property { name, returns, about, get }
}

/// An answer, in the memory of the run.
struct Response(OutboundResponse);

impl HostObject for Response {
    fn class(&self) -> &'static str {
        CLASS.name
    }

    fn shown(&self) -> String {
        format!("[response {} of {} bytes]", self.0.status, self.0.body.len())
    }

    fn without_json(&self) -> &'static str {
        "; give on what is in it: its `json`, `text` or `blob`"
    }
}

fn of(object: &dyn HostObject) -> Result<&OutboundResponse, HostError> {
    object_of::<Response>(object).map(|response| &response.0).ok_or_else(|| "it is no response".into())
}

fn headers(object: &dyn HostObject) -> HostResult {
    let mut map = std::collections::BTreeMap::<&str, String>::new();
    for (name, value) in &of(object)?.headers {
        map.entry(name).and_modify(|values| *values = format!("{values}, {value}")).or_insert_with(|| value.clone());
    }
    Ok(Value::Map(map.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
}

fn json(object: &dyn HostObject) -> HostResult {
    let text = std::str::from_utf8(&of(object)?.body).map_err(|_| HostError::from("the body is not JSON: it is not UTF-8"))?;
    from_json(text).map_err(|why| match why {
        HostError::Wrong(why) => format!("the body is not JSON: {why}").into(),
        other => other,
    })
}

impl Answer for Result<OutboundResponse, OutboundError> {
    fn outcome(&self) -> (String, bool) {
        match self {
            Ok(response) => (response.status.to_string(), response.status >= 500),
            Err(error) => (error.kind.as_str().into(), true),
        }
    }

    fn received_bytes(&self) -> usize {
        self.as_ref().map_or(0, |response| response.body.len())
    }

    fn without_credentials(&self) -> Option<Self> {
        let response = self.as_ref().ok()?;
        let is_secret = |(name, value): &(String, String)| is_credential(name, value.as_bytes());
        response.headers.iter().any(is_secret).then(|| {
            let headers = response.headers.iter().filter(|header| !is_secret(header)).cloned().collect();
            Ok(OutboundResponse { headers, ..response.clone() })
        })
    }
}

/// What a call needs to send requests.
struct Reach {
    client: Arc<dyn HttpClient>,
    function: FunctionName,
    allowed: Arc<AllowList>,
}

fn reach(call: &mut Call<'_>) -> Result<Reach, HostError> {
    let allowed = call.with_run(|run| run.grants().and_then(|grants| grants.http.clone()))?;
    let allowed = allowed.ok_or("the front-matter allows no network; add `[http]` with `allow = [\"https://…\"]`")?;
    let client = call.with_run(|run| run.capabilities().and_then(|all| all.http.clone()))?;
    let function = call.with_run(|run| run.function.name.clone())?;
    Ok(Reach { client: client.ok_or("there is no network without a node; `--url` names one")?, function, allowed })
}

/// A request with what a replay compares.
struct Order {
    ask: Ask,
    request: OutboundRequest,
}

/// The options of every request.
const NAMES: &[&str] = &["headers", "query", "json", "form", "body", "timeout", "retry", "redirects"];
/// The same, where the whole request is a map.
const REQUEST: &[&str] = &["method", "url", "headers", "query", "json", "form", "body", "timeout", "retry", "redirects"];

/// The least that an answer may be large, however little memory is left: enough for an error page.
const SMALLEST_ANSWER: usize = 64 << 10;

/// A request that may take as long as its run ends with it, and not by itself a moment before or after: its caller gets the same answer
/// each time.
const AFTER_THE_RUN: Duration = Duration::from_secs(1);

fn wrong(why: RequestError) -> HostError {
    why.to_string().into()
}

fn order(call: &mut Call<'_>, method: &str, url: &str, body: Option<&Value>, options: Options<'_>) -> Result<Order, HostError> {
    let secrets = call.secrets();
    let (revealed, shown) = (Reveal::with(secrets.as_deref()), Reveal::shown());
    let left = meter::time_left();
    let timeout = options.span("timeout")?.filter(|asked| *asked < left).unwrap_or(left + AFTER_THE_RUN);
    // An answer is held twice for a moment: as it came, and as the run's.
    let room = (meter::memory_left() / 2).max(SMALLEST_ANSWER);
    let mut request = OutboundRequest::new(method, url, timeout, room).map_err(wrong)?;
    let mut parts = vec![shown.text(&Value::from(url))?];
    for (name, value) in pairs(options.map("query")?) {
        request = request.parameter(name, &revealed.text(value)?).map_err(wrong)?;
        parts.extend([name.to_string(), shown.text(value)?]);
    }
    for (name, value) in pairs(options.map("headers")?) {
        request = request.header(name, &revealed.text(value)?).map_err(wrong)?;
        parts.extend([name.to_string(), shown.text(value)?]);
    }
    if let Some(json) = options.get("json") {
        request = request.json(&revealed.json(json)?).map_err(wrong)?;
        parts.push(shown.json(json)?.to_string());
    }
    if let Some(form) = options.map("form")? {
        let fields = pairs(Some(form)).map(|(name, value)| Ok((name.to_string(), revealed.text(value)?)));
        let fields: Vec<(String, String)> = fields.collect::<Result<_, HostError>>()?;
        request = request.form(fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))).map_err(wrong)?;
        for (name, value) in pairs(Some(form)) {
            parts.extend([name.to_string(), shown.text(value)?]);
        }
    }
    for body in [body, options.get("body")].into_iter().flatten() {
        request = match body {
            Value::Unit => request,
            Value::Map(_) | Value::Array(_) => request.json(&revealed.json(body)?).map_err(wrong)?,
            Value::Blob(bytes) => request.bytes(bytes.clone()).map_err(wrong)?,
            text => request.text(revealed.text(text)?).map_err(wrong)?,
        };
        parts.push(match body {
            Value::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => shown.json(other)?.to_string(),
        });
    }
    let retries = options.count("retry", u32::MAX.into())?.unwrap_or(0);
    request = request.retries(retries as u32).map_err(wrong)?;
    if let Some(redirects) = options.count("redirects", u32::MAX.into())? {
        request = request.redirects(redirects as u32).map_err(wrong)?;
    }
    if let Some(context) = call.with_run(|run| run.traceparent())? {
        request = request.traceparent(&context);
    }
    let ask = Ask::new(EffectKind::Http, request.line()).sending(request.body().map_or(0, |body| body.len()));
    Ok(Order { ask: parts.iter().fold(ask, |ask, part| ask.of(part)), request })
}

fn pairs(map: Option<&Map>) -> impl Iterator<Item = (&str, &Value)> {
    map.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// Makes of what came back what the script sees.
fn answer(came: &Result<OutboundResponse, OutboundError>) -> HostResult {
    match came {
        // Copied: what came is not in the memory of the run.
        Ok(response) => Ok(Object::new(Response(OutboundResponse { body: response.body.to_vec().into(), ..response.clone() })).into()),
        Err(error) => Err(HostError::Thrown(thrown(error))),
    }
}

fn thrown(error: &OutboundError) -> Value {
    Value::map([("kind", error.kind.as_str().into()), ("message", error.message.as_str().into())])
}

fn send(call: &mut Call<'_>, order: Order) -> HostResult {
    let Reach { client, function, allowed } = reach(call)?;
    let Order { ask, request } = order;
    call.effect(ask, async || client.send(&function, &allowed, request.copied()).await, answer)?
}

fn plain(call: &mut Call<'_>, method: &str) -> HostResult {
    let (url, options) = (call.take(0), call.take(1));
    let options = Options::of(&options, NAMES)?;
    let order = order(call, method, url.as_text().unwrap_or_default(), None, options)?;
    send(call, order)
}

fn with_body(call: &mut Call<'_>, method: &str) -> HostResult {
    let (url, body, options) = (call.take(0), call.take(1), call.take(2));
    let options = Options::of(&options, NAMES)?;
    let order = order(call, method, url.as_text().unwrap_or_default(), Some(&body), options)?;
    send(call, order)
}

fn request(call: &mut Call<'_>) -> HostResult {
    let request = call.take(0);
    let order = order_of(call, &request)?;
    send(call, order)
}

/// Makes an order of a map, or of a URL that is asked for.
fn order_of(call: &mut Call<'_>, request: &Value) -> Result<Order, HostError> {
    if let Some(url) = request.as_text() {
        return order(call, "GET", url, None, Options::nothing());
    }
    let options = Options::of(request, REQUEST)?;
    let url = options.text("url")?.ok_or("a request has a `url`")?;
    order(call, options.text("method")?.unwrap_or("GET"), url, None, options)
}

/// Requests of one call of `http::all`.
const MAX_REQUESTS: usize = 100;

fn all(call: &mut Call<'_>) -> HostResult {
    let Value::Array(requests) = call.take(0) else { return Ok(Value::Unit) };
    if requests.len() > MAX_REQUESTS {
        return Err(format!("{} requests are too many for one call; {MAX_REQUESTS} are possible", requests.len()).into());
    }
    let mut orders: Vec<Order> = requests.iter().map(|request| order_of(call, request)).collect::<Result<_, _>>()?;
    // All answers are held before the first is the run's: together they may be as large as one.
    let count = orders.len().max(1);
    for Order { request, .. } in &mut orders {
        request.max_response_bytes = (request.max_response_bytes / count).max(SMALLEST_ANSWER);
    }
    let (asks, requests): (Vec<_>, Vec<_>) = orders.into_iter().map(|order| (order.ask, order.request)).unzip();
    let Reach { client, function, allowed } = reach(call)?;
    let sent = async || {
        let sent = requests.iter().map(|request| client.send(&function, &allowed, request.copied()));
        stream::iter(sent).buffered(AT_ONCE_PER_RUN).collect().await
    };
    let answers = call.effects(asks, sent, |came| match answer(came) {
        Err(HostError::Thrown(error)) => Ok(Value::map([("ok", false.into()), ("error", error)])),
        other => other,
    })?;
    answers.into_iter().collect::<Result<Vec<_>, _>>().map(Value::Array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_without_headers_that_are_credentials() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let plain = vec![header("content-type", "text/plain")];
        let of = |headers| OutboundResponse { status: 200, headers, body: Vec::new().into(), url: "https://a.example.org/".into(), ms: 1 };
        let secret = [header("set-cookie", "session=1"), header("x-user", "Bearer abc")];
        let came: Result<_, OutboundError> = Ok(of([&secret[..], &plain].concat()));
        assert_eq!(came.without_credentials(), Some(Ok(of(plain.clone()))));
        let came: Result<_, OutboundError> = Ok(of(plain));
        assert_eq!(came.without_credentials(), None);
    }
}
