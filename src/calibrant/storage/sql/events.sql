-- Streams, orphans, pieces. Written once for both dialects; [sqlite] and [postgres] mark the few that differ.

-- name: setting
SELECT value FROM settings WHERE name = :name

-- name: add_setting
INSERT INTO settings (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING

-- name: forget_setting
DELETE FROM settings WHERE name = :name

-- name: streams
SELECT name FROM streams ORDER BY name

-- name: stream
SELECT stream_id, partition_us, last_seq, last_piece, last_received_us, orphans, floor_us, erased, orphans_expired
FROM streams WHERE name = :name

-- name: lock_stream [sqlite]
SELECT stream_id, partition_us, last_seq, last_piece, last_received_us, orphans, floor_us, erased, orphans_expired
FROM streams WHERE name = :name

-- name: lock_stream [postgres]
SELECT stream_id, partition_us, last_seq, last_piece, last_received_us, orphans, floor_us, erased, orphans_expired
FROM streams WHERE name = :name FOR UPDATE

-- name: add_stream
INSERT INTO streams (stream_id, name, partition_us, last_received_us)
SELECT COALESCE(MAX(stream_id), 0) + 1, :name, :partition_us, :received_us FROM streams

-- name: save_stream
UPDATE streams SET last_seq = :last_seq, last_piece = :last_piece, last_received_us = :last_received_us,
  orphans = :orphans, floor_us = :floor_us, erased = :erased, orphans_expired = :orphans_expired
WHERE stream_id = :stream_id

-- name: add_orphans
INSERT INTO orphans (stream_id, prediction, source, revision, at_us, received_us, body) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: orphans_of [sqlite]
SELECT prediction, body FROM orphans
WHERE stream_id = :stream_id AND prediction IN (SELECT value FROM json_each(:ids))

-- name: orphans_of [postgres]
SELECT prediction, body FROM orphans WHERE stream_id = :stream_id AND prediction = ANY(:ids)

-- name: forget_orphans_of [sqlite]
DELETE FROM orphans WHERE stream_id = :stream_id AND prediction IN (SELECT value FROM json_each(:ids))

-- name: forget_orphans_of [postgres]
DELETE FROM orphans WHERE stream_id = :stream_id AND prediction = ANY(:ids)

-- name: orphans
SELECT body FROM orphans WHERE stream_id = :stream_id AND received_us <= :as_of_us
ORDER BY prediction, source, revision

-- name: old_orphans
SELECT prediction, source, revision FROM orphans WHERE stream_id = :stream_id AND at_us < :at_us

-- name: unclaimed_orphans
SELECT prediction, source, revision, at_us FROM orphans WHERE stream_id = :stream_id AND received_us < :received_us

-- name: forget_orphan
DELETE FROM orphans WHERE stream_id = ? AND prediction = ? AND source = ? AND revision = ?

-- name: count_orphans
SELECT COUNT(*), MAX(at_us) FROM orphans WHERE stream_id = :stream_id AND received_us <= :as_of_us

-- name: add_piece
INSERT INTO pieces (stream_id, kind, partition_us, piece, level, n, min_received_us, max_received_us, max_linked_us,
  min_at_us, max_at_us, sha256, file, body)
VALUES (:stream_id, :kind, :partition_us, :piece, :level, :n, :min_received_us, :max_received_us, :max_linked_us,
  :min_at_us, :max_at_us, :sha256, :file, :body)

-- name: pieces
SELECT kind, partition_us, piece, level, n, min_received_us, max_received_us, max_linked_us, min_at_us, max_at_us,
  sha256, file
FROM pieces
WHERE stream_id = :stream_id AND kind = :kind AND partition_us >= :first_us AND partition_us < :end_us
ORDER BY partition_us, piece

-- name: piece_body
SELECT body FROM pieces
WHERE stream_id = :stream_id AND kind = :kind AND partition_us = :partition_us AND piece = :piece

-- name: forget_piece
DELETE FROM pieces WHERE stream_id = ? AND kind = ? AND partition_us = ? AND piece = ?

-- name: count_level
SELECT COUNT(*) FROM pieces
WHERE stream_id = :stream_id AND kind = :kind AND partition_us = :partition_us AND level = :level

-- name: unsealed
SELECT kind, partition_us FROM pieces
WHERE stream_id = :stream_id AND level < 9
GROUP BY kind, partition_us
HAVING partition_us < :before_us OR SUM(n) >= :many
ORDER BY partition_us, kind

-- name: files
SELECT file FROM pieces WHERE file IS NOT NULL

-- name: doom
INSERT INTO doomed (file) VALUES (?) ON CONFLICT DO NOTHING

-- name: doomed
SELECT file FROM doomed

-- name: forget_doomed
DELETE FROM doomed WHERE file = ?

-- name: touch
INSERT INTO partitions (stream_id, partition_us, touched_seq) VALUES (?, ?, ?)
ON CONFLICT (stream_id, partition_us) DO UPDATE SET touched_seq = excluded.touched_seq

-- name: clean
UPDATE partitions SET clean_seq = ? WHERE stream_id = ? AND partition_us = ? AND clean_seq < ?

-- name: dirty
SELECT partition_us FROM partitions WHERE stream_id = :stream_id AND touched_seq > clean_seq ORDER BY partition_us

-- name: forget_partitions
DELETE FROM partitions WHERE stream_id = :stream_id AND partition_us < :before_us
