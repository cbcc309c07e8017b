-- What a run repeats, if it repeats one.
ALTER TABLE executions ADD COLUMN replay_of INTEGER;

-- The requests of executions that can be run again: a row goes with its execution. `request` is JSON, without what looked like a credential.
CREATE TABLE captures (
    id      INTEGER NOT NULL PRIMARY KEY, -- executions
    request TEXT    NOT NULL
) STRICT;
