-- Beyond single rooms: accounts that are shut out of the server, and what people report.

CREATE TABLE account_bans (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    -- Null for good.
    until timestamptz,
    reason text NOT NULL,
    by_id uuid REFERENCES users ON DELETE SET NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX account_bans_newest_idx ON account_bans (at DESC, user_id DESC);

-- `evidence` is the text as it was when it was reported: what becomes of the message, or of its room,
-- takes nothing from it. With a `rule` nobody reported it but the room; such a message was never posted.
CREATE TABLE reports (
    id uuid PRIMARY KEY,
    room_id uuid REFERENCES rooms ON DELETE SET NULL,
    message_id uuid,
    subject_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    reporter_id uuid REFERENCES users ON DELETE SET NULL,
    rule text,
    reason text NOT NULL CHECK
        (reason IN ('spam', 'harassment', 'inappropriate', 'rule_violation', 'other')),
    text text NOT NULL,
    evidence text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved', 'dismissed')),
    note text NOT NULL DEFAULT '',
    handled_by uuid REFERENCES users ON DELETE SET NULL,
    handled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(reporter_id, rule) < 2)
);
CREATE UNIQUE INDEX reports_message_key ON reports (reporter_id, message_id, room_id)
    WHERE message_id IS NOT NULL AND rule IS NULL;
-- Of an account somebody has one open report; once it is handled they may file another.
CREATE UNIQUE INDEX reports_subject_key ON reports (reporter_id, subject_id)
    WHERE message_id IS NULL AND state = 'open';
CREATE UNIQUE INDEX reports_rule_key ON reports (room_id, message_id, rule) WHERE rule IS NOT NULL;
CREATE INDEX reports_room_idx ON reports (room_id, id DESC);
CREATE INDEX reports_state_idx ON reports (state, id DESC);
CREATE INDEX reports_subject_idx ON reports (subject_id, room_id) WHERE state = 'open';

-- The moderation log of a room is a part of its log.
CREATE INDEX room_events_moderation_idx ON room_events (room_id, seq)
    WHERE kind IN ('member.moderated', 'room.updated', 'message.deleted', 'message.edited');
