-- What functions keep. Both tables are changed only in a transaction that has changed the row of the namespace first.
-- Keys are compared by their bytes, as in SQLite, and not by the rules of a language.
CREATE TABLE kv (
    namespace  TEXT    COLLATE "C" NOT NULL, -- kv_namespaces
    key        TEXT    COLLATE "C" NOT NULL,
    value      TEXT    NOT NULL, -- JSON
    version    BIGINT  NOT NULL,
    expires_us BIGINT,           -- none: it has no end
    PRIMARY KEY (namespace, key)
);
CREATE INDEX kv_by_end ON kv (namespace, expires_us) WHERE expires_us IS NOT NULL;

-- What each namespace holds; keys whose time is over count until their rows are gone. A row is never removed: versions never repeat.
CREATE TABLE kv_namespaces (
    namespace TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    keys      BIGINT  NOT NULL,
    bytes     BIGINT  NOT NULL, -- of keys and values
    version   BIGINT  NOT NULL  -- the last one that was given
);
