-- Identities move out of the tables by text into runs sorted by hash; the store moves them when it is opened, and drops
-- the tables then. file is relative to the segments; a small run lies in body.

CREATE TABLE identity_runs (
  run TEXT PRIMARY KEY,
  stream_id BIGINT NOT NULL,
  kind BIGINT NOT NULL,
  level BIGINT NOT NULL,
  n BIGINT NOT NULL,
  sha256 TEXT NOT NULL,
  file TEXT,
  body BYTEA
);

CREATE INDEX identity_runs_of_stream ON identity_runs (stream_id, kind, level);
