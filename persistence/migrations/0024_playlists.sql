-- Playlists: whose they are, who else fills them, and their tracks in order.
CREATE TABLE playlists (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    title text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '' CHECK (char_length(description) <= 4000),
    visibility text NOT NULL DEFAULT 'public' CHECK (visibility IN ('public', 'unlisted', 'private')),
    -- Counts changes of what is above; its tracks have no version.
    version integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- Comes back if its owner says so within a month; then it is forgotten.
    deleted_at timestamptz
);
CREATE INDEX playlists_owner_idx ON playlists (owner_id, id DESC);
CREATE INDEX playlists_public_idx ON playlists (id DESC)
    WHERE visibility = 'public' AND deleted_at IS NULL;
CREATE INDEX playlists_deleted_idx ON playlists (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE playlist_items (
    id uuid PRIMARY KEY,
    playlist_id uuid NOT NULL REFERENCES playlists ON DELETE CASCADE,
    track_id uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    -- A fraction in base 62 (`veza.codecs.fractional_rank`): a move changes one row.
    rank text COLLATE "C" NOT NULL,
    added_by uuid REFERENCES users ON DELETE SET NULL,
    added_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (playlist_id, rank) DEFERRABLE
);
CREATE INDEX playlist_items_track_idx ON playlist_items (track_id);

CREATE TABLE playlist_collaborators (
    playlist_id uuid NOT NULL REFERENCES playlists ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    added_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (playlist_id, user_id)
);
CREATE INDEX playlist_collaborators_user_idx ON playlist_collaborators (user_id);
