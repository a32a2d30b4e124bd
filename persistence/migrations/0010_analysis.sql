-- What a track measured when it was encoded: loudness and whatever else, by name. Null before its end,
-- and for tracks that were encoded when nothing was measured.
ALTER TABLE tracks ADD analysis jsonb;
