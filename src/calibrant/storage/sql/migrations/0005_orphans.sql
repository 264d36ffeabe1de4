-- Orphan labels whose wait has ended: keyed hashes of their identities, so that they do not come back.

ALTER TABLE streams ADD COLUMN orphans_expired BIGINT NOT NULL DEFAULT 0;

CREATE TABLE lapsed (
  stream_id BIGINT NOT NULL,
  hashed TEXT NOT NULL,
  at_us BIGINT NOT NULL,
  PRIMARY KEY (stream_id, hashed)
) WITHOUT ROWID;

CREATE INDEX orphans_by_receipt ON orphans (stream_id, received_us);
