"""Materialized views: what a statement extracts from blocks, kept in files, and merged with what no file covers yet."""
