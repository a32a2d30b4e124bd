-- A track is encoded anew while it plays: each encoding has a generation, and renditions with names of their own.

-- The encoding that plays, and what it was made by: NULL if it is older than recipes.
ALTER TABLE tracks ADD generation integer NOT NULL DEFAULT 0, ADD recipe text;

-- The encoding that a job makes, and by what; NULL until it begins.
ALTER TABLE jobs ADD generation integer NOT NULL DEFAULT 0, ADD recipe text, ADD claimed_at timestamptz;
CREATE INDEX jobs_served_idx ON jobs (owner_id, claimed_at DESC) WHERE claimed_at IS NOT NULL;

-- Since when nobody is given its address any more; who has it may still be listening.
ALTER TABLE renditions ADD generation integer NOT NULL DEFAULT 0, ADD superseded_at timestamptz;
CREATE INDEX renditions_superseded_idx ON renditions (superseded_at) WHERE superseded_at IS NOT NULL;
