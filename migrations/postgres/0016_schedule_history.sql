-- Why somebody paused a schedule. None: they did not say.
ALTER TABLE schedules ADD COLUMN paused_reason TEXT;

-- What became of the last due times of each schedule. Without a run and an error it was left out.
CREATE TABLE ticks (
    schedule  TEXT   NOT NULL,
    due_us    BIGINT NOT NULL,
    execution BIGINT,
    error     TEXT, -- none: it ended well
    PRIMARY KEY (schedule, due_us)
);
INSERT INTO ticks (schedule, due_us, execution, error) SELECT schedule, due_us, execution, error FROM schedule_runs;
DROP TABLE schedule_runs;
