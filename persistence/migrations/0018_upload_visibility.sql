-- What is uploaded for a few is nobody else's for a moment: it is said before the first byte.

ALTER TABLE uploads ADD visibility text NOT NULL DEFAULT 'public'
    CHECK (visibility IN ('public', 'unlisted', 'followers', 'private'));
