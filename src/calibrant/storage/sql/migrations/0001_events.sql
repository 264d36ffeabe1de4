-- Streams, the identities of all events ever accepted, and their bodies in pieces.

CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE streams (
  stream_id BIGINT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  partition_us BIGINT NOT NULL,
  last_seq BIGINT NOT NULL DEFAULT 0,
  last_piece BIGINT NOT NULL DEFAULT 0,
  last_received_us BIGINT NOT NULL,
  orphans BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE predictions_seen (
  stream_id BIGINT NOT NULL,
  id TEXT NOT NULL,
  digest BYTEA NOT NULL,
  partition_us BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  PRIMARY KEY (stream_id, id)
) WITHOUT ROWID;

CREATE TABLE labels_seen (
  stream_id BIGINT NOT NULL,
  prediction TEXT NOT NULL,
  source TEXT NOT NULL,
  revision BIGINT NOT NULL,
  digest BYTEA NOT NULL,
  seq BIGINT NOT NULL,
  PRIMARY KEY (stream_id, prediction, source, revision)
) WITHOUT ROWID;

-- kind 0: predictions, 1: labels. level 0..2: hot, by size; 9: sealed. A sealed piece may lie in a file instead of body.
-- linked: when a label and its prediction were both there.
CREATE TABLE pieces (
  stream_id BIGINT NOT NULL,
  kind BIGINT NOT NULL,
  partition_us BIGINT NOT NULL,
  piece BIGINT NOT NULL,
  level BIGINT NOT NULL,
  n BIGINT NOT NULL,
  min_received_us BIGINT NOT NULL,
  max_received_us BIGINT NOT NULL,
  max_linked_us BIGINT NOT NULL,
  min_at_us BIGINT NOT NULL,
  max_at_us BIGINT NOT NULL,
  sha256 TEXT NOT NULL,
  file TEXT,
  body BYTEA,
  PRIMARY KEY (stream_id, kind, partition_us, piece)
);

CREATE TABLE orphans (
  stream_id BIGINT NOT NULL,
  prediction TEXT NOT NULL,
  source TEXT NOT NULL,
  revision BIGINT NOT NULL,
  at_us BIGINT NOT NULL,
  received_us BIGINT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (stream_id, prediction, source, revision)
) WITHOUT ROWID;

CREATE TABLE partitions (
  stream_id BIGINT NOT NULL,
  partition_us BIGINT NOT NULL,
  touched_seq BIGINT NOT NULL,
  clean_seq BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (stream_id, partition_us)
);
