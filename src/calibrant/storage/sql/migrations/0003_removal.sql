-- Retention and erasure: what must not come back, and files that wait until no reader holds them.

ALTER TABLE streams ADD COLUMN floor_us BIGINT;
ALTER TABLE streams ADD COLUMN erased BIGINT NOT NULL DEFAULT 0;

CREATE TABLE tombstones (
  stream_id BIGINT NOT NULL,
  hashed TEXT NOT NULL,
  PRIMARY KEY (stream_id, hashed)
) WITHOUT ROWID;

CREATE TABLE doomed (file TEXT PRIMARY KEY);
