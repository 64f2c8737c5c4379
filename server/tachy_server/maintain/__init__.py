"""Small blocks are merged into large ones, and what nobody reads any more is removed. Knows base, formats, lake."""
