-- Uploads that go on after a break: a row each, their bytes in the media store.

CREATE TABLE uploads (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES users,
    -- The track it becomes; chosen at its start, so that it becomes one and no more.
    track_id uuid NOT NULL UNIQUE,
    -- NULL while the client has not told it.
    length_bytes bigint CHECK (length_bytes > 0),
    -- So many are on disk for good. The file may hold more, which nobody was told of.
    offset_bytes bigint NOT NULL DEFAULT 0 CHECK (offset_bytes >= 0),
    title text NOT NULL,
    filename text NOT NULL,
    -- As the client gave it, for the client.
    metadata text NOT NULL,
    -- `received`: all bytes are there, the track is being made.
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'received', 'published')),
    sha256 bytea,
    -- An older track of the same owner with the same bytes.
    duplicate_of uuid REFERENCES tracks ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CHECK (offset_bytes <= length_bytes),
    CHECK (state = 'open' OR offset_bytes = length_bytes),
    CHECK (state <> 'published' OR sha256 IS NOT NULL)
);
CREATE INDEX uploads_owner_unfinished_idx ON uploads (owner_id) WHERE state <> 'published';
CREATE INDEX uploads_received_idx ON uploads (updated_at) WHERE state = 'received';
CREATE INDEX uploads_expires_idx ON uploads (expires_at) WHERE state <> 'received';
CREATE INDEX uploads_duplicate_idx ON uploads (duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX tracks_source_idx ON tracks (owner_id, source_sha256);
