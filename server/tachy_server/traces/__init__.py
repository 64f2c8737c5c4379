"""Perfetto traces from blocks. Knows base, formats, lake, views."""
