-- Tickets that sign one WebSocket in, each once. Kept as SHA-256 hashes, on no node but here: any may take one.
CREATE TABLE realtime_tickets (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES auth_sessions ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX realtime_tickets_session_idx ON realtime_tickets (session_id);
CREATE INDEX realtime_tickets_expiry_idx ON realtime_tickets (expires_at);
