-- Posts plain messages in one call: a transaction's five round trips were most of what a message cost.
--
-- A room's messages are all stored, in the order given, or none of them if anything stands in the way of
-- one: its room or author is not there, the author is banned, the two of a conversation are blocked, the
-- message answered is gone, its id is taken, or a newer event took rights away than was known of (`fence`).
-- What is not stored is not returned, and why is not said here: the general way finds that out. `n` counts
-- from 1.
--
-- Statements of their own: the snapshot of the second is taken after the locks of the first, so it sees
-- what the last holder stored. The time is read once the rows are locked, so that it never runs against `seq`.
-- Questions are asked with subqueries of one value: with EXISTS the planner reads a table once for all.
-- Its plans are kept and look rows up by index whatever the statistics say: planned anew each time they
-- cost three times what they do, and planned for empty tables they would read all of a full one.
CREATE FUNCTION post_messages(
    room_ids uuid[], message_ids uuid[], author_ids uuid[], texts text[], replies_to uuid[],
    peer_ids uuid[], fences bigint[]
) RETURNS TABLE (n bigint, seq bigint, at timestamptz, username text)
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    now_at timestamptz;
BEGIN
    -- In order, so that two writers of the same rooms wait for each other instead of locking up.
    PERFORM FROM room_heads WHERE room_id = ANY (room_ids) ORDER BY room_id FOR UPDATE;
    now_at := clock_timestamp();
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT w.*, h.seq AS head_seq, h.messages, u.username,
            u.id IS NOT NULL AND h.fence_seq <= w.fence
            AND (
                SELECT b.user_id FROM account_bans b
                WHERE b.user_id = w.author_id AND (b.until IS NULL OR b.until > now_at)
            ) IS NULL
            AND (
                SELECT e.seq FROM room_events e
                WHERE e.message_id = w.message_id AND e.room_id = w.room_id
                    AND e.kind = 'message.posted'
            ) IS NULL
            AND (w.reply_to IS NULL OR (
                SELECT e.seq FROM room_events e
                LEFT JOIN message_states s ON s.room_id = e.room_id AND s.message_id = e.message_id
                WHERE e.message_id = w.reply_to AND e.room_id = w.room_id
                    AND e.kind = 'message.posted' AND s.deleted_at IS NULL
            ) IS NOT NULL)
            AND (w.peer_id IS NULL OR (
                SELECT k.user_id FROM user_blocks k
                WHERE k.user_id IN (w.author_id, w.peer_id)
                    AND k.blocked_id IN (w.author_id, w.peer_id)
                LIMIT 1
            ) IS NULL) AS is_free
        FROM unnest(room_ids, message_ids, author_ids, texts, replies_to, peer_ids, fences)
            WITH ORDINALITY
            AS w (room_id, message_id, author_id, text, reply_to, peer_id, fence, n)
        JOIN room_heads h ON h.room_id = w.room_id
        LEFT JOIN users u ON u.id = w.author_id
    ),
    placed AS MATERIALIZED (
        SELECT g.*, row_number() OVER (PARTITION BY g.room_id ORDER BY g.n) AS place
        FROM (SELECT *, bool_and(is_free) OVER (PARTITION BY room_id) AS is_room_free FROM given) g
        WHERE g.is_room_free
    ),
    moved AS (
        UPDATE room_heads h SET seq = h.seq + p.added, messages = h.messages + p.added
        FROM (SELECT room_id, count(*) AS added FROM placed GROUP BY room_id) p
        WHERE h.room_id = p.room_id
    ),
    added AS (
        INSERT INTO room_events
            (room_id, seq, kind, author_id, at, message_id, text, reply_to, messages)
        SELECT room_id, head_seq + place, 'message.posted', author_id, now_at, message_id, text,
            reply_to, messages + place
        FROM placed
    )
    SELECT p.n, p.head_seq + p.place, now_at, p.username FROM placed p;
END
$$;
