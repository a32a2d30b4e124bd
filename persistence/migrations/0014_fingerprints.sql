-- What recordings are known by again. `keys` are some of the frames: one in common makes two worth comparing.

CREATE TABLE track_fingerprints (
    track_id uuid PRIMARY KEY REFERENCES tracks ON DELETE CASCADE,
    frames bytea NOT NULL,
    keys integer[] NOT NULL
);
CREATE INDEX track_fingerprints_keys_idx ON track_fingerprints USING gin (keys);

-- The track that this job's recording is the same as, for the owner to know.
ALTER TABLE jobs ADD sounds_like uuid REFERENCES tracks ON DELETE SET NULL;
CREATE INDEX jobs_sounds_like_idx ON jobs (sounds_like) WHERE sounds_like IS NOT NULL;
