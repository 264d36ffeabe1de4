-- Back to nothing; only a log without entries is taken down so far.

DROP TABLE idempotency;
DROP TABLE said;
DROP TABLE checkpoints;
DROP TABLE nodes;
DROP TABLE entries;
DROP TABLE revisions;
DROP TABLE resources;
