-- Values that functions ask for by name. They are sealed with a key that is not in this database.
CREATE TABLE secrets (
    name              TEXT    NOT NULL PRIMARY KEY,
    sealed_by         TEXT    NOT NULL, -- the fingerprint of the key
    value             BYTEA   NOT NULL, -- a nonce, and the value sealed for this name
    set_us            BIGINT  NOT NULL,
    previous          BYTEA,            -- the value before, sealed alike
    previous_until_us BIGINT            -- until then it is accepted, too
);
