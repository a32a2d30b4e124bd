-- What owners say of their tracks beyond what files say of themselves.

ALTER TABLE tracks
    ADD description text NOT NULL DEFAULT '' CHECK (char_length(description) <= 4000),
    -- [{"role": …, "name": …}, …], in the owner's order.
    ADD credits jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_array_length(credits) <= 20),
    ADD licence text NOT NULL DEFAULT 'all-rights-reserved' CHECK (licence IN (
        'all-rights-reserved', 'cc0', 'cc-by', 'cc-by-sa', 'cc-by-nd', 'cc-by-nc', 'cc-by-nc-sa',
        'cc-by-nc-nd'
    )),
    ADD own_bpm double precision CHECK (own_bpm BETWEEN 20 AND 400),
    ADD own_key text CHECK (own_key ~ '^(C|C#|D|Eb|E|F|F#|G|Ab|A|Bb|B) (major|minor)$'),
    -- The owner knows better than what was measured.
    ADD bpm double precision GENERATED ALWAYS AS (
        coalesce(own_bpm, (analysis #>> '{music,tempo,tempo_bpm}')::double precision)
    ) STORED,
    ADD key text GENERATED ALWAYS AS (coalesce(
        own_key, (analysis #>> '{music,key,tonic}') || ' ' || (analysis #>> '{music,key,mode}')
    )) STORED;

CREATE TABLE track_tags (
    track_id uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    tag text NOT NULL CHECK (char_length(tag) BETWEEN 1 AND 30),
    PRIMARY KEY (track_id, tag)
);
CREATE INDEX track_tags_tag_idx ON track_tags (tag, track_id);
