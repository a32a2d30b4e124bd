-- Chat in full: kinds of rooms, roles and measures, what became of messages, and ways into rooms.

ALTER TABLE rooms
    DROP CONSTRAINT rooms_kind_check,
    ADD CONSTRAINT rooms_kind_check CHECK
        (kind IN ('public', 'password', 'private', 'invite_only', 'group', 'direct')),
    DROP CONSTRAINT rooms_name_check,
    -- Conversations are called by those in them.
    ADD CONSTRAINT rooms_name_check CHECK
        (char_length(name) <= 100 AND (name <> '' OR kind IN ('group', 'direct'))),
    ADD topic text NOT NULL DEFAULT '' CHECK (char_length(topic) <= 1000),
    ADD slow_mode_seconds integer NOT NULL DEFAULT 0 CHECK (slow_mode_seconds >= 0),
    ADD is_archived boolean NOT NULL DEFAULT false,
    ADD rules text NOT NULL DEFAULT '',
    ADD password_hash text,
    -- The two of a direct room, sorted: there is one room for each pair.
    ADD direct_key text UNIQUE,
    ADD changed_seq bigint NOT NULL DEFAULT 0;

-- `fence_seq` is the newest event that took rights away; `messages`, how many were posted.
ALTER TABLE room_heads
    ADD fence_seq bigint NOT NULL DEFAULT 0,
    ADD messages bigint NOT NULL DEFAULT 0;

ALTER TABLE room_members
    ADD role text NOT NULL DEFAULT 'member' CHECK
        (role IN ('owner', 'admin', 'moderator', 'member', 'read_only')),
    ADD muted_until timestamptz,
    ADD delivered_seq bigint NOT NULL DEFAULT 0,
    -- Pointers move all the time: room for that in the page (HOT).
    SET (fillfactor = 75);
UPDATE room_members m SET delivered_seq = m.read_seq WHERE m.read_seq > 0;
UPDATE room_members m SET role = 'owner' FROM rooms r
    WHERE r.id = m.room_id AND r.created_by = m.user_id;

-- `messages` is how many the room had with this event: two of them tell what lies between, unread.
ALTER TABLE room_events
    ADD thread_id uuid,
    ADD subject_id uuid REFERENCES users,
    ADD details jsonb,
    ADD messages bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT room_events_room_id_message_id_key;
UPDATE room_events e SET messages = c.messages
    FROM (
        SELECT room_id, seq, count(*) FILTER (WHERE kind = 'message.posted')
            OVER (PARTITION BY room_id ORDER BY seq) AS messages
        FROM room_events
    ) c
    WHERE e.room_id = c.room_id AND e.seq = c.seq AND c.messages > 0;
UPDATE room_heads h SET messages = e.messages FROM room_events e
    WHERE e.room_id = h.room_id AND e.seq = h.seq;

-- Other kinds name the message they are about. The message first: its room is looked for too.
CREATE UNIQUE INDEX room_events_message_key ON room_events (message_id, room_id)
    WHERE kind = 'message.posted';
CREATE INDEX room_events_thread_idx ON room_events (room_id, thread_id, seq)
    WHERE thread_id IS NOT NULL;
CREATE INDEX room_events_edits_idx ON room_events (room_id, message_id, seq)
    WHERE kind = 'message.edited';

-- What became of a message since it was posted; none of most. `text` and `details` count once
-- `edited_at` is set.
CREATE TABLE message_states (
    room_id uuid NOT NULL REFERENCES rooms ON DELETE CASCADE,
    message_id uuid NOT NULL,
    text text,
    details jsonb,
    edited_at timestamptz,
    edited_by uuid REFERENCES users,
    deleted_at timestamptz,
    deleted_by uuid REFERENCES users,
    pinned_at timestamptz,
    pinned_by uuid REFERENCES users,
    replies bigint NOT NULL DEFAULT 0 CHECK (replies >= 0),
    last_reply_at timestamptz,
    PRIMARY KEY (room_id, message_id)
);
CREATE INDEX message_states_pinned_idx ON message_states (room_id) WHERE pinned_at IS NOT NULL;

CREATE TABLE message_reactions (
    room_id uuid NOT NULL REFERENCES rooms ON DELETE CASCADE,
    message_id uuid NOT NULL,
    emoji text NOT NULL,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    at timestamptz NOT NULL,
    PRIMARY KEY (room_id, message_id, emoji, user_id)
);

-- Whom the message posted as `seq` calls; everybody if `user_id` is null.
CREATE TABLE room_mentions (
    room_id uuid NOT NULL REFERENCES rooms ON DELETE CASCADE,
    seq bigint NOT NULL,
    user_id uuid REFERENCES users ON DELETE CASCADE,
    author_id uuid NOT NULL REFERENCES users
);
CREATE INDEX room_mentions_user_idx ON room_mentions (user_id, room_id, seq);
CREATE INDEX room_mentions_message_idx ON room_mentions (room_id, seq);

CREATE TABLE room_bans (
    room_id uuid NOT NULL REFERENCES rooms ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- Null for good.
    until timestamptz,
    reason text NOT NULL,
    by_id uuid REFERENCES users ON DELETE SET NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (room_id, user_id)
);

CREATE TABLE room_invites (
    code text PRIMARY KEY,
    room_id uuid NOT NULL REFERENCES rooms ON DELETE CASCADE,
    created_by uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    max_uses integer CHECK (max_uses > 0),
    uses integer NOT NULL DEFAULT 0,
    expires_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (uses BETWEEN 0 AND coalesce(max_uses, uses))
);
CREATE INDEX room_invites_room_idx ON room_invites (room_id, created_at DESC, code);

CREATE TABLE room_join_requests (
    room_id uuid NOT NULL REFERENCES rooms ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    text text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (room_id, user_id)
);

CREATE TABLE user_blocks (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    blocked_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, blocked_id),
    CHECK (user_id <> blocked_id)
);

CREATE TABLE drafts (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    room_id uuid NOT NULL REFERENCES rooms ON DELETE CASCADE,
    text text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, room_id)
);
