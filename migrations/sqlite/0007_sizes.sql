-- What executions take, by the time of their ids (67 seconds in a row): retention adds up these rows instead of reading the executions. An estimate.
CREATE TABLE execution_sizes (
    bucket INTEGER NOT NULL PRIMARY KEY, -- id >> 37
    bytes  INTEGER NOT NULL,
    rows   INTEGER NOT NULL
);
INSERT INTO execution_sizes (bucket, bytes, rows)
SELECT id >> 37,
       SUM(160 + length(CAST(path AS BLOB)) + COALESCE(length(CAST(request_id AS BLOB)), 0) + COALESCE(length(CAST(method AS BLOB)), 0)
               + COALESCE(length(CAST(logs AS BLOB)), 0) + COALESCE(length(CAST(failure AS BLOB)), 0)),
       COUNT(*)
FROM executions
GROUP BY 1;
UPDATE execution_sizes
SET bytes = bytes + COALESCE((SELECT SUM(length(CAST(request AS BLOB)))
                              FROM captures
                              WHERE id >= bucket << 37 AND id < (bucket + 1) << 37), 0);
