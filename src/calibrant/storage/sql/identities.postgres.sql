-- Identities of the PostgreSQL store: a row for each.

-- name: see_predictions
INSERT INTO predictions_seen (stream_id, id, digest, partition_us, seq) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: see_labels
INSERT INTO labels_seen (stream_id, prediction, source, revision, digest, seq) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING

-- name: predictions_seen
SELECT id, digest, partition_us, seq FROM predictions_seen WHERE stream_id = :stream_id AND id = ANY(:ids)

-- name: labels_seen
SELECT prediction, source, revision, digest, seq FROM labels_seen
WHERE stream_id = :stream_id AND prediction = ANY(:ids)

-- name: forget_predictions_seen
DELETE FROM predictions_seen WHERE stream_id = :stream_id AND id = ANY(:ids)

-- name: forget_labels_seen
DELETE FROM labels_seen WHERE stream_id = :stream_id AND prediction = ANY(:ids)

-- name: forget_label_seen
DELETE FROM labels_seen WHERE stream_id = ? AND prediction = ? AND source = ? AND revision = ?
