-- Kept summaries.

-- name: put_summary
INSERT INTO summaries (stream_id, fields, grid, partition_us, through_seq, as_of_us, final, counts, body)
VALUES (:stream_id, :fields, :grid, :partition_us, :through_seq, :as_of_us, :final, :counts, :body)
ON CONFLICT (stream_id, fields, grid, partition_us) DO UPDATE SET
  through_seq = excluded.through_seq, as_of_us = excluded.as_of_us, final = excluded.final,
  counts = excluded.counts, body = excluded.body
WHERE summaries.through_seq <= excluded.through_seq

-- name: summaries
SELECT partition_us, through_seq, as_of_us, final, counts, body FROM summaries
WHERE stream_id = :stream_id AND fields = :fields AND grid = :grid
  AND partition_us >= :start_us AND partition_us < :end_us
ORDER BY partition_us

-- name: summary_headers
SELECT partition_us, through_seq, as_of_us, final, counts FROM summaries
WHERE stream_id = :stream_id AND fields = :fields AND grid = :grid
  AND partition_us >= :start_us AND partition_us < :end_us
ORDER BY partition_us

-- name: forget_summaries
DELETE FROM summaries WHERE stream_id = ? AND partition_us = ?

-- name: forget_summaries_before
DELETE FROM summaries WHERE stream_id = :stream_id AND partition_us < :before_us
