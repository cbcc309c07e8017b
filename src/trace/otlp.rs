//! Spans as OTLP writes them in JSON: ids in hexadecimal, whole numbers as texts.

use serde_json::{Value as Json, json};

use super::{Span, SpanKind, Value};

/// Writes one request to a collector: spans of a node that is called so.
pub fn request(service: &str, spans: &[Span]) -> Json {
    let version = env!("CARGO_PKG_VERSION");
    json!({
        "resourceSpans": [{
            "resource": {
                "attributes": [
                    attribute("service.name", json!({ "stringValue": service })),
                    attribute("service.version", json!({ "stringValue": version })),
                ],
            },
            "scopeSpans": [{
                "scope": { "name": "picloud", "version": version },
                "spans": spans.iter().map(span).collect::<Vec<_>>(),
            }],
        }],
    })
}

fn span(span: &Span) -> Json {
    let attributes: Vec<Json> = span.attributes.iter().map(|(key, value)| attribute(key, of(value))).collect();
    let mut written = json!({
        "traceId": format!("{:032x}", span.context.trace_id),
        "spanId": format!("{:016x}", span.context.span_id),
        "name": span.name,
        "kind": match span.kind {
            SpanKind::Internal => 1,
            SpanKind::Server => 2,
            SpanKind::Client => 3,
        },
        "startTimeUnixNano": span.began_ns.to_string(),
        "endTimeUnixNano": span.ended_ns.to_string(),
        "attributes": attributes,
    });
    if let Some(parent) = span.parent {
        written["parentSpanId"] = format!("{parent:016x}").into();
    }
    if let Some(message) = &span.error {
        written["status"] = json!({ "code": 2, "message": message });
    }
    written
}

fn attribute(key: &str, value: Json) -> Json {
    json!({ "key": key, "value": value })
}

fn of(value: &Value) -> Json {
    match value {
        Value::Text(text) => json!({ "stringValue": text }),
        Value::Number(number) => json!({ "intValue": number.to_string() }),
    }
}

/// Returns how many spans a collector did not take, of those that it was sent, by what it answers.
pub fn rejected(answer: &[u8]) -> u64 {
    let answer: Json = serde_json::from_slice(answer).unwrap_or_default();
    let count = &answer["partialSuccess"]["rejectedSpans"];
    count.as_u64().or_else(|| count.as_str()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{super::Context, *};

    #[test]
    fn a_span_is_written_as_the_protocol_says() {
        let context = Context { trace_id: 0xab, span_id: 0xcd, is_sampled: true };
        let span = Span {
            context,
            parent: Some(1),
            name: "GET /hello".into(),
            kind: SpanKind::Server,
            began_ns: 1_795_424_645_678_000_000,
            ended_ns: 1_795_424_645_678_000_001,
            attributes: vec![("url.path", Value::text("/hello")), ("http.response.status_code", Value::Number(502))],
            error: Some("no".into()),
        };
        let request = request("shop", std::slice::from_ref(&span));
        let resource = &request["resourceSpans"][0];
        assert_eq!(resource["resource"]["attributes"][0], json!({ "key": "service.name", "value": { "stringValue": "shop" } }));
        assert_eq!(
            resource["scopeSpans"][0]["spans"],
            json!([{
                "traceId": "000000000000000000000000000000ab",
                "spanId": "00000000000000cd",
                "parentSpanId": "0000000000000001",
                "name": "GET /hello",
                "kind": 2,
                "startTimeUnixNano": "1795424645678000000",
                "endTimeUnixNano": "1795424645678000001",
                "attributes": [
                    { "key": "url.path", "value": { "stringValue": "/hello" } },
                    { "key": "http.response.status_code", "value": { "intValue": "502" } },
                ],
                "status": { "code": 2, "message": "no" },
            }])
        );
    }

    #[test]
    fn what_a_collector_did_not_take_is_in_its_answer() {
        for (answer, count) in [
            ("", 0),
            ("{}", 0),
            ("<html>", 0),
            (r#"{"partialSuccess":{}}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#, 3),
            (r#"{"partialSuccess":{"rejectedSpans":3}}"#, 3),
        ] {
            assert_eq!(rejected(answer.as_bytes()), count, "{answer}");
        }
    }
}
