//! Names that scripts know from elsewhere and that are not here, each with what to do instead.

const NO_NETWORK: &str =
    "requests to other services are `http::get(url)` and its like; the front-matter says where to: `[http]` with `allow = [\"https://…\"]`";
const NO_STORE: &str = "values are kept by `kv::set(key, value)`, with `[kv]` in the front-matter; databases are asked by `sql::query(text, [parameters])`, with `[sql]`";
const TIME: &str = "`time::now()` gives the present time, and `time::parse(text)` reads one";
const NO_ENVIRONMENT: &str = "scripts have no environment: write what is no secret into the file, or a module";
const NO_FILES: &str = "scripts have no files: write what they need into a module";
const EVENTS: &str = "`emit(topic, payload)` emits an event, and a file in `_events/` handles it";
const CHANCE: &str = "`crypto::random(count)` gives random bytes, and `crypto::uuid()` an id";

/// Says that a module exists elsewhere and not here.
pub fn module(name: &str) -> Option<&'static str> {
    Some(match name {
        "https" | "net" => NO_NETWORK,
        "db" | "redis" | "store" | "storage" => NO_STORE,
        "date" | "datetime" | "chrono" => TIME,
        "regex" => "the module is `re`: `re::is_match(text, pattern)`",
        "env" | "os" | "process" | "sys" => NO_ENVIRONMENT,
        "fs" | "file" | "files" | "io" | "path" => NO_FILES,
        "random" | "rand" | "uuid" => CHANCE,
        "base64" | "hex" => "`encoding::base64(data)` and `encoding::hex(data)` write bytes as text",
        "queue" | "event" | "events" => EVENTS,
        "hash" | "bcrypt" | "argon2" => "`crypto::sha256(data)` and `crypto::password_hash(password)` are there",
        _ => return None,
    })
}

/// Says that a name exists in other Rhai programs, or in other places where functions run, and not here.
pub fn function(name: &str) -> Option<&'static str> {
    Some(match name {
        "fetch" | "curl" | "http_get" | "http_post" => NO_NETWORK,
        "now" | "today" | "date" | "time" | "unix_time" => TIME,
        "env" | "getenv" | "get_env" => NO_ENVIRONMENT,
        "open_file" | "read_file" | "write_file" => NO_FILES,
        "rand" | "random" | "uuid" => CHANCE,
        "btoa" | "atob" => "write `encoding::base64(data)` and `encoding::from_base64(text)`",
        "encodeURIComponent" | "decodeURIComponent" => "write `encoding::url(text)` and `encoding::from_url(text)`",
        "sha256" | "md5" | "hmac" => "write `crypto::sha256(data)` or `crypto::hmac_sha256(key, data)`",
        "require" | "include" => "`import \"name\" as name;` makes the functions of a module known",
        "print" | "debug" => "use `log::info(…)`: its lines are kept with the execution",
        "eval" => "write the code in the file, or import a module",
        "enqueue" | "publish" | "send_event" => EVENTS,
        "sleep" => "a function that waits holds a place that another could use; answer at once",
        "timestamp" => "`time::now()` gives the present time; the execution's duration is recorded for you",
        _ => return None,
    })
}

/// Says what a name is here that scripts of other languages have.
pub fn variable(name: &str) -> Option<&'static str> {
    Some(match name {
        "console" | "logger" | "logging" => "use `log::info(…)`: its lines are kept with the execution",
        "JSON" => "use `json::parse(text)` and `json::text(value)`",
        "Math" => {
            "numbers have methods: `x.floor()`, `x.round()`, `x.abs()`, `x.sqrt()`; `min(a, b)`, `max(a, b)` and the module `math` are there, too"
        }
        "Date" | "datetime" => TIME,
        "process" | "Deno" | "Bun" | "os" => NO_ENVIRONMENT,
        "axios" | "requests" => NO_NETWORK,
        "fs" => NO_FILES,
        "req" | "request" | "context" => "the request is `ctx.request`",
        "event" => "what started the run is `ctx.event`, with `ctx.event.payload`; a request is `ctx.request`",
        "payload" => "the payload of an event is `ctx.event.payload`, and the body of a request `ctx.request.body`",
        "res" | "response" => "a response is what the script returns: `#{ statusCode: 404, body: \"…\" }`",
        "null" | "nil" | "undefined" | "None" => "nothing is written `()`",
        "True" => "write `true`",
        "False" => "write `false`",
        _ => return None,
    })
}
