"""The raw truth: PostgreSQL and the object store, where blocks are, what recorders are told. Knows base, formats."""
