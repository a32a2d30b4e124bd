-- Search of tracks, people, playlists and rooms: words with their stems in French and English, and three
-- letters at a time (trigrams), which find what is misspelt. Accents and case are folded away.
CREATE EXTENSION IF NOT EXISTS unaccent;
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- With its dictionary named, `unaccent` depends on nothing that a setting changes.
CREATE FUNCTION veza_fold(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    AS $$ SELECT lower(public.unaccent('public.unaccent', $1)) $$;

CREATE FUNCTION veza_words(text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    AS $$
        SELECT to_tsvector('public.veza_fr', public.veza_fold($1))
            || to_tsvector('public.veza_en', public.veza_fold($1))
    $$;

ALTER TABLE tracks
    ADD folded text GENERATED ALWAYS AS (veza_fold(title || ' ' || artist)) STORED,
    ADD words tsvector GENERATED ALWAYS AS (
        setweight(veza_words(title), 'A') || setweight(veza_words(artist), 'B')
        || setweight(veza_words(album || ' ' || genre), 'C') || setweight(veza_words(description), 'D')
    ) STORED;
CREATE INDEX tracks_words_idx ON tracks USING gin (words);
CREATE INDEX tracks_folded_idx ON tracks USING gin (folded gin_trgm_ops);
CREATE INDEX tracks_prefix_idx ON tracks (folded text_pattern_ops);

ALTER TABLE users ADD folded text GENERATED ALWAYS AS (veza_fold(username)) STORED;
CREATE INDEX users_folded_idx ON users USING gin (folded gin_trgm_ops);
CREATE INDEX users_prefix_idx ON users (folded text_pattern_ops);

ALTER TABLE playlists ADD folded text GENERATED ALWAYS AS (veza_fold(title)) STORED;
CREATE INDEX playlists_folded_idx ON playlists USING gin (folded gin_trgm_ops);

ALTER TABLE rooms ADD folded text GENERATED ALWAYS AS (veza_fold(name)) STORED;
CREATE INDEX rooms_folded_idx ON rooms USING gin (folded gin_trgm_ops);

CREATE INDEX track_tags_prefix_idx ON track_tags (tag text_pattern_ops);
