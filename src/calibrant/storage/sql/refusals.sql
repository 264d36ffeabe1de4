-- Quarantine, rejected items, tallies, tombstones.

-- name: quarantine
INSERT INTO quarantine (stream_id, kind, id, source, revision, digest, received_us, unit, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: quarantined
SELECT kind, id, source, revision, digest, received_us, body FROM quarantine WHERE stream_id = :stream_id
ORDER BY received_us, kind, id, source, revision, digest

-- name: trim_quarantine
DELETE FROM quarantine WHERE stream_id = :stream_id AND received_us < (
  SELECT MIN(received_us) FROM (
    SELECT received_us FROM quarantine WHERE stream_id = :stream_id ORDER BY received_us DESC LIMIT :most) AS newest)

-- name: forget_quarantined_of [sqlite]
DELETE FROM quarantine
WHERE stream_id = :stream_id AND (unit = :unit OR id IN (SELECT value FROM json_each(:ids)))

-- name: forget_quarantined_of [postgres]
DELETE FROM quarantine WHERE stream_id = :stream_id AND (unit = :unit OR id = ANY(:ids))

-- name: last_rejected
SELECT COALESCE(MAX(number), 0) FROM rejected WHERE stream_id = :stream_id

-- name: reject
INSERT INTO rejected (stream_id, number, received_us, code, path, reason, body_hash) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: rejected
SELECT received_us, code, path, reason, body_hash FROM rejected WHERE stream_id = :stream_id ORDER BY number

-- name: trim_rejected
DELETE FROM rejected WHERE stream_id = :stream_id AND number <= :last - :most

-- name: tally
INSERT INTO tallies (stream_id, received_us, duplicates, conflicting, rejected, expired)
VALUES (:stream_id, :received_us, :duplicates, :conflicting, :rejected, :expired)
ON CONFLICT (stream_id, received_us) DO UPDATE SET
  duplicates = tallies.duplicates + excluded.duplicates,
  conflicting = tallies.conflicting + excluded.conflicting,
  rejected = tallies.rejected + excluded.rejected,
  expired = tallies.expired + excluded.expired

-- name: tallied
SELECT COALESCE(SUM(duplicates), 0), COALESCE(SUM(conflicting), 0), COALESCE(SUM(rejected), 0),
  COALESCE(SUM(expired), 0)
FROM tallies WHERE stream_id = :stream_id AND received_us <= :as_of_us

-- name: add_tombstones
INSERT INTO tombstones (stream_id, hashed) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: tombstones [sqlite]
SELECT hashed FROM tombstones
WHERE stream_id = :stream_id AND hashed IN (SELECT value FROM json_each(:ids))

-- name: tombstones [postgres]
SELECT hashed FROM tombstones WHERE stream_id = :stream_id AND hashed = ANY(:ids)

-- name: add_lapsed
INSERT INTO lapsed (stream_id, hashed, at_us) VALUES (?, ?, ?) ON CONFLICT DO NOTHING

-- name: lapsed [sqlite]
SELECT hashed FROM lapsed WHERE stream_id = :stream_id AND hashed IN (SELECT value FROM json_each(:ids))

-- name: lapsed [postgres]
SELECT hashed FROM lapsed WHERE stream_id = :stream_id AND hashed = ANY(:ids)

-- name: forget_lapsed
DELETE FROM lapsed WHERE stream_id = :stream_id AND at_us < :at_us
