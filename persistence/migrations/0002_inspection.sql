-- What operators did, with who and why. `at` is the database's time, so it orders the acts of all nodes.
-- No reference to users: an account that ends leaves its acts behind as they were.
CREATE TABLE audit_log (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Null for whoever holds a node's unix socket.
    actor_id uuid,
    actor_name text NOT NULL,
    via text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    reason text NOT NULL,
    request_id text NOT NULL
);
CREATE INDEX audit_log_newest_idx ON audit_log (at DESC, id DESC);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

-- For the statement, not for each row: one that would change nothing is refused too.
CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Operators list jobs of one state, newest first; of all states the primary key does.
CREATE INDEX jobs_state_idx ON jobs (state, id DESC);
