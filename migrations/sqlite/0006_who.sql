-- A token may be good for some functions only: those whose name is this, or begins with it and a `/`.
ALTER TABLE tokens ADD COLUMN functions TEXT;

-- Who changed what. Rows are added, and neither changed nor removed.
CREATE TABLE audit (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    time_us    INTEGER NOT NULL,
    who        TEXT    NOT NULL,
    origin     TEXT    NOT NULL, -- an address, `cli`, `source`, `node`
    action     TEXT    NOT NULL,
    deployment INTEGER UNIQUE,   -- what went live by it
    detail     TEXT    NOT NULL  -- JSON, without secrets
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log only grows');
END;

CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log only grows');
END;
