-- Who may use the node: names, and what they may. Of a token's secret only the hash is kept.
CREATE TABLE tokens (
    name         TEXT    NOT NULL PRIMARY KEY,
    hash         TEXT    NOT NULL UNIQUE, -- SHA-256, hexadecimal
    scope        TEXT    NOT NULL,
    created_us   BIGINT  NOT NULL,
    expires_us   BIGINT,                  -- none: it has no end
    last_used_us BIGINT                   -- give or take a minute
);
