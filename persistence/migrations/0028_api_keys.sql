-- Keys for programs that act for somebody. Of a key only its SHA-256 is kept, and its first characters, to
-- know it by.
CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    key_hash bytea NOT NULL UNIQUE,
    hint text NOT NULL,
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    -- To the hour.
    last_used_at timestamptz
);
CREATE INDEX api_keys_user_idx ON api_keys (user_id, id DESC);
