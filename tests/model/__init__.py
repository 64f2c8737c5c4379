"""The format once more, in plain Python, straight from docs/format.md: what the C code is held against."""
