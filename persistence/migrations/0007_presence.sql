-- What outlives a connection: what a user chose to be seen as, and when they were seen the last time.
CREATE TABLE user_presence (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    choice text NOT NULL DEFAULT 'online' CHECK (choice IN ('online', 'dnd', 'invisible')),
    chosen_at timestamptz NOT NULL DEFAULT 'epoch',
    last_seen_at timestamptz
) WITH (fillfactor = 75);
