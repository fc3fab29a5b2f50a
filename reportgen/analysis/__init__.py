"""Pure functions on numbers and tables: theory, statistics. No training, no files, no printing."""
