-- By what was tried, whether or not there is such an account: who guesses must not learn that. A subject is
-- the SHA-256 of a login as it was typed, or of an account's id where somebody is signed in already.
DROP TABLE failed_proofs;
CREATE TABLE failed_proofs (
    subject bytea PRIMARY KEY,
    failures integer NOT NULL,
    failed_at timestamptz NOT NULL
);
CREATE INDEX failed_proofs_at_idx ON failed_proofs (failed_at);
