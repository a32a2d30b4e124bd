-- Tracks in other codecs, made when somebody asks for one and kept for a while.

CREATE TABLE copies (
    track_id uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    format text NOT NULL CHECK (format IN ('mp3', 'opus')),
    key text NOT NULL,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (track_id, format)
);
CREATE INDEX copies_made_idx ON copies (made_at);

ALTER TABLE jobs
    ADD format text CHECK (format IN ('mp3', 'opus')),
    DROP CONSTRAINT jobs_type_check,
    ADD CONSTRAINT jobs_type_check CHECK (type IN ('transcode', 'thumbnail', 'copy')),
    DROP CONSTRAINT jobs_subject_check,
    ADD CONSTRAINT jobs_subject_check CHECK (
        num_nonnulls(track_id, attachment_id) = 1
        AND (type = 'thumbnail') = (attachment_id IS NOT NULL)
        AND (type = 'copy') = (format IS NOT NULL)
    );

-- A track has at most one job that is not finished of each kind, and one for each format.
DROP INDEX jobs_track_open_key;
CREATE UNIQUE INDEX jobs_track_open_key ON jobs (track_id)
    WHERE type = 'transcode' AND state NOT IN ('published', 'failed', 'cancelled');
CREATE UNIQUE INDEX jobs_copy_open_key ON jobs (track_id, format)
    WHERE type = 'copy' AND state NOT IN ('published', 'failed', 'cancelled');
