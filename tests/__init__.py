"""The tests, by part. `make test` runs the short tier, `make test-long` everything."""
