-- The newest uploads and reposts of all, for feeds.
CREATE INDEX tracks_newest_idx ON tracks (greatest(created_at, release_at) DESC, id DESC)
    WHERE state IN ('playable', 'published');
CREATE INDEX track_marks_newest_reposts_idx ON track_marks (at DESC, track_id DESC)
    WHERE kind = 'repost';
