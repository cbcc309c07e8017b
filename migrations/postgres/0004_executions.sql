-- What lists look for, without the logs between: ids rise, so a new entry always goes to the end, whatever function ran.
CREATE INDEX executions_facts ON executions (id, function_key, status, outcome, invoked_by, request_id);
