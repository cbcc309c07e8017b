-- File contents, once each, by the SHA-256 of their bytes.
CREATE TABLE contents (
    digest TEXT NOT NULL PRIMARY KEY,
    bytes  BYTEA NOT NULL
);

-- Immutable contents of functions. `files` is a JSON object: path -> digest.
CREATE TABLE versions (
    version          TEXT    NOT NULL,
    function         TEXT    NOT NULL,
    script_id        TEXT    NOT NULL,
    manifest         TEXT    NOT NULL,
    files            TEXT    NOT NULL,
    first_deployment BIGINT  NOT NULL,
    PRIMARY KEY (version, function)
);

-- One row for each sync. An id holds the time at which it was decided.
CREATE TABLE deployments (
    id          BIGINT  NOT NULL PRIMARY KEY,
    revision    TEXT    NOT NULL,
    cause       TEXT    NOT NULL,
    author      TEXT,
    status      TEXT    NOT NULL,
    diagnostics TEXT    NOT NULL,
    functions   BIGINT  NOT NULL,
    took_us     BIGINT  NOT NULL
);

-- The functions that a deployment added (no `from_version`), changed, or removed (no `to_version`).
CREATE TABLE deployment_functions (
    function     TEXT    NOT NULL,
    deployment   BIGINT  NOT NULL REFERENCES deployments (id),
    from_version TEXT,
    to_version   TEXT,
    PRIMARY KEY (function, deployment)
);
CREATE INDEX deployment_functions_by_deployment ON deployment_functions (deployment);

-- The files that are different from the live deployment before; no digest: gone.
CREATE TABLE deployment_files (
    path       TEXT    NOT NULL,
    deployment BIGINT  NOT NULL REFERENCES deployments (id),
    digest     TEXT    REFERENCES contents (digest),
    PRIMARY KEY (path, deployment)
);

-- Names of functions and versions, so that an execution holds two small numbers. Rows are never removed: nodes keep the keys in memory.
CREATE TABLE words (
    key  BIGINT  NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    word TEXT    NOT NULL UNIQUE
);

-- What happened. There is no index by function on purpose: with 10,000 functions a row costs 16 us to write instead of 0.8.
-- An id holds the time at which the run was asked for.
CREATE TABLE executions (
    id                BIGINT  NOT NULL PRIMARY KEY,
    function_key      BIGINT  NOT NULL, -- words
    version_key       BIGINT  NOT NULL, -- words
    deployment        BIGINT  NOT NULL,
    invoked_by        TEXT,             -- none: http
    request_id        TEXT,
    method            TEXT,             -- none: GET
    path              TEXT    NOT NULL,
    status            BIGINT  NOT NULL,
    outcome           BIGINT  NOT NULL, -- 0: ok
    duration_us       BIGINT  NOT NULL,
    operations        BIGINT  NOT NULL,
    peak_memory_bytes BIGINT  NOT NULL,
    logs              TEXT,             -- [[microseconds since the start, level, message], ...]
    logs_dropped      BIGINT  NOT NULL,
    failure           TEXT              -- JSON
);
CREATE INDEX executions_in_trouble ON executions (id) WHERE status >= 400 OR outcome <> 0;
