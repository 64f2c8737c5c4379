"""What bytes mean: blocks and batches, segments, Perfetto packets, each the typed face of native code. Knows base."""
