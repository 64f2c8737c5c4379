"""A PostgreSQL of our own, under a supervisor. Knows base."""
