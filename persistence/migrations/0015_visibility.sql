-- Who may hear a track, and since when; who follows whom.

ALTER TABLE tracks
    ADD visibility text NOT NULL DEFAULT 'public'
        CHECK (visibility IN ('public', 'unlisted', 'followers', 'private')),
    -- Before it a track is its owner's alone.
    ADD release_at timestamptz,
    -- Counts changes by its owner.
    ADD version integer NOT NULL DEFAULT 0,
    -- Playback addresses are signed with it: a greater one ends those that were given out before.
    ADD playback_version integer NOT NULL DEFAULT 0;

CREATE TABLE follows (
    follower_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    followed_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (follower_id, followed_id),
    CHECK (follower_id <> followed_id)
);
CREATE INDEX follows_followed_idx ON follows (followed_id);
