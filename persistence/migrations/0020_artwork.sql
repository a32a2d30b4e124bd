-- What a file says of itself beside title and artist, and the picture in it.

ALTER TABLE tracks
    ADD album text NOT NULL DEFAULT '',
    ADD genre text NOT NULL DEFAULT '',
    ADD track_number integer CHECK (track_number BETWEEN 0 AND 9999),
    ADD artwork_key text,
    ADD artwork_sha256 bytea CHECK (length(artwork_sha256) = 32),
    ADD artwork_bytes integer CHECK (artwork_bytes > 0),
    ADD CHECK (num_nonnulls(artwork_key, artwork_sha256, artwork_bytes) IN (0, 3));

ALTER TABLE jobs
    DROP CONSTRAINT jobs_type_check,
    ADD CONSTRAINT jobs_type_check CHECK (type IN ('transcode', 'thumbnail', 'copy', 'artwork'));
CREATE UNIQUE INDEX jobs_artwork_open_key ON jobs (track_id)
    WHERE type = 'artwork' AND state NOT IN ('published', 'failed', 'cancelled');
