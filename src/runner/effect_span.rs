//! The span of an effect, with the attributes that OpenTelemetry gives to requests and to databases. It has no key, query, statement or value.

use std::borrow::Cow;

use crate::{
    execution::{Effect, EffectTarget},
    trace::{Context, Span, SpanKind, Value, cut},
};

/// Spans of effects of one run; what more there were, `picloud.effects` of the run tells.
pub const MAX_EFFECT_SPANS: usize = 100;

/// Makes the span of an effect: a part of `run`, whose script began then and has ended now, in nanoseconds since 1970.
pub fn span(effect: &Effect, context: Context, run: &Context, script_began_ns: u64, now_ns: u64) -> Span {
    let began_ns = (script_began_ns + effect.at_us * 1_000).min(now_ns);
    let (name, mut attributes) = described(effect);
    if effect.failed {
        attributes.push(("error.type", Value::text(&effect.outcome)));
    }
    Span {
        context,
        parent: Some(run.span_id),
        name,
        kind: SpanKind::Client,
        began_ns,
        ended_ns: (began_ns + effect.duration_us * 1_000).min(now_ns),
        attributes,
        error: effect.failed.then(|| cut(&effect.outcome)),
    }
}

fn described(effect: &Effect) -> (Cow<'static, str>, Vec<(&'static str, Value)>) {
    let database = |system: &'static str, operation: &str, namespace: &str| {
        let name = cut(&format!("{operation} {namespace}")).into();
        let (operation, namespace) = (Value::text(operation), Value::text(namespace));
        (name, vec![("db.system.name", Value::text(system)), ("db.operation.name", operation), ("db.namespace", namespace)])
    };
    match effect.parts() {
        EffectTarget::Http { method, host, path } => {
            let (address, port) = match host.rsplit_once(':') {
                Some((address, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (address, port.parse().ok()),
                _ => (host, None),
            };
            let mut attributes = vec![
                ("http.request.method", Value::text(method)),
                ("server.address", Value::text(address)),
                ("url.path", Value::text(path)),
            ];
            attributes.extend(port.map(|port| ("server.port", Value::number(port))));
            attributes.extend(effect.outcome.parse().ok().map(|status| ("http.response.status_code", Value::number(status))));
            (cut(method).into(), attributes)
        }
        EffectTarget::Kv { operation, namespace } => database("picloud", operation, namespace),
        // Which one it is stands in the configuration.
        EffectTarget::Sql { operation, database: name } => database("other_sql", operation, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::EffectKind;

    fn told(kind: EffectKind, target: &str, outcome: &str, failed: bool) -> (String, String) {
        let effect = Effect {
            kind,
            target: target.into(),
            outcome: outcome.into(),
            failed,
            at_us: 5,
            duration_us: 10,
            sent_bytes: 0,
            received_bytes: 0,
            replayed: false,
        };
        let run = Context { trace_id: 1, span_id: 2, is_sampled: true };
        let span = span(&effect, Context { span_id: 3, ..run }, &run, 1_000, 12_000);
        assert_eq!((span.parent, span.kind, span.began_ns, span.ended_ns), (Some(2), SpanKind::Client, 6_000, 12_000));
        assert_eq!(span.error.as_deref(), failed.then_some(outcome));
        let attributes = span.attributes.iter().map(|(key, value)| match value {
            Value::Text(text) => format!("{key}={text}"),
            Value::Number(number) => format!("{key}={number}"),
        });
        (span.name.to_string(), attributes.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_span_has_the_attributes_of_its_kind() {
        for (kind, target, outcome, failed, name, attributes) in [
            (
                EffectKind::Http,
                "GET a.example.org:8443/b",
                "200",
                false,
                "GET",
                "http.request.method=GET server.address=a.example.org url.path=/b server.port=8443 http.response.status_code=200",
            ),
            (
                EffectKind::Http,
                "PUT [::1]/b",
                "timeout",
                true,
                "PUT",
                "http.request.method=PUT server.address=[::1] url.path=/b error.type=timeout",
            ),
            (
                EffectKind::Kv,
                "get orders/secret",
                "found",
                false,
                "get orders",
                "db.system.name=picloud db.operation.name=get db.namespace=orders",
            ),
            (
                EffectKind::Sql,
                "app SELECT",
                "42P01",
                true,
                "SELECT app",
                "db.system.name=other_sql db.operation.name=SELECT db.namespace=app error.type=42P01",
            ),
        ] {
            assert_eq!(told(kind, target, outcome, failed), (name.into(), attributes.into()), "{target}");
        }
    }
}
