-- Who may take a track's file home, of those who may hear it.

ALTER TABLE tracks ADD downloads text NOT NULL DEFAULT 'nobody'
    CHECK (downloads IN ('nobody', 'followers', 'everybody'));
