-- The first line of the commit's message. None: it comes from no commit, or from one before this was kept.
ALTER TABLE deployments ADD COLUMN subject TEXT;
