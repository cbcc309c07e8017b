CREATE TABLE notes (
    id    INTEGER PRIMARY KEY,
    title TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    body  TEXT NOT NULL DEFAULT ''
);
