"""The server as a whole: its rooms."""
