-- State that is derived or short-lived: monitors, leases. It is no decision and has no entry in the audit log.

CREATE TABLE working (
  kind TEXT NOT NULL COLLATE BINARY,
  name TEXT NOT NULL COLLATE BINARY,
  revision BIGINT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (kind, name)
) WITHOUT ROWID;
