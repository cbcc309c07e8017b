-- What a function answered, without what is in it. No bytes: it gave no answer.
ALTER TABLE executions ADD COLUMN response_type TEXT;
ALTER TABLE executions ADD COLUMN response_bytes BIGINT;
-- What a run emitted, as JSON: [{"at_us", "topic", "key", "sent"}, ...]. Null: nothing.
ALTER TABLE executions ADD COLUMN events TEXT;
