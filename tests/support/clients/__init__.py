"""The clients that run the tables of tests/cases: each returns what it saw of a case, by name."""
