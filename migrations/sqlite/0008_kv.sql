-- What functions keep. Both tables are changed only in a transaction that has changed the row of the namespace first.
-- Values are small and read by their key, so the rows are in the tree of the key.
CREATE TABLE kv (
    namespace  TEXT    NOT NULL, -- kv_namespaces
    key        TEXT    NOT NULL,
    value      TEXT    NOT NULL, -- JSON
    version    INTEGER NOT NULL,
    expires_us INTEGER,          -- none: it has no end
    PRIMARY KEY (namespace, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX kv_by_end ON kv (namespace, expires_us) WHERE expires_us IS NOT NULL;

-- What each namespace holds; keys whose time is over count until their rows are gone. A row is never removed: versions never repeat.
CREATE TABLE kv_namespaces (
    namespace TEXT    NOT NULL PRIMARY KEY,
    keys      INTEGER NOT NULL,
    bytes     INTEGER NOT NULL, -- of keys and values
    version   INTEGER NOT NULL  -- the last one that was given
) STRICT, WITHOUT ROWID;
