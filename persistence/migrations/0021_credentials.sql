-- What people prove themselves with beside a password, and how often it went wrong.

-- Waits for its first code until `confirmed_at` is set. A code is good for its half minute once: none at or
-- before `last_step` counts again.
CREATE TABLE totp_factors (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    secret text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    confirmed_at timestamptz,
    last_step bigint NOT NULL DEFAULT 0
);

-- Each works once, and then its row is gone. Of a code only its SHA-256 is kept.
CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

-- Since the last time it was right.
CREATE TABLE failed_proofs (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    failures integer NOT NULL,
    failed_at timestamptz NOT NULL
);
