-- What was refused: conflicting bodies, rejected items, and how many of each arrived when.

CREATE TABLE quarantine (
  stream_id BIGINT NOT NULL,
  kind BIGINT NOT NULL,
  id TEXT NOT NULL,
  source TEXT NOT NULL,
  revision BIGINT NOT NULL,
  digest BYTEA NOT NULL,
  received_us BIGINT NOT NULL,
  unit TEXT,
  body TEXT NOT NULL,
  PRIMARY KEY (stream_id, kind, id, source, revision, digest)
);

CREATE TABLE rejected (
  stream_id BIGINT NOT NULL,
  number BIGINT NOT NULL,
  received_us BIGINT NOT NULL,
  code TEXT NOT NULL,
  path TEXT NOT NULL,
  reason TEXT NOT NULL,
  body_hash BYTEA NOT NULL,
  PRIMARY KEY (stream_id, number)
);

CREATE TABLE tallies (
  stream_id BIGINT NOT NULL,
  received_us BIGINT NOT NULL,
  duplicates BIGINT NOT NULL,
  conflicting BIGINT NOT NULL,
  rejected BIGINT NOT NULL,
  expired BIGINT NOT NULL,
  PRIMARY KEY (stream_id, received_us)
);
