"""The door: any file or data frame becomes checked numpy columns, and nothing gets past that was not declared.

Card
----
Lives here: readers of CSV, JSON lines, Parquet and data frames, every check of the data, writers, summaries as
tables. Comes in: paths, patterns, standard input, pandas, polars, Arrow, DuckDB, arrays. Goes out: ``Rows``,
``Batch``, tables. Never: a measurement, a row dropped in silence, a scale guessed.
"""
