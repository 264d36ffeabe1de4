-- Resources and their revisions, and commands that were committed already. A head without its revision is damage that
-- the reader tells: hence the outer joins.

-- name: heads [sqlite]
SELECT name, revision, digest, idx FROM resources LEFT JOIN revisions USING (kind, name, revision)
WHERE kind = :kind AND name IN (SELECT value FROM json_each(:names))

-- name: heads [postgres]
SELECT name, revision, digest, idx FROM resources LEFT JOIN revisions USING (kind, name, revision)
WHERE kind = :kind AND name = ANY(:names)

-- name: resource
SELECT kind, name, revision, body, digest, at_us, idx FROM resources LEFT JOIN revisions USING (kind, name, revision)
WHERE kind = :kind AND name = :name

-- name: resource_at
SELECT kind, name, revision, body, digest, at_us, idx FROM revisions
WHERE kind = :kind AND name = :name AND at_us <= :at_us ORDER BY revision DESC LIMIT 1

-- name: history
SELECT kind, name, revision, body, digest, at_us, idx FROM revisions
WHERE kind = :kind AND name = :name ORDER BY revision

-- name: browse
SELECT kind, name, revision, body, digest, at_us, idx FROM resources LEFT JOIN revisions USING (kind, name, revision)
WHERE kind = :kind AND name >= :prefix AND name > :after AND SUBSTR(name, 1, LENGTH(:prefix)) = :prefix
  AND (body IS NOT NULL OR idx IS NULL)
ORDER BY name LIMIT :most

-- name: made_by
SELECT kind, name, revision, body, digest, at_us, idx FROM revisions
WHERE idx >= :first AND idx < :end ORDER BY idx

-- name: add_revisions
INSERT INTO revisions (kind, name, revision, body, digest, at_us, idx) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: move_heads
INSERT INTO resources (kind, name, revision) VALUES (?, ?, ?)
ON CONFLICT (kind, name) DO UPDATE SET revision = excluded.revision

-- name: repeated
SELECT request, first_idx, many FROM idempotency WHERE principal = :principal AND key = :key

-- name: remember
INSERT INTO idempotency (principal, key, request, first_idx, many)
VALUES (:principal, :key, :request, :first, :many)
