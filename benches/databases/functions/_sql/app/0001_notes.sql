CREATE TABLE notes (id BIGINT PRIMARY KEY, title TEXT NOT NULL);
WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 1000)
INSERT INTO notes (id, title) SELECT id, 'note ' || id FROM ids;
