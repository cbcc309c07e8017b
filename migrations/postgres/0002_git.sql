-- Git: who pushed, and what else there is to know of a deployment (why it was gone back, what a forced push left behind).
ALTER TABLE deployments ADD COLUMN pushed_by TEXT;
ALTER TABLE deployments ADD COLUMN note TEXT;

-- What operators told about following the source: one row, JSON.
CREATE TABLE following (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    state TEXT    NOT NULL
);
