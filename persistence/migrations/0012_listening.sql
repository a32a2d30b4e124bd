-- What is heard of tracks: each listening for a while, days for good, and where somebody stopped.

ALTER TABLE tracks ADD plays bigint NOT NULL DEFAULT 0;

-- From pressing play to the end or to another track. The client chooses the id, and tells more of it again
-- and again.
CREATE TABLE listenings (
    id uuid PRIMARY KEY,
    track_id uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    -- The account's id; of others a hash that nobody can lead back to them, another one each day.
    listener bytea NOT NULL,
    user_id uuid REFERENCES users ON DELETE CASCADE,
    started_at timestamptz NOT NULL DEFAULT now(),
    reported_at timestamptz NOT NULL DEFAULT now(),
    -- As reported, but no more than time has passed.
    heard_ms integer NOT NULL CHECK (heard_ms >= 0),
    position_ms integer NOT NULL CHECK (position_ms >= 0),
    is_counted boolean NOT NULL DEFAULT false,
    -- Whether its day tells of it as it is.
    is_rolled_up boolean NOT NULL DEFAULT false
);
CREATE INDEX listenings_track_idx ON listenings (track_id, started_at);
CREATE INDEX listenings_user_idx ON listenings (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX listenings_fresh_idx ON listenings (reported_at) WHERE NOT is_rolled_up;
CREATE INDEX listenings_old_idx ON listenings (reported_at) WHERE is_rolled_up;

-- When a listener's last play of a track was counted.
CREATE TABLE counted_plays (
    track_id uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    listener bytea NOT NULL,
    counted_at timestamptz NOT NULL,
    PRIMARY KEY (track_id, listener)
);
CREATE INDEX counted_plays_old_idx ON counted_plays (counted_at);

-- By the day (UTC) on which a listening began.
CREATE TABLE track_days (
    track_id uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    day date NOT NULL,
    plays integer NOT NULL,
    listeners integer NOT NULL,
    heard_ms bigint NOT NULL,
    PRIMARY KEY (track_id, day)
);

-- Where an account's holder stopped in a track they did not hear to its end.
CREATE TABLE listening_positions (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    track_id uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    position_ms integer NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, track_id)
);
CREATE INDEX listening_positions_track_idx ON listening_positions (track_id);
CREATE INDEX listening_positions_newest_idx ON listening_positions (user_id, updated_at DESC);
