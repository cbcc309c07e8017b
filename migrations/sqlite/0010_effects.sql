-- What a run did outside of itself, as JSON: how many effects are only counted, then those that are recorded. Null: nothing.
ALTER TABLE executions ADD COLUMN effects TEXT;
