-- Tracks that people like or repost, and what they say at a moment of one. Counters change in the statement
-- that changes a row, so that they equal the rows whoever comes at once.
ALTER TABLE tracks
    ADD likes bigint NOT NULL DEFAULT 0,
    ADD reposts bigint NOT NULL DEFAULT 0,
    ADD comments bigint NOT NULL DEFAULT 0;

CREATE TABLE track_marks (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('like', 'repost')),
    track_id uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, kind, track_id)
);
CREATE INDEX track_marks_newest_idx ON track_marks (user_id, kind, at DESC, track_id DESC);
CREATE INDEX track_marks_track_idx ON track_marks (track_id, kind);

-- What is deleted keeps its row, for the replies to it.
CREATE TABLE track_comments (
    id uuid PRIMARY KEY,
    track_id uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    author_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    reply_to uuid REFERENCES track_comments ON DELETE CASCADE,
    -- A reply stands where what it replies to stands.
    at_ms integer NOT NULL CHECK (at_ms >= 0),
    text text NOT NULL CHECK (char_length(text) <= 1000),
    created_at timestamptz NOT NULL DEFAULT now(),
    edited_at timestamptz,
    deleted_at timestamptz
);
CREATE INDEX track_comments_newest_idx ON track_comments (track_id, id DESC);
CREATE INDEX track_comments_place_idx ON track_comments (track_id, at_ms, id) WHERE reply_to IS NULL;
CREATE INDEX track_comments_reply_idx ON track_comments (reply_to, id);
CREATE INDEX track_comments_author_idx ON track_comments (author_id);

-- The newest of each owner, for those who follow them.
CREATE INDEX tracks_feed_idx ON tracks (owner_id, greatest(created_at, release_at) DESC, id DESC);

UPDATE roles SET permissions = permissions || '{comments:moderate}' WHERE name = 'moderator';
