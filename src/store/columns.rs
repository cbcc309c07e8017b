//! The columns of tables that more than one statement names.

/// Names the columns of a table, as a literal for `concat!` and `format!`. Statements bind and read them in this order.
macro_rules! columns {
    (executions) => {
        "id, function_key, version_key, deployment, invoked_by, request_id, method, path, status, outcome, duration_us, operations, \
         peak_memory_bytes, logs, logs_dropped, failure, replay_of, effects, response_type, response_bytes, events"
    };
    (stats) => {
        concat!(columns!(stats_key), ", series")
    };
    (stats_key) => {
        "span, start_min, function_key, version_key, node"
    };
    (execution_sizes) => {
        "bucket, bytes, rows"
    };
    (deployments) => {
        "id, revision, cause, author, status, diagnostics, functions, took_us, pushed_by, note, subject"
    };
    (deployment_functions) => {
        "deployment, function, from_version, to_version"
    };
    (tokens) => {
        "name, hash, scope, functions, created_us, expires_us, last_used_us"
    };
    (secrets) => {
        "name, sealed_by, value, set_us, previous, previous_until_us"
    };
    (kv) => {
        concat!("namespace, key, ", columns!(kv_entry))
    };
    (kv_entry) => {
        "value, version, expires_us"
    };
    // What an event has before it is kept, too.
    (event_name) => {
        "id, topic, key"
    };
    // The database gives `seq`.
    (inbox) => {
        concat!(columns!(event_name), ", payload, is_named, due_us")
    };
    // An event without its payload, which may be large.
    (event_head) => {
        concat!("seq, ", columns!(event_name), ", depth, emitted_by")
    };
    (events) => {
        concat!(columns!(event_head), ", payload")
    };
    (event_ids) => {
        "topic, id, until_us"
    };
    // What a delivery and its dead letter have in common.
    (delivery_load) => {
        "seq, event, receiver, key, attempt, tick"
    };
    (deliveries) => {
        concat!(columns!(delivery_load), ", state, due_us, lost, earlier")
    };
    (attempts) => {
        "delivery, attempt, time_us, execution, version, error"
    };
    (dead_letters) => {
        concat!(columns!(delivery_load), ", reason, died_us")
    };
    (schedules) => {
        "id, expression, last_us, paused_by, paused_us, paused_reason"
    };
    (ticks) => {
        "schedule, due_us, execution, error"
    };
    (kv_namespaces) => {
        "namespace, keys, bytes, version"
    };
    // The database gives `id`. An entry about a deployment also has `deployment`.
    (audit) => {
        "time_us, who, origin, action, detail"
    };
}
pub(super) use columns;
