-- Identities of the embedded store: sorted runs.

-- name: runs
SELECT run, level, n, file FROM identity_runs WHERE stream_id = :stream_id AND kind = :kind ORDER BY level, run

-- name: run_body
SELECT body FROM identity_runs WHERE run = :run

-- name: run_files
SELECT file FROM identity_runs WHERE file IS NOT NULL

-- name: add_run
INSERT INTO identity_runs (run, stream_id, kind, level, n, sha256, file, body)
VALUES (:run, :stream_id, :kind, :level, :n, :sha256, :file, :body)

-- name: forget_run
DELETE FROM identity_runs WHERE run = ?

-- name: legacy_tables
SELECT COUNT(*) FROM sqlite_master WHERE name = 'predictions_seen'

-- name: stream_numbers
SELECT stream_id FROM streams ORDER BY stream_id

-- name: legacy_predictions
SELECT id, digest, partition_us, seq FROM predictions_seen WHERE stream_id = :stream_id AND id > :after
ORDER BY id LIMIT :most

-- name: legacy_labels
SELECT prediction, source, revision, digest, seq FROM labels_seen
WHERE stream_id = :stream_id AND (prediction, source, revision) > (:prediction, :source, :revision)
ORDER BY prediction, source, revision LIMIT :most

-- name: drop_legacy_predictions
DROP TABLE predictions_seen

-- name: drop_legacy_labels
DROP TABLE labels_seen
