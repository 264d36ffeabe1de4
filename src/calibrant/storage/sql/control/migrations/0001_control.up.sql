-- Resources with all their revisions, the audit log with its tree, checkpoints, words under commitments.

CREATE TABLE resources (
  kind TEXT NOT NULL COLLATE BINARY,
  name TEXT NOT NULL COLLATE BINARY,
  revision BIGINT NOT NULL,
  PRIMARY KEY (kind, name)
) WITHOUT ROWID;

-- body is canonical JSON and digest its SHA-256; both are null when this revision removed the resource
CREATE TABLE revisions (
  kind TEXT NOT NULL COLLATE BINARY,
  name TEXT NOT NULL COLLATE BINARY,
  revision BIGINT NOT NULL,
  body BYTEA,
  digest TEXT,
  at_us BIGINT NOT NULL,
  idx BIGINT NOT NULL UNIQUE,
  PRIMARY KEY (kind, name, revision)
);

CREATE TABLE entries (
  idx BIGINT NOT NULL PRIMARY KEY,
  body BYTEA NOT NULL
) WITHOUT ROWID;

-- complete subtrees only; level 0 are the leaves
CREATE TABLE nodes (
  level BIGINT NOT NULL,
  idx BIGINT NOT NULL,
  hash BYTEA NOT NULL,
  PRIMARY KEY (level, idx)
) WITHOUT ROWID;

CREATE TABLE checkpoints (
  size BIGINT NOT NULL PRIMARY KEY,
  note TEXT NOT NULL,
  at_us BIGINT NOT NULL
) WITHOUT ROWID;

-- a table of its own, so that words can be erased without a trace
CREATE TABLE said (
  commitment TEXT NOT NULL PRIMARY KEY,
  salt BYTEA NOT NULL,
  words BYTEA NOT NULL
);

CREATE TABLE idempotency (
  principal TEXT NOT NULL,
  key TEXT NOT NULL,
  request TEXT NOT NULL,
  first_idx BIGINT NOT NULL,
  many BIGINT NOT NULL,
  PRIMARY KEY (principal, key)
) WITHOUT ROWID;
