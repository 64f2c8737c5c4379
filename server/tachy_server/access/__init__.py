"""Who may come in, by which key, for what: the same for HTTP and Flight. Knows base, lake."""
