-- Events, in the order of their commit on one node. A row stays for a while after its last delivery, to be looked at.
CREATE TABLE events (
    seq        BIGINT NOT NULL PRIMARY KEY, -- rises with the time
    id         TEXT    NOT NULL,
    topic      TEXT    NOT NULL,
    key        TEXT,
    payload    TEXT    NOT NULL,             -- JSON
    depth      BIGINT NOT NULL,
    emitted_by TEXT    NOT NULL              -- JSON
);
CREATE INDEX events_by_topic ON events (topic, seq);
CREATE INDEX events_by_id ON events (id);

-- Ids that an event has had within a day: a second one with the same is left out.
CREATE TABLE event_ids (
    topic    TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    until_us BIGINT NOT NULL,
    PRIMARY KEY (topic, id)
);
CREATE INDEX event_ids_by_end ON event_ids (until_us);

-- What waits to be run, and what runs. A row goes when it is settled, so the table is as small as the queue is short.
CREATE TABLE deliveries (
    seq      BIGINT NOT NULL PRIMARY KEY, -- rises with the time
    event    BIGINT,                      -- events; none: a due time of a schedule
    receiver TEXT    NOT NULL,             -- a handler, or a schedule
    key      TEXT,                         -- of one receiver and key, one after the other
    state    BIGINT NOT NULL,             -- 0 ready, 1 claimed, 2 behind another of its key, 3 its function cannot run
    due_us   BIGINT NOT NULL,             -- claimed: the end of the lease
    attempt  BIGINT NOT NULL,
    lost     BIGINT NOT NULL,             -- attempts whose lease ended unsettled
    earlier  BIGINT NOT NULL,             -- attempts that it had when it was put back as a dead letter
    tick     TEXT                          -- JSON
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX deliveries_due ON deliveries (due_us) WHERE state < 2;
CREATE INDEX deliveries_by_key ON deliveries (receiver, key, seq) WHERE key IS NOT NULL;
CREATE INDEX deliveries_under_way ON deliveries (receiver, key) WHERE key IS NOT NULL AND state <> 2;
CREATE INDEX deliveries_held ON deliveries (receiver) WHERE state = 3;
CREATE INDEX deliveries_of_schedule ON deliveries (receiver) WHERE event IS NULL;
CREATE INDEX deliveries_of_event ON deliveries (event) WHERE event IS NOT NULL;

-- Attempts that did not end well. They go with their delivery, or with its dead letter.
CREATE TABLE attempts (
    delivery  BIGINT NOT NULL,
    attempt   BIGINT NOT NULL,
    time_us   BIGINT NOT NULL,
    execution BIGINT,
    version   TEXT,                       -- of the function that ran
    error     TEXT    NOT NULL,
    PRIMARY KEY (delivery, attempt)
);

-- What was given up.
CREATE TABLE dead_letters (
    seq      BIGINT NOT NULL PRIMARY KEY, -- of its delivery
    event    BIGINT,
    receiver TEXT    NOT NULL,
    key      TEXT,
    attempt  BIGINT NOT NULL,
    tick     TEXT,
    reason   TEXT    NOT NULL,
    died_us  BIGINT NOT NULL
);
CREATE INDEX dead_letters_by_time ON dead_letters (died_us);
CREATE INDEX dead_letters_of_event ON dead_letters (event) WHERE event IS NOT NULL;

-- How far each schedule is. A due time is run by the node that moves this row past it.
CREATE TABLE schedules (
    id        TEXT    NOT NULL PRIMARY KEY,
    expression TEXT   NOT NULL, -- another one starts anew
    last_us   BIGINT NOT NULL, -- the last due time that was dealt with, or the time of its beginning
    paused_by TEXT,             -- none: it runs
    paused_us BIGINT
);

-- The run of each schedule that ended last.
CREATE TABLE schedule_runs (
    schedule  TEXT   NOT NULL PRIMARY KEY,
    due_us    BIGINT NOT NULL,
    execution BIGINT,
    error     TEXT -- none: it ended well
);
