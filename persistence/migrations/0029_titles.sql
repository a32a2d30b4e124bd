-- Playlists of other players name tracks by their titles.
CREATE INDEX tracks_title_idx ON tracks (lower(title));
