-- What executions come to, by function, version and time: see `stats::Series`. A row has its time first, so that what is written together is
-- together, and a question about one function seeks each row. A node adds to its own rows only.
CREATE TABLE stats (
    span         BIGINT NOT NULL, -- 0: a minute; 1: a day by ten minutes; 2: a day by the hour
    start_min    BIGINT NOT NULL, -- minutes since 1970
    function_key BIGINT NOT NULL, -- words; 0: all functions of the node
    version_key  BIGINT NOT NULL, -- words; 0: all versions
    node         BIGINT NOT NULL, -- the low bits of its ids; 0 in rows of a day, which have all nodes
    series       BYTEA  NOT NULL,
    PRIMARY KEY (span, start_min, function_key, version_key, node)
) WITH (fillfactor = 70);
