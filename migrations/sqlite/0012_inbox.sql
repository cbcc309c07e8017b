-- Events that other programs emitted by SQL, and that no node has taken. Only Postgres has other programs: here are those that a copy brought.
CREATE TABLE inbox (
    seq      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id       TEXT    NOT NULL,
    topic    TEXT    NOT NULL,
    key      TEXT,
    payload  TEXT    NOT NULL, -- JSON
    is_named INTEGER NOT NULL, -- 1: its emitter chose the id
    due_us   INTEGER NOT NULL
) STRICT;
