-- Roles as rows. Whoever is signed in is a `user`, without a row of their own; what anybody may do without
-- an account needs no permission. A permission is `resource:action`, and `*` stands for any.
CREATE TABLE roles (
    name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z_]{1,31}$'),
    rank smallint NOT NULL,
    permissions text[] NOT NULL
);
INSERT INTO roles (name, rank, permissions) VALUES
    ('guest', 0, '{}'),
    ('user', 10, '{rooms:create, tracks:upload}'),
    ('premium', 20, '{rooms:create, tracks:upload}'),
    ('artist', 30, '{rooms:create, tracks:upload}'),
    ('moderator', 50, '{accounts:ban, reports:read, reports:handle, rooms:moderate, roles:read}'),
    ('ops', 60, '{ops:read, ops:act, metrics:read, audit:read}'),
    ('admin', 100, '{*:*}');

ALTER TABLE user_roles DROP CONSTRAINT user_roles_role_check;
ALTER TABLE user_roles ADD FOREIGN KEY (role) REFERENCES roles ON UPDATE CASCADE;
ALTER TABLE user_roles ADD COLUMN granted_by uuid REFERENCES users ON DELETE SET NULL;
CREATE INDEX user_roles_role_idx ON user_roles (role);

-- Open WebSockets look for it: what their users may do has changed.
ALTER TABLE users ADD COLUMN roles_changed_at timestamptz;
