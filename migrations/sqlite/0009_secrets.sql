-- Values that functions ask for by name. They are sealed with a key that is not in this database.
CREATE TABLE secrets (
    name              TEXT    NOT NULL PRIMARY KEY,
    sealed_by         TEXT    NOT NULL, -- the fingerprint of the key
    value             BLOB    NOT NULL, -- a nonce, and the value sealed for this name
    set_us            INTEGER NOT NULL,
    previous          BLOB,             -- the value before, sealed alike
    previous_until_us INTEGER           -- until then it is accepted, too
) STRICT;
