-- Full-text search of messages. Texts come folded: no accents, no case, signs as spaces. Both languages
-- without stop words, so that whatever was said can be found: "The Who", "été".
CREATE TEXT SEARCH DICTIONARY veza_fr (TEMPLATE = pg_catalog.snowball, Language = french);
CREATE TEXT SEARCH DICTIONARY veza_en (TEMPLATE = pg_catalog.snowball, Language = english);
CREATE TEXT SEARCH CONFIGURATION veza_fr (COPY = pg_catalog.simple);
CREATE TEXT SEARCH CONFIGURATION veza_en (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION veza_fr ALTER MAPPING FOR asciiword, word WITH veza_fr;
ALTER TEXT SEARCH CONFIGURATION veza_en ALTER MAPPING FOR asciiword, word WITH veza_en;

-- The words of the messages that are there, by the `seq` with which they were posted.
CREATE TABLE message_words (
    room_id uuid NOT NULL REFERENCES rooms ON DELETE CASCADE,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (room_id, seq)
);
-- What is not sorted into the index yet is read by each search: of the usual 4 MB, tens of milliseconds.
CREATE INDEX message_words_idx ON message_words USING gin (words)
    WITH (gin_pending_list_limit = 256);
CREATE INDEX message_words_newest_idx ON message_words (at, room_id, seq);

-- How far the log of a room is in `message_words`; a room without a row, not at all.
CREATE TABLE search_positions (
    room_id uuid PRIMARY KEY REFERENCES rooms ON DELETE CASCADE,
    seq bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
