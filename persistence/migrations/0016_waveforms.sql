-- The waveform of a track as fine as it is kept; `tracks.peaks` is the same, coarse enough for a list.

CREATE TABLE track_waveforms (
    track_id uuid PRIMARY KEY REFERENCES tracks ON DELETE CASCADE,
    sample_rate_hz integer NOT NULL,
    samples_per_pixel integer NOT NULL,
    -- 8-bit minimum and maximum of each pixel, in turn.
    peaks bytea NOT NULL
);
