"""Numbered SQL files that bring a database to the schema of this version."""
