-- What executions take, by the time of their ids (67 seconds in a row): retention adds up these rows instead of reading the executions. An estimate.
CREATE TABLE execution_sizes (
    bucket BIGINT  NOT NULL PRIMARY KEY, -- id >> 37
    bytes  BIGINT  NOT NULL,
    rows   BIGINT  NOT NULL
);
INSERT INTO execution_sizes (bucket, bytes, rows)
SELECT id >> 37, CAST(SUM(160 + octet_length(CONCAT(request_id, method, path, logs, failure))) AS bigint), COUNT(*)
FROM executions
GROUP BY 1;
UPDATE execution_sizes
SET bytes = bytes + COALESCE((SELECT CAST(SUM(octet_length(request)) AS bigint)
                              FROM captures
                              WHERE id >= bucket << 37 AND id < (bucket + 1) << 37), 0);
