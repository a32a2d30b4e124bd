-- Accounts, rooms, tracks and jobs. Ids are UUIDv7, made by the node; times are the database's.

CREATE TABLE users (
    id uuid PRIMARY KEY,
    username text NOT NULL,
    email text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_username_key ON users (lower(username));
CREATE UNIQUE INDEX users_email_key ON users (lower(email));

CREATE TABLE user_roles (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('admin', 'ops')),
    granted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, role)
);

-- One signed-in client. Of its secrets only SHA-256 hashes are kept.
CREATE TABLE auth_sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    cookie_hash bytea NOT NULL UNIQUE,
    user_agent text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX auth_sessions_user_idx ON auth_sessions (user_id);

-- A session's refresh tokens, used ones too: a second use is how a theft is noticed.
CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES auth_sessions ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz
);
CREATE INDEX refresh_tokens_session_idx ON refresh_tokens (session_id);

CREATE TABLE setup_tokens (
    token_hash bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);

CREATE TABLE rooms (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('public')),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    -- A new epoch tells clients that seq started anew (after a restore, for one).
    epoch uuid NOT NULL,
    created_by uuid REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The newest seq of each room. Locking a room's row is what makes its order total on any number of
-- nodes. Apart from `rooms` and half empty, so that its updates stay in the page (HOT).
CREATE TABLE room_heads (
    room_id uuid PRIMARY KEY REFERENCES rooms ON DELETE CASCADE,
    seq bigint NOT NULL DEFAULT 0,
    member_count bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE room_members (
    room_id uuid NOT NULL REFERENCES rooms ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    joined_at timestamptz NOT NULL DEFAULT now(),
    read_seq bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (room_id, user_id)
);
CREATE INDEX room_members_user_idx ON room_members (user_id);

CREATE TABLE room_events (
    room_id uuid NOT NULL REFERENCES rooms ON DELETE CASCADE,
    seq bigint NOT NULL,
    kind text NOT NULL,
    author_id uuid NOT NULL REFERENCES users,
    at timestamptz NOT NULL,
    message_id uuid,
    text text NOT NULL DEFAULT '',
    reply_to uuid,
    PRIMARY KEY (room_id, seq),
    UNIQUE (room_id, message_id)
);

CREATE TABLE tracks (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES users,
    title text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    artist text NOT NULL DEFAULT '',
    filename text NOT NULL,
    state text NOT NULL CHECK (state IN ('processing', 'playable', 'published', 'failed', 'cancelled')),
    source_key text NOT NULL,
    source_sha256 bytea NOT NULL,
    source_bytes bigint NOT NULL,
    sample_rate_hz integer,
    channels integer,
    duration_samples bigint,
    -- 8-bit minimum and maximum of each waveform bucket, in turn.
    peaks bytea,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tracks_owner_idx ON tracks (owner_id, id DESC);

-- One rung of a track's ladder. Its segments' rows are inserted in order, each after its file is
-- complete: a playlist made from rows never names half a segment.
CREATE TABLE renditions (
    track_id uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    name text NOT NULL,
    codecs text NOT NULL,
    sample_rate_hz integer NOT NULL,
    channels integer NOT NULL,
    bitrate_bps integer NOT NULL,
    init_key text NOT NULL,
    init_sha256 bytea NOT NULL,
    is_complete boolean NOT NULL DEFAULT false,
    PRIMARY KEY (track_id, name)
);

CREATE TABLE segments (
    track_id uuid NOT NULL,
    rendition text NOT NULL,
    number integer NOT NULL CHECK (number >= 0),
    key text NOT NULL,
    sha256 bytea NOT NULL,
    size_bytes integer NOT NULL CHECK (size_bytes > 0),
    first_sample bigint NOT NULL,
    duration_samples integer NOT NULL CHECK (duration_samples > 0),
    PRIMARY KEY (track_id, rendition, number),
    FOREIGN KEY (track_id, rendition) REFERENCES renditions ON DELETE CASCADE
);

-- The durable queue. A running job has a lease its node renews; an expired lease is anybody's.
CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    type text NOT NULL CHECK (type IN ('transcode')),
    state text NOT NULL CHECK (state IN
        ('queued', 'probing', 'encoding', 'packaging', 'published', 'failed', 'cancelled')),
    priority smallint NOT NULL DEFAULT 0,
    progress real NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    owner_id uuid NOT NULL REFERENCES users,
    track_id uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    attempts smallint NOT NULL DEFAULT 0,
    max_attempts smallint NOT NULL DEFAULT 5,
    error_code text,
    error_detail text,
    run_at timestamptz NOT NULL DEFAULT now(),
    leased_by uuid,
    lease_until timestamptz,
    cancel_requested boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((leased_by IS NULL) = (lease_until IS NULL))
);
CREATE INDEX jobs_due_idx ON jobs (priority DESC, run_at, id)
    WHERE state NOT IN ('published', 'failed', 'cancelled');
-- A track has at most one job that is not finished.
CREATE UNIQUE INDEX jobs_track_open_key ON jobs (track_id)
    WHERE state NOT IN ('published', 'failed', 'cancelled');
CREATE INDEX jobs_track_idx ON jobs (track_id, id DESC);
