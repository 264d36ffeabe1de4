-- Summaries of joined pairs; body is an Arrow table of calibrant.frames.summary_tables, NULL when there are no pairs.

CREATE TABLE summaries (
  stream_id BIGINT NOT NULL,
  fields TEXT NOT NULL,
  grid TEXT NOT NULL,
  partition_us BIGINT NOT NULL,
  through_seq BIGINT NOT NULL,
  as_of_us BIGINT NOT NULL,
  final BIGINT NOT NULL,
  counts TEXT NOT NULL,
  body BYTEA,
  PRIMARY KEY (stream_id, fields, grid, partition_us)
);
