"""The lake: settings, PostgreSQL, store, segments, group commit, the server's life."""
