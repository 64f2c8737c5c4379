"""Batches of every released version of the format, and what they decode to."""
