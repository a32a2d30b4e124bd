-- Files that belong to messages, and jobs that are not about a track.

-- A file is uploaded for a room, then used by one message of its owner in it. Who never uses it has it
-- deleted: `expired` rows are nobody's any more, and go once their files have.
CREATE TABLE attachments (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES users,
    room_id uuid NOT NULL REFERENCES rooms,
    message_id uuid,
    filename text NOT NULL CHECK (char_length(filename) BETWEEN 1 AND 255),
    -- What the bytes are; what the sender called them is not kept.
    content_type text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    sha256 bytea NOT NULL,
    key text NOT NULL,
    -- `processing`: its thumbnail is being made; `failed`: there will be none.
    state text NOT NULL CHECK (state IN ('processing', 'ready', 'failed', 'expired')),
    width_px integer CHECK (width_px > 0),
    height_px integer CHECK (height_px > 0),
    thumbnail_key text,
    thumbnail_width_px integer CHECK (thumbnail_width_px > 0),
    thumbnail_height_px integer CHECK (thumbnail_height_px > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nulls(width_px, height_px, thumbnail_key, thumbnail_width_px, thumbnail_height_px) IN (0, 5))
);
CREATE INDEX attachments_message_idx ON attachments (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX attachments_owner_unused_idx ON attachments (owner_id) WHERE message_id IS NULL;
CREATE INDEX attachments_unused_idx ON attachments (created_at) WHERE message_id IS NULL;
CREATE INDEX attachments_expired_idx ON attachments (id) WHERE state = 'expired';

ALTER TABLE jobs
    ALTER COLUMN track_id DROP NOT NULL,
    ADD COLUMN attachment_id uuid REFERENCES attachments ON DELETE CASCADE,
    DROP CONSTRAINT jobs_type_check,
    ADD CONSTRAINT jobs_type_check CHECK (type IN ('transcode', 'thumbnail')),
    ADD CONSTRAINT jobs_subject_check CHECK (
        num_nonnulls(track_id, attachment_id) = 1
        AND (type = 'transcode') = (track_id IS NOT NULL)
    );
-- An attachment has at most one job that is not finished.
CREATE UNIQUE INDEX jobs_attachment_open_key ON jobs (attachment_id)
    WHERE state NOT IN ('published', 'failed', 'cancelled');
CREATE INDEX jobs_attachment_idx ON jobs (attachment_id, id DESC) WHERE attachment_id IS NOT NULL;
