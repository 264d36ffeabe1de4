-- Working state: one body for each name, compared and swapped.

-- name: recall
SELECT kind, name, revision, body FROM working WHERE kind = :kind AND name = :name

-- name: recall_all
SELECT kind, name, revision, body FROM working
WHERE kind = :kind AND name >= :prefix AND SUBSTR(name, 1, LENGTH(:prefix)) = :prefix ORDER BY name

-- name: begin_working
INSERT INTO working (kind, name, revision, body) VALUES (:kind, :name, 1, :body) ON CONFLICT DO NOTHING

-- name: go_on_working
UPDATE working SET revision = revision + 1, body = :body WHERE kind = :kind AND name = :name AND revision = :expected

-- name: forget_working
DELETE FROM working WHERE kind = :kind AND name = :name AND revision = :expected
