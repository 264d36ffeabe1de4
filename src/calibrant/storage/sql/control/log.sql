-- The audit log, its tree, its checkpoints, and what was said.

-- name: size
SELECT COALESCE(MAX(idx) + 1, 0) FROM entries

-- name: ends
SELECT (SELECT COALESCE(MAX(idx) + 1, 0) FROM entries),
  (SELECT COALESCE(MAX(idx) + 1, 0) FROM revisions),
  (SELECT COALESCE(MAX(idx) + 1, 0) FROM nodes WHERE level = 0),
  (SELECT at_us FROM revisions ORDER BY idx DESC LIMIT 1)

-- name: entries
SELECT idx, body FROM entries WHERE idx >= :start AND idx < :end ORDER BY idx LIMIT :most

-- name: add_entries
INSERT INTO entries (idx, body) VALUES (?, ?)

-- name: node
SELECT hash FROM nodes WHERE level = :level AND idx = :idx

-- name: add_nodes
INSERT INTO nodes (level, idx, hash) VALUES (?, ?, ?)

-- name: checkpoints
SELECT size, note, at_us FROM checkpoints WHERE size >= :from_size ORDER BY size

-- name: newest_checkpoint
SELECT size, note, at_us FROM checkpoints ORDER BY size DESC LIMIT 1

-- name: add_checkpoint
INSERT INTO checkpoints (size, note, at_us) VALUES (:size, :note, :at_us) ON CONFLICT DO NOTHING

-- name: said
SELECT salt, words FROM said WHERE commitment = :commitment

-- name: add_said
INSERT INTO said (commitment, salt, words) VALUES (?, ?, ?)

-- name: erase [sqlite]
DELETE FROM said WHERE commitment IN (SELECT value FROM json_each(:commitments))

-- name: erase [postgres]
DELETE FROM said WHERE commitment = ANY(:commitments)

-- name: version [sqlite]
SELECT user_version FROM pragma_user_version

-- name: version [postgres]
SELECT COALESCE(MAX(version), 0) FROM schema_version
